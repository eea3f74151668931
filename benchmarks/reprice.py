"""Re-pricing the largest organisation of a made-up year: every cost superseded, then nothing left to do.

The organisation gets prices of its own, twice the catalogue's, for all its models, so every record changes: its users
are many and its days thin, so nearly each record moves rollup rows of its own. Beside it the bare insert: the same cost
rows with the driver's fastest way, from rows that are ready, without reading, costing or rolling up anything.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from benchmarks import databases, fill
from benchmarks.population import DAYS
from benchmarks.report import Report, Row, at_least, at_most

from cost_ops.api.server import COLLECT_AFTER
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun
from cost_ops.services import pricing, repricing
from cost_ops.storage.database import Database
from cost_ops.storage.transaction import CostRow
from tests.scenarios.running_ledger import open_ledger

RECORDS_A_SECOND = 1_000_000 / 60
MEMORY_GROWTH = 1.1
_PROBE = 20_000
_BARE_PAGE = 5_000
_BARE_VERSION = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Records a second of each way to go through the organisation, and what the process held in memory."""

    records: int
    dry: float
    run: float
    run_of_processor: float
    again: float
    bare: float
    early_mib: float
    late_mib: float


def run(options: argparse.Namespace) -> list[Report]:
    """A report for each database."""
    records = (options.records or [100_000 if options.quick else 1_000_000])[0]
    engines = [options.engine] if options.engine else databases.ENGINES
    return [_report(engine, _measure(fill.filled(engine, records, options.cache), options.cache)) for engine in engines]


def _measure(ledger: fill.Filled, cache: Path) -> Measured:
    with databases.copied(Path(ledger.folder), cache) as folder, databases.database(ledger.engine, folder) as url:
        application = open_ledger(url)
        try:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)  # as the server has it
            return _go_through(application, ledger)
        finally:
            gc.unfreeze()
            application.close()


def _go_through(application: Application, ledger: fill.Filled) -> Measured:
    ctx, owner = application.context(OWNER), ledger.largest
    span = TimeRange(ledger.end_at - timedelta(days=DAYS + 1), ledger.end_at)
    request = RepriceRequest(span)
    _double_prices(application, owner, span)
    print(f"reprice: {ledger.engine}, dry run", file=sys.stderr)
    start = time.perf_counter()
    foreseen = repricing.dry_run(ctx, owner, request).tally
    dry = foreseen.examined / (time.perf_counter() - start)
    print(f"reprice: {ledger.engine}, run", file=sys.stderr)
    memory: list[float] = []

    def watch(_: RepriceRun) -> bool:
        memory.append(_memory_mib())
        return True

    seconds, processor, done = _timed(lambda: repricing.work(ctx, repricing.start(ctx, owner, request), watch))
    if done.tally != foreseen or done.tally.changed != done.tally.examined:
        raise AssertionError(f"not every record was superseded: {done.tally}")
    again_seconds, _, _ = _timed(lambda: repricing.work(ctx, repricing.start(ctx, owner, request)))
    records = done.tally.examined
    return Measured(
        records,
        dry,
        records / seconds,
        records / processor,
        records / again_seconds,
        _bare(application, owner, span),
        memory[len(memory) // 5],
        memory[-1],
    )


def _timed(work: Callable[[], RepriceRun]) -> tuple[float, float, RepriceRun]:
    """(seconds, seconds of our processor, result)."""
    start, processor = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - start, time.process_time() - processor, found


def _double_prices(application: Application, owner: str, span: TimeRange) -> None:
    ctx, book = application.context(OWNER), application.books.refresh()
    with application.storage.ledger(owner) as unit:
        page = unit.usage.costed(start_us=span.start_us, end_us=span.end_us, filters=(), after=None, limit=_PROBE)
    for provider, model in sorted({(usage.provider, usage.model_id) for usage in page}):
        found = book.find(owner, provider, model, span.end_us - 1)
        if found is None:
            raise LookupError(f"{provider}/{model} has lost its price")
        old = found.price
        rates = tuple(rate if rate.of is not None else replace(rate, price=rate.price * 2) for rate in old.rates)
        pricing.add(ctx, owner, pricing.NewPrice(provider, model, rates, currency=old.currency))


def _bare(application: Application, owner: str, span: TimeRange) -> float:
    """Cost rows a second, ready-made, in pages of one transaction each; they stand beside the real ones."""
    with application.storage.ledger(owner) as unit:
        page = unit.usage.costed(start_us=span.start_us, end_us=span.end_us, filters=(), after=None, limit=_PROBE * 5)
    rows: list[CostRow] = [
        (u.timestamp_us, u.uid, u.timestamp_us, u.cost_e10, _BARE_VERSION, 1, 3, owner, "USD", "bare", None, None)
        for u in page
    ]
    storage = application.storage
    if not isinstance(storage, Database):
        raise TypeError(f"a storage of an unknown kind: {storage!r}")
    start = time.perf_counter()
    for first in range(0, len(rows), _BARE_PAGE):
        with storage.transaction(recording=True) as tx:
            tx.driver.insert_costs(tx, rows[first : first + _BARE_PAGE])
    return len(rows) / (time.perf_counter() - start)


def _memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _report(engine: str, found: Measured) -> Report:
    rows = [
        Row("dry run", found.dry, "records/s"),
        Row("run, every record changes", found.run, "records/s", at_least(RECORDS_A_SECOND)),
        Row("the same by our processor's time", found.run_of_processor, "records/s"),
        Row("run again, nothing changes", found.again, "records/s", at_least(RECORDS_A_SECOND)),
        Row("bare insert of the same cost rows", found.bare, "rows/s"),
        Row("run : bare insert", found.run / found.bare),
        Row("memory at the end : after a fifth", found.late_mib / found.early_mib, "", at_most(MEMORY_GROWTH)),
        Row("memory at the end", found.late_mib, "MiB"),
    ]
    return Report(f"Re-pricing {found.records:,} records, {engine}", rows)
