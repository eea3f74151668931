"""The audit trail with 100,000 events: written, verified, exported; and what a refusal costs the event loop."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks import databases
from benchmarks.report import Report, Row, at_most

from cost_ops.api.metrics import Metrics
from cost_ops.api.refusals import Refusals
from cost_ops.bootstrap import Application, migrate
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.audit import Action
from cost_ops.services import audit, organizations
from tests.scenarios.running_ledger import open_ledger

ORGANIZATION = "bench"
VERIFY_SECONDS = 5
_AT_ONCE = 1_000
_NOTES = 100_000


def run(options: argparse.Namespace) -> list[Report]:
    """A report for each database."""
    events = (options.records or [10_000 if options.quick else 100_000])[0]
    rounds = 1 if options.quick else 3
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with databases.new_folder(options.cache) as folder, databases.database(engine, folder) as url:
            migrate(url)
            application = open_ledger(url)
            try:
                reports.append(_report(engine, application, events, rounds))
            finally:
                application.close()
    return reports


def _report(engine: str, application: Application, events: int, rounds: int) -> Report:
    print(f"audit: {engine}, {events:,} events", file=sys.stderr)
    organizations.ensure(application.context(OWNER), ORGANIZATION)
    written = _timed(lambda: _write(application, events))
    ctx = application.context(OWNER)
    verified = [_timed(lambda: _verify(application)) for _ in range(rounds)]
    exported = _timed(lambda: sum(1 for _ in audit.export(ctx, ORGANIZATION)))
    rows = [
        Row(f"verify {events:,} events", statistics.median(verified), "s", at_most(VERIFY_SECONDS)),
        Row("… the slowest round", max(verified), "s", at_most(VERIFY_SECONDS)),
        Row("export them", exported, "s"),
        Row(f"write them, {_AT_ONCE:,} in a transaction", events / written, "events/s"),
        Row("one audited change, a transaction each", _single(application), "ms"),
        Row("note one refusal that is known already", _note_us(application), "µs"),
    ]
    return Report(f"Audit trail, {engine}", rows, [f"Median of {rounds}; in process, one thread."])


def _write(application: Application, events: int) -> None:
    ctx = application.context(OWNER, "req-0123456789", "203.0.113.9")
    before = {"input_price_per_million": "10", "output_price_per_million": "30", "note": "list price"}
    for first in range(0, events, _AT_ONCE):
        with application.storage.ledger(ORGANIZATION) as ledger:
            for number in range(first, min(first + _AT_ONCE, events)):
                detail = {"before": before, "after": {**before, "input_price_per_million": str(number)}}
                ledger.audit.add(ctx.event(Action.PRICE_REVISED, f"price-{number}", detail=detail))


def _verify(application: Application) -> None:
    (verdict,) = audit.verify(application.context(OWNER), ORGANIZATION)
    if not verdict.whole:
        raise AssertionError(f"the chain is not whole: {verdict.faults[:3]}")


def _single(application: Application, count: int = 100) -> float:
    """Milliseconds of a transaction with one event, the commit to disk included."""
    ctx = application.context(OWNER)
    start = time.perf_counter()
    for number in range(count):
        with application.storage.ledger(ORGANIZATION) as ledger:
            ledger.audit.add(ctx.event(Action.PRICE_REVISED, f"price-{number}"))
    return (time.perf_counter() - start) * 1e3 / count


def _note_us(application: Application) -> float:
    refusals = Refusals(application, Metrics())
    principal = Principal(ORGANIZATION, "key1", frozenset())

    def note() -> None:
        for _ in range(_NOTES):
            refusals.note(
                principal,
                method="GET",
                route="/api/v1/costs",
                status=403,
                permission="costs:read",
                address="203.0.113.9",
                request_id="req-0123456789",
            )

    return _timed(note) * 1e6 / _NOTES


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
