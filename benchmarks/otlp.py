"""OTLP/HTTP to disk: spans of model calls in batches of 512, as OpenTelemetry exporters send them, on both databases.

A real server with a real key on a durable database, as in `ingest`, loaded from another process over loopback: protobuf
packed with gzip, every span a call of its own, priced and committed before the answer. Beside it traces in which one
span in eight is a call, and how long an exporter waits when it sends alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import databases
from benchmarks.exports import BATCH
from benchmarks.report import Report, Row, at_least
from benchmarks.served import served

from tests.scenarios.running_ledger import prepare_ledger

CONNECTIONS = 4
WANTED = 5_000
CALLS_IN = 8
ORGANIZATION = "bench"


def run(options: argparse.Namespace) -> list[Report]:
    """A report for each database."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with databases.new_folder(options.cache) as folder, databases.database(engine, folder) as url:
            reports.append(_Traces(engine, url, folder, quick=options.quick).report())
    return reports


class _Traces:
    """The measurements on one database, each on a new ledger."""

    def __init__(self, engine: str, url: str, folder: Path, *, quick: bool) -> None:
        self._engine, self._url, self._folder = engine, url, folder
        self._seconds = 3.0 if quick else 10.0
        self._rounds = 1 if quick else 3

    def report(self) -> Report:
        """Everything, as a table."""
        found = [self._loaded(f"round {number + 1} of {self._rounds}") for number in range(self._rounds)]
        middle = sorted(found, key=lambda one: float(one["records_per_second"]))[len(found) // 2]
        mixed = self._loaded("mixed traces", calls_in=CALLS_IN)
        alone = self._loaded("one connection", connections=1)
        rows = [
            Row(
                f"`POST /v1/traces`, {BATCH} spans, all of them calls",
                middle["records_per_second"],
                "spans/s",
                at_least(WANTED),
                _note(middle),
            ),
            Row("… the slowest round", min(one["records_per_second"] for one in found), "spans/s", at_least(WANTED)),
            Row("… p99 of an export", middle["p99_ms"], "ms", None, f"p50 {middle['p50_ms']:.0f} ms"),
            Row(f"one span in {CALLS_IN} is a call", mixed["records_per_second"], "spans/s", None, _note(mixed)),
            Row("one exporter alone, p50 of an export", alone["p50_ms"], "ms", None, _note(alone)),
        ]
        bodies = f"bodies of {statistics.mean(one['sent_bytes'] for one in found) / 1000:.0f} KB packed"
        remark = f"{CONNECTIONS} connections, gzip, {bodies}; {self._seconds:.0f} s a load after 2 s of warm-up."
        return Report(f"OTLP traces, {self._engine}, new ledger", rows, [remark])

    def _loaded(self, what: str, *, connections: int = CONNECTIONS, calls_in: int = 1) -> dict[str, Any]:
        print(f"otlp: {self._engine}, {what}", file=sys.stderr)
        url = databases.fresh(self._url, f"ledger_{uuid4().hex[:8]}")
        key = prepare_ledger(url, ORGANIZATION)
        with served(url, key, ORGANIZATION, self._folder) as loaded:
            found: dict[str, Any] = loaded.load(
                seconds=self._seconds, connections=connections, spans=BATCH, calls_in=calls_in
            )
        return found


def _note(found: dict[str, Any]) -> str:
    span = found["cpu_us_per_request"] / BATCH
    note = f"{span:.0f} µs of the server's processor a span, {found['cpu_share']:.0%} of a core"
    return note if not found["not_2xx"] else f"**{found['not_2xx']} not 2xx: {found['statuses']}**; {note}"
