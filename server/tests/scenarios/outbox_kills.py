"""`kill -9` of those who hand events on and of those who deliver them, again and again, and then the counts.

    python -m tests.scenarios.outbox_kills --database sqlite --events 1000000 --kills 20 --deliver 2000

Two processes work at a time; one of them is killed at a random moment and another takes its place. Every event has to
be one delivery of its channel, under one id. Then some are posted to a server on this machine by processes that are
killed as well: each arrives, and what arrives twice does so under the same id.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from cost_ops.bootstrap import migrate, open_application
from cost_ops.domain.access import OWNER
from cost_ops.domain.notifications import ChannelKind
from cost_ops.interfaces.clock import system_clock
from cost_ops.services import channels, organizations, outbox
from cost_ops.settings import load_settings
from cost_ops.storage import open_storage
from cost_ops.storage.database import Database
from cost_ops.storage.sql.outbox import append, row_of
from tests.hook_server import hook_server
from tests.one_delivery import deliver_next
from tests.postgres_server import fresh_database, running_server

SERVER = Path(__file__).parents[2]
EVENT = "budget.threshold_exceeded"
ORGANIZATIONS = 20
_CHUNK = 20_000
_PROCESSES = 2
_LEASE = timedelta(seconds=1)
_BATCH = 1_000
PRIVATE = {"notifications.allow_private_addresses": "true"}


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a run. `twice`: received again, under the id it had before."""

    events: int
    handed_on: int
    lost: int
    doubled: int
    kills: int
    seconds: float
    delivered: int = 0
    undelivered: int = 0
    ids: int = 0
    twice: int = 0


def run(url: str, *, events: int, kills: int, deliver: int = 0, batch: int = _BATCH, seed: int = 7) -> Counts:
    """Write events, have them handed on and some of them delivered by processes that are killed, and count."""
    chance = random.Random(seed)
    with hook_server() as hook:
        ids = _prepare(url, hook.url)
        _write(url, ids, events)
        began = time.monotonic()
        done = _kill_until_done(["dispatch", url, str(batch)], events, kills, chance)
        seconds = time.monotonic() - began
        found = _count(url, events)
        if not deliver:
            return Counts(events, *found, done, seconds)
        _keep(url, deliver)
        done += _kill_until_done(["deliver", url], deliver, kills, chance)
        told = [json.loads(hook.received.get_nowait().body) for _ in range(hook.received.qsize())]
    of_event: dict[int, set[str]] = {}
    for body in told:
        of_event.setdefault(int(body["data"]["n"]), set()).add(body["delivery_id"])
    ids_seen = Counter(body["delivery_id"] for body in told)
    return Counts(
        events,
        *found,
        done,
        seconds,
        delivered=len(of_event),
        undelivered=deliver - len(of_event),
        ids=sum(map(len, of_event.values())),
        twice=sum(count - 1 for count in ids_seen.values()),
    )


def _prepare(url: str, hook: str) -> list[str]:
    """Organisations with a webhook each."""
    application = open_application(load_settings(environment={}, flags={"database.url": url, **PRIVATE}))
    ids = [f"org-{number}" for number in range(ORGANIZATIONS)]
    ctx = application.context(OWNER)
    for one in ids:
        organizations.ensure(ctx, one)
        channels.add_channel(ctx, application.notification_tools(), one, ChannelKind.WEBHOOK, {"url": hook})
    application.close()
    return ids


def _opened(url: str) -> Database:
    storage = open_storage(url)
    assert isinstance(storage, Database)
    return storage


def _write(url: str, ids: Sequence[str], events: int) -> None:
    now, storage = system_clock(), _opened(url)
    for start in range(0, events, _CHUNK):
        rows = [
            row_of(ids[n % len(ids)], EVENT, {"n": n, "threshold": Decimal("0.75")}, now)
            for n in range(start, min(events, start + _CHUNK))
        ]
        with storage.transaction(recording=True) as tx:
            append(tx, rows)
    storage.close()


def _count(url: str, events: int) -> tuple[int, int, int]:
    """How many deliveries there are, how many events have none, and how many have more than one."""
    storage = _opened(url)
    with storage.transaction() as tx:
        query = "SELECT count(*), count(DISTINCT event_number), count(DISTINCT delivery_id) FROM deliveries"
        rows, numbers, ids = tx.connection.exec_driver_sql(query).one()
        left = tx.connection.exec_driver_sql("SELECT count(*) FROM outbox_events").scalar_one()
    storage.close()
    assert ids == rows
    return rows, events - numbers + left, rows - numbers


def _keep(url: str, deliver: int) -> None:
    """Leave so many deliveries waiting, as evenly as they came."""
    storage = _opened(url)
    with storage.transaction() as tx:
        tx.begin_write()
        first = tx.connection.exec_driver_sql("SELECT min(event_number) FROM deliveries").scalar_one()
        tx.connection.exec_driver_sql(f"DELETE FROM deliveries WHERE event_number >= {int(first) + deliver}")
    storage.close()


def _kill_until_done(words: Sequence[str], total: int, kills: int, chance: random.Random) -> int:
    """Have work done by two processes at a time that are killed at random moments; how many were."""
    moments = sorted(chance.randrange(1, max(2, total * 9 // 10)) for _ in range(kills))
    done, killed, waiting = 0, 0, threading.Event()
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_worker(words)) for _ in range(_PROCESSES)]
        while workers:
            for process in list(workers):
                line = process.stdout.readline() if process.stdout is not None else ""
                if not line:
                    assert process.wait() == 0, "a worker failed"
                    workers.remove(process)
                    continue
                done += int(line)
                _go_on(process)
                if moments and done >= moments[0]:
                    moments.pop(0)
                    waiting.wait(chance.random() / 20)  # somewhere in the middle of the next piece
                    process.kill()
                    process.wait()
                    killed += 1
                    workers.remove(process)
                    workers.append(stack.enter_context(_worker(words)))
    return killed


def _go_on(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


@contextlib.contextmanager
def _worker(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.scenarios.outbox_kills", "--work", *words]
    environment = os.environ | {"PYTHONPATH": str(SERVER)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=SERVER, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def work(kind: str, url: str, batch: str = "0") -> None:
    """Be a worker: tell after each piece how much it was, and wait to be sent on, until nothing is left."""
    application = open_application(load_settings(environment={}, flags={"database.url": url, **PRIVATE}))
    ctx = application.context(OWNER)
    if kind == "dispatch":
        while (found := outbox.dispatch(ctx, limit=int(batch))).events:
            _tell(found.events)
    else:
        tools, name = application.notification_tools(), f"worker-{os.getpid()}"
        while _waits(url):
            sent = deliver_next(ctx, tools, name, _LEASE)
            _tell(sent or 0)
    application.close()


def _waits(url: str) -> bool:
    """Whether anything is pending, leased by somebody who was killed too."""
    storage = _storages.setdefault(url, _opened(url))
    with storage.installation() as installation:
        return installation.deliveries.backlog(system_clock()).count > 0


_storages: dict[str, Database] = {}


def _tell(done: int) -> None:
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()
    sys.stdin.readline()


@contextlib.contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            migrate(url := f"sqlite:{folder}/ledger.db")
            yield url
        return
    with running_server() as server, fresh_database(server.url) as url:
        migrate(url)
        yield url


def main() -> None:
    """Print the counts of a run, or be a worker of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--deliver", type=int, default=0)
    parser.add_argument("--work", nargs="+")
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    with _database(options.database) as url:
        found = run(url, events=options.events, kills=options.kills, deliver=options.deliver)
    rate = round(found.events / found.seconds)
    sys.stdout.write(f"{options.database}: {found}\n{rate:,} events/s handed on\n")


if __name__ == "__main__":
    main()
