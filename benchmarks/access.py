"""What access costs: knowing who asks, deciding whether they may, a flood of wrong keys, and ingest with all of it.

In process: one request at the door, from its headers to the principal that may go on. Over HTTP: a real server on
loopback; what is compared takes turns in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import databases
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.served import served

from cost_ops.api.arrival import Arrival
from cost_ops.api.process import Process, assemble
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, PERMISSIONS
from cost_ops.domain.plans import Limits, Quota
from cost_ops.domain.policies import Effect, Policy, PolicyConditions, parse_network
from cost_ops.services import access
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

ORGANIZATION = "bench"
PLENTY = 2_000_000_000
_CALLS = 20_000


def run(options: argparse.Namespace) -> list[Report]:
    """Reports for each database."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with ExitStack() as stack:
            folder = stack.enter_context(databases.new_folder(options.cache))
            url = stack.enter_context(databases.database(engine, folder))
            key = prepare_ledger(url, ORGANIZATION)
            reports.append(Report(f"Access in process, {engine}", _in_process(url, quick=options.quick)))
            reports.append(Report(f"Access over HTTP, {engine}", _over_http(url, key, folder, quick=options.quick)))
    return reports


def _in_process(url: str, *, quick: bool) -> list[Row]:
    application = open_ledger(url)
    try:
        return asyncio.run(_at_the_door(application, _CALLS // 10 if quick else _CALLS))
    finally:
        application.close()


async def _at_the_door(application: Application, calls: int) -> list[Row]:
    process = assemble(application)
    await process.authenticator.warm()
    plain = _key(application)
    rows = []
    for what, secret in (
        ("warm key", plain),
        ("warm key, limits of its organisation", _limited(application)),
        ("warm key, three policies to look at", _with_policies(application)),
    ):
        await _admitted(process, secret)
        costs = [await _microseconds(lambda s=secret: _admitted(process, s), calls // 5) for _ in range(5)]
        rows.append(Row(f"{what}: authenticated and authorised", statistics.median(costs), "µs", at_most(20)))
    cold = [await _microseconds(lambda s=secret: _admitted(process, s), 1) for secret in _keys(application, 15)]
    rows.append(Row("cold key", statistics.median(cold) / 1000, "ms", at_most(50), f"largest {max(cold) / 1000:.0f}"))
    await process.authenticator.close()
    return rows


async def _admitted(process: Process, secret: str) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + secret.encode()), (b"accept", b"*/*")]
    scope = {"headers": headers, "method": "POST", "path": "/api/v1/usage", "client": ("127.0.0.1", 40_000)}
    arrival = Arrival(scope)
    await process.door.admit(arrival, "usage:write")
    process.door.leave(arrival)


async def _microseconds(work: Callable[[], Awaitable[None]], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        await work()
    return (time.perf_counter() - start) / calls * 1_000_000


def _key(application: Application, organization_id: str = ORGANIZATION) -> str:
    return access.create_key(application.context(OWNER), organization_id, name="bench").secret


def _keys(application: Application, count: int) -> list[str]:
    return [_key(application) for _ in range(count)]


def _limited(application: Application) -> str:
    """The key of an organisation with limits that are never reached."""
    secret = _key(application, "limited")
    with application.storage.installation() as installation:
        installation.credentials.set_quota("limited", Quota("enterprise", Limits(PLENTY, PLENTY, 10_000)))
    return secret


def _with_policies(application: Application) -> str:
    """The key of an organisation whose policies have to be looked at for each request."""
    secret = _key(application, "policies")
    now = application.clock()
    inside = PolicyConditions(addresses=(parse_network("127.0.0.0/8"),))
    outside = PolicyConditions(addresses=(parse_network("192.0.2.0/24"),))
    policies = (
        Policy("pol_1", "local reads", Effect.ALLOW, frozenset({"*"}), frozenset({"costs:read"}), inside, now),
        Policy("pol_2", "no exports", Effect.DENY, frozenset({"*"}), frozenset({"export:read"}), outside, now),
        Policy("pol_3", "writes", Effect.ALLOW, frozenset({"*"}), frozenset(PERMISSIONS), inside, now),
    )
    with application.storage.ledger("policies") as ledger:
        for policy in policies:
            ledger.people.save_policy(policy)
    return secret


def _over_http(url: str, key: str, folder: Path, *, quick: bool) -> list[Row]:
    seconds, rounds = (2.0, 1) if quick else (4.0, 6)
    alone: list[dict[str, Any]] = []
    flooded: list[dict[str, Any]] = []
    with served(url, key, ORGANIZATION, folder) as loaded:
        for number in range(rounds):
            _say(f"right keys with and without a flood of wrong ones, round {number + 1} of {rounds}")
            asked = {"connections": 4, "rate": 100.0, "get": "/api/v1/auth/whoami"}
            alone.append(loaded.load(seconds=seconds, **asked))
            with loaded.beside(seconds=seconds + 4, connections=16, wrong_keys=True) as flood:
                flooded.append(loaded.load(seconds=seconds, **asked))
            _say(f"{flood['requests_per_second']:.0f} wrong keys a second")
    ratio = _median(flooded, "p50_ms") / _median(alone, "p50_ms")
    note = f"p50 {_median(alone, 'p50_ms'):.2f} ms alone, {_median(flooded, 'p50_ms'):.2f} ms beside"
    rows = [
        Row("right keys beside a flood of wrong ones, p50", ratio, "×", at_most(2), note),
        Row("… p99", _median(flooded, "p99_ms"), "ms", None, f"{_median(alone, 'p99_ms'):.1f} ms alone"),
    ]
    return rows + _ingest(url, key, folder, seconds, rounds)


def _ingest(url: str, key: str, folder: Path, seconds: float, rounds: int) -> list[Row]:
    """Singles and batches by a plain key of an unlimited organisation, and by one with limits and policies."""
    application = open_ledger(url)
    try:
        full = _with_policies(application)
        with application.storage.installation() as installation:
            installation.credentials.set_quota("policies", Quota("professional", Limits(PLENTY, PLENTY, 10_000)))
    finally:
        application.close()
    return [
        row
        for batch in (None, 1_000)
        for row in _compared(
            url, ((ORGANIZATION, key), ("policies", full)), folder, seconds=seconds, rounds=rounds, batch=batch
        )
    ]


def _compared(
    url: str, sides: Sequence[tuple[str, str]], folder: Path, *, seconds: float, rounds: int, batch: int | None
) -> Iterator[Row]:
    """One kind of load for both sides, in turns: what the disk does meanwhile falls on both."""
    what = "single records" if batch is None else f"batches of {batch:,}"
    load = {"connections": 64} if batch is None else {"connections": 4, "batch": batch}
    found: dict[str, list[dict[str, Any]]] = {organization: [] for organization, _ in sides}
    for number in range(rounds):
        for organization, secret in sides if number % 2 else reversed(sides):  # the ledger grows
            with served(url, secret, organization, folder) as loaded:
                _say(f"{what} for {organization}, round {number + 1} of {rounds}")
                found[organization].append(loaded.load(seconds=seconds, **load))
    (without, _), (full, _) = sides
    rates = {name: _median(found[name], "records_per_second") for name in found}
    work = {name: _median(found[name], "cpu_us_per_request") for name in found}
    note = f"{rates[full]:,.0f} records/s with, {rates[without]:,.0f} without"
    yield Row(f"{what}, with limits, policies and audit", rates[full] / rates[without], "×", at_least(0.9), note)
    spent = f"{work[full]:,.0f} µs with, {work[without]:,.0f} µs without"
    yield Row("… the server's processor time for a request", work[full] / work[without], "×", None, spent)


def _median(found: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.median(one[name] for one in found)


def _say(text: str) -> None:
    print(f"access: {text}", file=sys.stderr)
