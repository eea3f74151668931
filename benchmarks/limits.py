"""What limits cost: a request let in, permits taken from each store, and ingest with limits and without.

In process: one request at the limiter, let in, its headers written, and left. Over HTTP: single records at 64
connections, an organisation without a limit and one whose limits are never reached, turn about on the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import databases
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.served import Loaded, served

from cost_ops.api.limiter import Limiter
from cost_ops.api.metrics import Metrics
from cost_ops.domain.limiting import unix_seconds, windows_of
from cost_ops.domain.plans import Limits, Quota
from cost_ops.interfaces.limits import PermitStore
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

PLENTY = Limits(2_000_000_000, 2_000_000_000, 10_000)
FREE, LIMITED = "free", "limited"
CONNECTIONS = 64
_CALLS = 50_000
_TAKES = 500


def run(options: argparse.Namespace) -> list[Report]:
    """Reports for each database, and for Redis where there is one."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with ExitStack() as stack:
            folder = stack.enter_context(databases.new_folder(options.cache))
            url = stack.enter_context(databases.database(engine, folder))
            reports.append(_measured(engine, url, folder, {}, quick=options.quick))
            if (redis_url := _redis(stack)) is not None:
                settings: dict[str, object] = {"limits.redis_url": redis_url}
                reports.append(_measured(f"{engine} and Redis", url, folder, settings, quick=options.quick))
    return reports


def _redis(stack: ExitStack) -> str | None:
    """The URL of a Redis; None where this machine or environment has none."""
    try:
        from tests.redis_server import running_redis

        return stack.enter_context(running_redis()).url
    except Exception as error:  # noqa: BLE001 (whatever is missing: it is said, and the rest is measured)
        print(f"limits: without Redis: {error}", file=sys.stderr)
        return None


def _measured(what: str, url: str, folder: Path, settings: dict[str, object], *, quick: bool) -> Report:
    print(f"limits: {what}", file=sys.stderr)
    keys = {FREE: prepare_ledger(url, FREE), LIMITED: prepare_ledger(url, LIMITED)}
    application = open_ledger(url, **{name.replace(".", "__"): value for name, value in settings.items()})
    try:
        with application.storage.installation() as installation:
            installation.credentials.set_quota(LIMITED, Quota("enterprise", PLENTY))
        limiter = Limiter(application, Metrics())
        rows = asyncio.run(_at_the_limiter(limiter, _CALLS // 10 if quick else _CALLS))
        rows.append(_takes(application.permits, unix_seconds(application.clock()), _TAKES // 10 if quick else _TAKES))
    finally:
        application.close()
    return Report(f"Limits, {what}", [*rows, *_over_http(url, keys, folder, settings, quick=quick)])


async def _at_the_limiter(limiter: Limiter, calls: int) -> list[Row]:
    async def limited() -> None:
        ticket = limiter.admit(LIMITED, PLENTY) or await limiter.admit_slow(LIMITED, PLENTY)
        limiter.header_pairs(ticket)
        limiter.leave(ticket)

    async def unlimited() -> None:
        limiter.unlimited_pairs()

    async def nothing() -> None:
        pass

    bare, without, warm = [
        statistics.median([await _microseconds(work, calls // 5) for _ in range(5)])
        for work in (nothing, unlimited, limited)
    ]
    await limiter.close()
    return [
        Row("no limit: headers", without - bare, "µs", at_most(2)),
        Row("limited, warm: let in, headers, left", warm - bare, "µs", at_most(2)),
    ]


async def _microseconds(work: Callable[[], Awaitable[None]], calls: int) -> float:
    start = time.process_time()
    for count in range(calls):
        await work()
        if not count % 100:
            await asyncio.sleep(0)  # as between requests: what is taken ahead can arrive
    return (time.process_time() - start) / calls * 1_000_000


def _takes(store: PermitStore, at: int, calls: int) -> Row:
    windows = windows_of(PLENTY)
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        store.take("takes", windows, needed=1, ahead=0, at=at)
        seconds.append(time.perf_counter() - start)
    middle, most = statistics.median(seconds) * 1000, sorted(seconds)[int(calls * 0.99)] * 1000
    return Row("permits taken from the store", middle, "ms", at_most(5), f"p99 {most:.1f} ms")


def _over_http(url: str, keys: dict[str, str], folder: Path, settings: dict[str, object], *, quick: bool) -> list[Row]:
    rates: dict[str, list[float]] = {FREE: [], LIMITED: []}
    processor: dict[str, list[float]] = {FREE: [], LIMITED: []}
    notes: dict[str, str] = {}
    with served(url, keys[FREE], FREE, folder, settings) as loaded:
        sides = {FREE: loaded, LIMITED: Loaded(loaded.server, keys[LIMITED], LIMITED)}
        for number in range(2 if quick else 6):
            for name in (FREE, LIMITED) if number % 2 else (LIMITED, FREE):
                found = sides[name].load(seconds=2.0 if quick else 6.0, connections=CONNECTIONS)
                rates[name].append(found["requests_per_second"])
                processor[name].append(found["cpu_us_per_request"])
                notes[name] = f"p99 {found['p99_ms']:.0f} ms, not 2xx: {found['not_2xx']}"
    free, limited = (statistics.median(rates[name]) for name in (FREE, LIMITED))
    work, more = (statistics.median(processor[name]) for name in (FREE, LIMITED))
    return [
        Row(f"`POST /usage`, {CONNECTIONS} connections, no limit", free, "/s", None, notes[FREE]),
        Row("… with limits that are never reached", limited, "/s", None, notes[LIMITED]),
        Row("… of the rate without", limited / free, "×", at_least(0.9)),
        Row("the server's processor a request, without", work, "µs"),
        Row("… with limits, of that", more / work, "×", at_most(1.1)),
    ]
