"""What row-level security costs on PostgreSQL: the same questions and corrections with it and without, turn about.

Both see the same database in the same minutes: two installations of this program on a copy of a filled ledger, one told
to use row-level security, one told not to. Corrections go through pages of records that only one of them takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks import databases, fill
from benchmarks.population import DAYS
from benchmarks.query import Questions
from benchmarks.report import Report, Row

from cost_ops.bootstrap import Application, migrate
from cost_ops.domain.access import OWNER
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.repricing import NewCost
from cost_ops.interfaces.storage import Position
from cost_ops.services import costs
from tests.scenarios.running_ledger import open_ledger

RECORDS = 300_000
REPEATS = 200
_PAGE = 2_000
_MODES = ("off", "on")
Ask = Callable[[], object]


def run(options: argparse.Namespace) -> list[Report]:
    """One report: PostgreSQL alone has row-level security."""
    records = (options.records or [100_000 if options.quick else RECORDS])[0]
    repeats = 20 if options.quick else REPEATS
    ledger = fill.filled("postgresql", records, options.cache)
    with ExitStack() as stack:
        folder = stack.enter_context(databases.copied(Path(ledger.folder), options.cache))
        url = stack.enter_context(databases.database(ledger.engine, folder))
        migrate(url, row_security="on")
        both = [open_ledger(url, database__row_level_security=mode) for mode in _MODES]
        for application in both:
            stack.callback(application.close)
        rows = [*_questions(both, ledger, repeats), *_corrections(both, ledger)]
    remark = f"{records:,} records; each question {repeats} times with and without, turn about; medians."
    return [Report("Row-level security, PostgreSQL", rows, [remark])]


def _questions(both: Sequence[Application], ledger: fill.Filled, repeats: int) -> list[Row]:
    without, within = (_asks(application, ledger) for application in both)
    rows = []
    for name, ask in without.items():
        print(f"isolation: {name}", file=sys.stderr)
        times = _turn_about((ask, within[name]), repeats)
        rows += _compared(name, *times, unit="ms", scale=1000)
    return rows


def _asks(application: Application, ledger: fill.Filled) -> dict[str, Ask]:
    ctx, owner = application.context(OWNER), ledger.largest
    month = TimeRange(ledger.end_at - timedelta(days=30), ledger.end_at)

    def little() -> object:
        with ctx.storage.ledger(owner) as unit:
            return unit.api_keys.get("unknown")

    def from_records() -> object:
        return costs.query(ctx, owner, CostQuery(month, group_by=("model",), from_records=True))

    return {
        "a unit of work with one short statement": little,
        **Questions(ctx, ledger).all(),
        "month by model, from records": from_records,
    }


def _turn_about(asks: Sequence[Ask], repeats: int) -> list[list[float]]:
    """Seconds of each, asked by turns; who begins changes each time."""
    times: list[list[float]] = [[] for _ in asks]
    for turn in range(-3, repeats):
        for place in range(len(asks)):
            which = (place + turn) % len(asks)
            start = time.perf_counter()
            asks[which]()
            if turn >= 0:
                times[which].append(time.perf_counter() - start)
    return times


def _corrections(both: Sequence[Application], ledger: fill.Filled) -> list[Row]:
    """Pages of the year's records, each costed anew by one of the two: read, superseded, rolled up, committed."""
    print("isolation: corrections", file=sys.stderr)
    contexts = [application.context(OWNER) for application in both]
    span = TimeRange(ledger.end_at - timedelta(days=DAYS + 1), ledger.end_at)
    times: list[list[float]] = [[], []]
    after: Position | None = None
    for turn in range(10_000):
        which = (turn + turn // 2) % 2
        start = time.perf_counter()
        with contexts[which].storage.ledger(ledger.largest) as unit:
            page = unit.usage.costed(start_us=span.start_us, end_us=span.end_us, filters=(), after=after, limit=_PAGE)
            dearer = [
                (usage, NewCost(usage.status, usage.currency, (usage.cost_e10 or 0) + 1, usage.price_number))
                for usage in page
            ]
            unit.costs.supersede(dearer, reason="dearer", now=ledger.end_at)
        if len(page) < _PAGE:
            break
        times[which].append((time.perf_counter() - start) / _PAGE)
        after = Position(page[-1].timestamp_us, page[-1].uid)
    return _compared("a record costed again", *times, unit="µs", scale=1_000_000)


def _compared(name: str, without: Sequence[float], within: Sequence[float], *, unit: str, scale: int) -> list[Row]:
    plain, secured = median(without), median(within)
    note = f"without {plain * scale:.3f}, with {secured * scale:.3f} {unit}"
    return [Row(f"{name}: with : without", secured / plain, "", note=note)]
