"""The limit of an organisation under 32 clients at once: real servers in real processes let in exactly as many."""

import http.client
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from cost_ops.bootstrap import migrate
from cost_ops.domain.access import OWNER
from cost_ops.domain.plans import Limits, Quota
from cost_ops.services import access
from tests.redis_server import RedisServer
from tests.scenarios.running_ledger import RunningServer, open_ledger

CLIENTS = 32
LIMIT = 700
REFUSALS = 3
_names = count(1)


@dataclass
class Seen:
    """What the clients saw: how often each status, and how few were ever said to be left."""

    statuses: Counter[int]
    least_left: int

    @property
    def let_in(self) -> int:
        return sum(number for status, number in self.statuses.items() if status != 429)


def limited_key(url: str, limits: Limits) -> str:
    """A key of a new organisation that has these limits."""
    application = open_ledger(url)
    try:
        ctx = application.context(OWNER)
        organization = f"limited-{next(_names)}"
        secret = access.create_key(ctx, organization, name="load").secret
        with application.storage.installation() as installation:
            installation.credentials.set_quota(organization, Quota("enterprise", limits))
        return secret
    finally:
        application.close()


def ask(port: int, key: str, begin: threading.Barrier) -> Seen:
    """One client: it asks over one connection until it was refused a few times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    statuses: Counter[int] = Counter()
    least = LIMIT
    begin.wait(60)
    while statuses[429] < REFUSALS:
        connection.request("GET", "/api/v1/pricing?page_size=1", headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        response.read()
        statuses[response.status] += 1
        assert int(response.headers["X-RateLimit-Limit"]) == LIMIT
        left = int(response.headers["X-RateLimit-Remaining"])
        assert left >= 0
        least = min(least, left)
        if response.status == 429:
            assert int(response.headers["Retry-After"]) >= 1
    connection.close()
    return Seen(statuses, least)


def asked_by_many(ports: list[int], key: str) -> Seen:
    """All clients at once, spread over the servers."""
    begin = threading.Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(lambda n: ask(ports[n % len(ports)], key, begin), range(CLIENTS)))
    return Seen(sum((seen.statuses for seen in found), Counter()), min(seen.least_left for seen in found))


def asked_within_an_hour(url: str, ports: list[int]) -> Seen:
    """The same, again with another organisation where the hour of the clock ended in the midst of it."""
    while True:
        key = limited_key(url, Limits(requests_per_hour=LIMIT))
        hour = datetime.now(UTC).hour
        seen = asked_by_many(ports, key)
        if datetime.now(UTC).hour == hour:
            return seen


def let_in(url: str, folder: Path, servers: int = 1, **settings: object) -> Seen:
    """What clients see of so many servers over one ledger."""
    named: Mapping[str, object] = {name.replace("__", "."): value for name, value in settings.items()}
    running = [RunningServer(url, folder / f"server-{n}.log", settings=named) for n in range(servers)]
    try:
        for server in running:
            server.start()
        return asked_within_an_hour(url, [server.port for server in running])
    finally:
        for server in running:
            server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    migrate(url)
    return url


def check(seen: Seen) -> None:
    assert set(seen.statuses) == {200, 429}
    assert seen.let_in == LIMIT
    assert seen.statuses[429] == REFUSALS * CLIENTS
    assert seen.least_left == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_exactly_the_limit_is_let_in(ledger: str, tmp_path: Path, workers: int) -> None:
    check(let_in(ledger, tmp_path, server__workers=workers))


@pytest.mark.parametrize("workers", [1, 4])
def test_exactly_the_limit_is_let_in_through_redis(
    postgres_database: str, tmp_path: Path, redis_server: RedisServer, workers: int
) -> None:
    seen = let_in(postgres_database, tmp_path, server__workers=workers, limits__redis_url=redis_server.url)
    check(seen)


def test_exactly_the_limit_is_let_in_by_two_replicas(
    postgres_database: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    check(let_in(postgres_database, tmp_path, servers=2, server__workers=2, limits__redis_url=redis_server.url))
