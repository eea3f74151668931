"""What budgets cost: decisions while a thousand callers race for one, alone, and ingest with a thousand budgets.

The race is `tests.scenarios.reserve_race`: its callers reserve, wait for a second as a call does, and settle. Ingest is
over HTTP on one server, turn about: an organisation without budgets, and one with a thousand.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import databases
from benchmarks.payloads import _ENVIRONMENTS, _FEATURES
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.served import Loaded, served

from cost_ops.domain.access import OWNER
from cost_ops.domain.budget_documents import read_budget, same_names
from tests.scenarios import reserve_race
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

PLAIN, BUDGETED = "plain", "budgeted"
BUDGETS = 1_000
_PERIODS = ("daily", "weekly", "monthly", "yearly")
_SHAPES = {"single records, 64 connections": {"connections": 64}, "batches of 1,000": {"connections": 4, "batch": 1000}}


def run(options: argparse.Namespace) -> list[Report]:
    """Reports for each database."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        for processes in (1, 4):
            with ExitStack() as stack:
                folder = stack.enter_context(databases.new_folder(options.cache))
                url = stack.enter_context(databases.database(engine, folder))
                reports.append(_raced(engine, url, processes, quick=options.quick))
        with ExitStack() as stack:
            folder = stack.enter_context(databases.new_folder(options.cache))
            url = stack.enter_context(databases.database(engine, folder))
            reports.append(_alone(engine, url))
        with ExitStack() as stack:
            folder = stack.enter_context(databases.new_folder(options.cache))
            url = stack.enter_context(databases.database(engine, folder))
            reports.append(_ingested(engine, url, folder, quick=options.quick))
    return reports


def _raced(engine: str, url: str, processes: int, *, quick: bool) -> Report:
    _say(f"{engine}: the race, {processes} process(es)")
    reserve_race.prepare(url)
    callers = 200 if quick else 1_000
    found = reserve_race.measure(url, processes=processes, callers=callers, call_seconds=1.0, seconds=60)
    rows = [
        Row("overshoot", found["overshoot_e10"] / 1e10, "USD", at_most(0)),
        Row("refused while there was room", found["refused_with_room"], "", at_most(0)),
        Row("the ledger says what was settled", float(found["ledger_agrees"]), "", at_least(1)),
        Row("decision, p99", found["p99_ms"], "ms", at_most(20), f"median {found['p50_ms']:.1f}"),
        Row("settlement, p99", found["settle_p99_ms"], "ms", None, f"median {found['settle_p50_ms']:.1f}"),
        Row("granted", found["granted"]),
        Row("refused", found["refused"]),
        Row("decisions a second", found["decisions_per_second"], "/s"),
    ]
    return Report(f"{callers:,} callers of one budget of 100.00, {processes} process(es), {engine}", rows)


def _alone(engine: str, url: str) -> Report:
    _say(f"{engine}: one caller alone")
    reserve_race.prepare(url)
    found = reserve_race.measure(url, processes=1, callers=1, call_seconds=0.005, seconds=10)
    return Report(
        f"One caller alone, {engine}",
        [
            Row("decision, p99", found["p99_ms"], "ms", at_most(5), f"median {found['p50_ms']:.2f}"),
            Row("settlement, p99", found["settle_p99_ms"], "ms", None, f"median {found['settle_p50_ms']:.2f}"),
        ],
    )


def _ingested(engine: str, url: str, folder: Path, *, quick: bool) -> Report:
    _say(f"{engine}: ingest with {BUDGETS:,} budgets and without")
    keys = {name: prepare_ledger(url, name) for name in (PLAIN, BUDGETED)}
    _define(url)
    rates: dict[tuple[str, str], list[float]] = {}
    with served(url, keys[PLAIN], PLAIN, folder) as loaded:
        sides = {PLAIN: loaded, BUDGETED: Loaded(loaded.server, keys[BUDGETED], BUDGETED)}
        for number in range(2 if quick else 6):
            for shape, how in _SHAPES.items():
                for name in (PLAIN, BUDGETED) if number % 2 else (BUDGETED, PLAIN):
                    found = sides[name].load(seconds=2.0 if quick else 5.0, **how)
                    rates.setdefault((shape, name), []).append(_records(found, how))
    rows = []
    for shape in _SHAPES:
        plain, budgeted = (statistics.median(rates[shape, name]) for name in (PLAIN, BUDGETED))
        rows += [
            Row(f"{shape}: without budgets", plain, "records/s"),
            Row(f"… with {BUDGETS:,}", budgeted, "records/s"),
            Row("… of the rate without", budgeted / plain, "×", at_least(0.9)),
        ]
    return Report(f"Ingest with {BUDGETS:,} budgets, {engine}", rows)


def _records(found: dict[str, Any], how: dict[str, Any]) -> float:
    return float(found["requests_per_second"]) * how.get("batch", 1)


def _define(url: str) -> None:
    """Budgets for everything, models, projects, users and tags, of all kinds of periods."""
    application = open_ledger(url)
    try:
        now = application.context(OWNER).clock()
        with application.storage.ledger(BUDGETED) as ledger:
            for number, document in enumerate(_documents()):
                ledger.budgets.add(
                    read_budget(
                        document,
                        organization_id=BUDGETED,
                        budget_id=f"budget-{number}",
                        by="bench",
                        now=now,
                        names=same_names,
                    )
                )
    finally:
        application.close()


def _documents() -> Iterator[dict[str, Any]]:
    """What a company has: some budgets a record always counts for, and one for each of hundreds of users.

    A record of the load counts for ten of them or so: its project by month and by day, its environment in four kinds of
    periods, two features, and its user.
    """
    scopes = [({"project": f"project-{n}"}, period) for n in range(12) for period in ("monthly", "daily")]
    scopes += [({"tag:environment": name}, period) for name in _ENVIRONMENTS for period in _PERIODS]
    scopes += [({"tag:feature": name}, period) for name in _FEATURES for period in ("weekly", "yearly")]
    users = BUDGETS - len(scopes)
    scopes += [({"user": f"user-{number:05d}"}, _PERIODS[number % 4]) for number in range(1, users + 1)]
    for number, (scope, period) in enumerate(scopes):
        zone = ("UTC", "Europe/Berlin", "America/New_York")[number % 3]
        yield {"amount": 1000 + number, "period": period, "timezone": zone, "scope": scope}


def _say(text: str) -> None:
    print(f"budgets: {text}", file=sys.stderr)
