"""Ingest over HTTP to disk, beside what it is to be measured against, in one run.

A real server with a real key on a durable database (SQLite with synchronous FULL; PostgreSQL with fsync and
synchronous_commit), loaded from another process over loopback: single records at 64 connections and at a fixed 1,000 a
second, and batches of 1,000. Beside it: recording in process, one commit a request (`ingest.max_group = 1`), and the
bare insert. What is compared takes turns, each round on a new ledger, or all on one that is already filled.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import databases, fill, inprocess
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.served import Loaded, served

from tests.scenarios.running_ledger import prepare_ledger

CONNECTIONS = 64
RATE = 1_000
BATCH_CONNECTIONS = 4
ORGANIZATION = "bench"
SINGLES = {"sqlite": 3_500, "postgresql": 2_500}
BATCHES = {"sqlite": 25_000, "postgresql": 15_000}
FILLED_BATCHES = 12_000


def run(options: argparse.Namespace) -> list[Report]:
    """Reports for each database: on a new ledger, and on filled ones."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with databases.new_folder(options.cache) as folder, databases.database(engine, folder) as url:
            reports.append(_Ingest(engine, url, folder, options).on_new_ledgers())
        for records in _sizes(options):
            ledger = fill.filled(engine, records, options.cache)
            with (
                databases.copied(Path(ledger.folder), options.cache) as folder,
                databases.database(engine, folder) as url,
            ):
                reports.append(_Ingest(engine, url, folder, options).on_filled(ledger))
    return reports


def _sizes(options: argparse.Namespace) -> Sequence[int]:
    """The filled ledgers that are asked for; ten million where nothing is said."""
    if options.records is not None:
        return list(options.records)
    return () if options.quick else (10_000_000,)


class _Ingest:
    """The measurements on one database."""

    def __init__(self, engine: str, url: str, folder: Path, options: argparse.Namespace) -> None:
        self._engine, self._url, self._folder = engine, url, folder
        self._seconds = 3.0 if options.quick else 10.0
        self._rounds = 1 if options.quick else 3
        self._batches = 20 if options.quick else 60
        self._soak = float(options.soak)

    def on_new_ledgers(self) -> Report:
        """Every kind of load on a ledger of its own."""
        rows = self._singles()
        http: list[dict[str, Any]] = []
        recorded: list[float] = []
        bare: list[float] = []
        for number in range(self._rounds):
            self._say(f"batches, round {number + 1} of {self._rounds}")
            http.append(self._batches_over_http(self._fresh(), ORGANIZATION))
            recorded.append(self._in_process(inprocess.recorded))
            bare.append(self._in_process(inprocess.inserted))
        rows += self._batch_rows(http, bare, at_least(BATCHES[self._engine]), None)
        rows.append(Row("in process, `usage.record`, batches of 1,000", statistics.median(recorded), "records/s"))
        rows.append(self._one_commit_a_request())
        return Report(f"Ingest, {self._engine}, new ledger", rows, [self._remark()])

    def on_filled(self, ledger: fill.Filled) -> Report:
        """Batches over HTTP and the bare insert, in turn, into a copy of a filled ledger."""
        http: list[dict[str, Any]] = []
        bare: list[float] = []
        for number in range(self._rounds):
            self._say(f"batches into {ledger.records:,}, round {number + 1} of {self._rounds}")
            http.append(self._batches_over_http(self._url, ledger.largest))
            rate = inprocess.inserted(self._url, ledger.largest, batches=self._batches)
            bare.append(rate.per_second)
        rows = self._batch_rows(http, bare, at_least(FILLED_BATCHES), at_least(0.5))
        return Report(f"Ingest, {self._engine}, {ledger.records:,} records there already", rows, [self._remark()])

    def _singles(self) -> list[Row]:
        """Single records: as fast as 64 connections can, then at a fixed rate, with `/health` asked meanwhile."""
        url = self._fresh()
        rows = []
        with self._served(url) as loaded, loaded.memory() as memory:
            self._say(f"single records over {CONNECTIONS} connections")
            full, health = loaded.load_and_ask(seconds=self._seconds, connections=CONNECTIONS)
            self._say(f"single records, {RATE} a second")
            steady = loaded.load(seconds=self._seconds, connections=CONNECTIONS, rate=RATE)
            rows += [
                Row(
                    f"`POST /usage`, {CONNECTIONS} connections",
                    full["requests_per_second"],
                    "/s",
                    at_least(SINGLES[self._engine]),
                    _note(full),
                ),
                Row("… p99", full["p99_ms"], "ms", at_most(50), f"p50 {full['p50_ms']:.1f}, max {full['max_ms']:.0f}"),
                Row("`/health` p99 meanwhile", health["p99_ms"], "ms", at_most(10), f"p50 {health['p50_ms']:.1f}"),
                Row(
                    f"`POST /usage` at {RATE:,} a second, p99",
                    steady["p99_ms"],
                    "ms",
                    at_most(20),
                    f"{_note(steady)}; p50 {steady['p50_ms']:.1f}, max {steady['max_ms']:.0f}",
                ),
            ]
            if self._soak:
                rows += self._soaked(loaded)
            rows.append(Row("server memory, most", max(memory), "MB", at_most(300)))
        return rows

    def _soaked(self, loaded: Loaded) -> list[Row]:
        """Memory over a long load: its end against what it was after the first tenth."""
        self._say(f"load for {self._soak:.0f} s")
        with loaded.memory() as memory:
            found = loaded.load(seconds=self._soak, connections=CONNECTIONS)
        early = statistics.median(memory[len(memory) // 10 : len(memory) // 5] or memory)
        late = statistics.median(memory[-len(memory) // 10 :])
        note = f"{early:.0f} MB after a tenth, {late:.0f} MB at the end; {found['requests']:,} requests"
        return [Row(f"server memory, growth over {self._soak:.0f} s of load", late - early, "MB", at_most(30), note)]

    def _one_commit_a_request(self) -> Row:
        url = self._fresh()
        self._say("one commit a request")
        with self._served(url, {"ingest.max_group": 1}) as loaded:
            found = loaded.load(seconds=self._seconds, connections=CONNECTIONS)
        note = f"{_note(found)}; p99 {found['p99_ms']:.0f} ms"
        return Row("for comparison: one commit a request", found["requests_per_second"], "/s", None, note)

    def _batches_over_http(self, url: str, organization_id: str) -> dict[str, Any]:
        with self._served(url, organization_id=organization_id) as loaded:
            found: dict[str, Any] = loaded.load(
                seconds=self._seconds, connections=BATCH_CONNECTIONS, batch=inprocess.BATCH
            )
        return found

    def _batch_rows(self, http: list[dict[str, Any]], bare: list[float], target: Any, share: Any) -> list[Row]:
        middle = sorted(http, key=lambda found: found["records_per_second"])[len(http) // 2]
        insert = statistics.median(bare)
        note = f"{BATCH_CONNECTIONS} connections, p99 {middle['p99_ms']:.0f} ms; {_note(middle)}"
        return [
            Row("`POST /usage/batch` of 1,000", middle["records_per_second"], "records/s", target, note),
            Row("for comparison: the bare insert, 1,000 a commit", insert, "records/s"),
            Row("… of which batches over HTTP reach", middle["records_per_second"] / insert, "×", share),
        ]

    def _in_process(self, measure: Callable[..., inprocess.Rate]) -> float:
        url = self._fresh()
        prepare_ledger(url, ORGANIZATION)
        return measure(url, ORGANIZATION, batches=self._batches).per_second

    def _fresh(self) -> str:
        return databases.fresh(self._url, f"ledger_{uuid4().hex[:8]}")

    def _served(self, url: str, settings: dict[str, object] | None = None, organization_id: str = ORGANIZATION) -> Any:
        key = prepare_ledger(url, organization_id)
        return served(url, key, organization_id, self._folder, settings)

    def _say(self, what: str) -> None:
        print(f"ingest: {self._engine}, {what}", file=sys.stderr)

    def _remark(self) -> str:
        return (
            f"Medians of {self._rounds}; {self._seconds:.0f} s a load after 2 s of warm-up, load generator beside it."
        )


def _note(found: dict[str, Any]) -> str:
    note = (
        f"{found['cpu_us_per_request']:.0f} µs of the server's processor a request, {found['cpu_share']:.0%} of a core"
    )
    return note if not found["not_2xx"] else f"**{found['not_2xx']} not 2xx: {found['statuses']}**; {note}"
