"""The usual questions, for the tenant with the most records, on filled ledgers; and how large a record is.

Each question is asked in process through the services, as the routes and the command line ask, many times over varying
months, tags, pages and keys, on a warm cache; p50 and p95 of each. With `--quick` fewer times, on a small ledger.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks import databases, fill
from benchmarks.population import DAYS, key_of
from benchmarks.report import Report, Row, Target, at_most

from cost_ops.api.server import COLLECT_AFTER
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.identity import key_hash
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Position
from cost_ops.services import costs, history
from tests.scenarios.running_ledger import open_ledger

REPEATS = 40
SIZES = (1_000_000, 10_000_000)
P95_MS, YEAR_P95_MS, GROWTH, BYTES_A_RECORD = 50, 250, 2, 400
YEAR = "a year by day and model"
_PAGE = 20


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one question, sorted; how many rows its answers had at most, and our own processor's share."""

    found: list[float]
    rows: int
    processor: float

    @property
    def median(self) -> float:
        """The middle one."""
        return self.found[len(self.found) // 2]

    @property
    def p95(self) -> float:
        """All but one of twenty are faster."""
        return self.found[min(int(len(self.found) * 0.95), len(self.found) - 1)]


@dataclass(frozen=True, slots=True)
class Measured:
    """The answers of one ledger."""

    records: int
    times: dict[str, Times]
    bytes_a_record: float


def run(options: argparse.Namespace) -> list[Report]:
    """A report for each database, sizes beside each other."""
    sizes = options.records or ([100_000] if options.quick else SIZES)
    repeats = 10 if options.quick else REPEATS
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        measured = [_measure(fill.filled(engine, records, options.cache), repeats) for records in sorted(sizes)]
        reports.append(_report(engine, measured, repeats))
    return reports


def _measure(ledger: fill.Filled, repeats: int) -> Measured:
    with fill.opened(ledger) as url, _application(url) as application:
        questions = Questions(application.context(OWNER), ledger)
        _collect_as_the_server_does()
        times = {}
        for name, ask in questions.all().items():
            print(f"query: {ledger.engine}, {ledger.records:,}: {name}", file=sys.stderr)
            times[name] = _timed(ask, repeats)
        statistics = application.storage.statistics()
    return Measured(ledger.records, times, statistics["total_bytes"] / ledger.records)


def _collect_as_the_server_does() -> None:
    """Look for garbage cycles as seldom as the server, and never among what is there for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _timed(ask: Callable[[], int], repeats: int) -> Times:
    for _ in range(3):
        ask()
    found, rows = [], 0
    processor = time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        rows = max(rows, ask())
        found.append((time.perf_counter() - start) * 1000)
    processor = (time.process_time() - processor) * 1000 / repeats
    return Times(sorted(found), rows, processor)


@contextmanager
def _application(url: str) -> Iterator[Application]:
    application = open_ledger(url)
    try:
        yield application
    finally:
        application.close()


class Questions:
    """Questions of one tenant, each a function that asks once and says how many rows it got."""

    def __init__(self, ctx: Context, ledger: fill.Filled, seed: int = 3) -> None:
        self._ctx, self._organization_id = ctx, ledger.largest
        self._end, self._records = ledger.end_at, ledger.records
        self._chance = random.Random(seed)
        self._keys = self._known_keys()

    def all(self) -> dict[str, Callable[[], int]]:
        """Name → question."""
        month, ask = self._month, self._ask
        last = timedelta(days=DAYS)
        return {
            "month total": lambda: ask(month()),
            "month by provider and model": lambda: ask(month(), "provider", "model"),
            YEAR: lambda: ask(TimeRange(self._end - last, self._end), "day", "model"),
            "top 20 users of 90 days": lambda: ask(self._ninety_days(), "user", limit=20),
            "month by a tag key": lambda: ask(month(), "tag:feature"),
            "first history page": lambda: self._page(None),
            "deep history page": lambda: self._page(Position(to_us(self._instant()), 0)),
            "one record by its key": self._by_key,
        }

    def _ask(self, span: TimeRange, *group_by: str, limit: int | None = None) -> int:
        report = costs.query(self._ctx, self._organization_id, CostQuery(span, group_by=group_by, limit=limit))
        if not report.totals:
            raise RuntimeError(f"no costs in {span}")
        return len(report.rows) or len(report.totals)

    def _page(self, before: Position | None) -> int:
        query = history.HistoryQuery(page_size=_PAGE, before=before)
        return len(history.page(self._ctx, self._organization_id, query).records)

    def _by_key(self) -> int:
        hashed = self._chance.choice(self._keys)
        with self._ctx.storage.ledger(self._organization_id) as ledger:
            if ledger.usage.find_by_key(hashed) is None:
                raise RuntimeError("a record that was there is gone")
        return 1

    def _known_keys(self, count: int = 200) -> list[bytes]:
        """Keys of this tenant's records: the year's keys went to all tenants, so it is tried out whose they are."""
        found: list[bytes] = []
        with self._ctx.storage.ledger(self._organization_id) as ledger:
            while len(found) < count:
                number = self._chance.randrange(self._records)
                hashed = key_hash(self._organization_id, "caller", key_of(number))
                if ledger.usage.find_by_key(hashed) is not None:
                    found.append(hashed)
        return found

    def _instant(self) -> datetime:
        """Somewhere in the middle of the year."""
        return self._end - timedelta(days=DAYS * self._chance.uniform(0.3, 0.7))

    def _month(self) -> TimeRange:
        """A calendar month that is wholly there."""
        first = self._end.replace(day=1)
        for _ in range(self._chance.randrange(11)):
            first = (first - timedelta(days=1)).replace(day=1)
        return TimeRange((first - timedelta(days=1)).replace(day=1), first)

    def _ninety_days(self) -> TimeRange:
        end = self._end - timedelta(days=self._chance.randrange(180))
        return TimeRange(end - timedelta(days=90), end)


def _report(engine: str, measured: list[Measured], repeats: int) -> Report:
    rows = []
    for one in measured:
        for name, times in one.times.items():
            target = at_most(YEAR_P95_MS if name == YEAR else P95_MS)
            note = f"p50 {times.median:.2f}, own processor {times.processor:.2f} ms; up to {times.rows:,} rows"
            rows.append(Row(f"{one.records:,}: {name}, p95", times.p95, "ms", target, note))
        rows.append(
            Row(f"{one.records:,}: size of a record with all there is", one.bytes_a_record, "bytes", _size(one))
        )
    small, large = measured[0], measured[-1]
    if len(measured) > 1:
        for name, times in large.times.items():
            growth = times.median / small.times[name].median
            what = f"{name}: {large.records:,} beside {small.records:,}, p50"
            rows.append(Row(what, growth, "×", at_most(GROWTH)))
    return Report(f"Questions, {engine}", rows, [f"{repeats} times each, in process, warm, after 3 times uncounted."])


def _size(measured: Measured) -> Target | None:
    """Small ledgers have more rollups a record: the bound is for ten million and more."""
    return at_most(BYTES_A_RECORD) if measured.records >= 10_000_000 else None
