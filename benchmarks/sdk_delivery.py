"""How fast one process delivers what it tracked to a real server on this machine: first call to last answer."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import Report, Row, at_least
from benchmarks.sdk_track import CALL

RECORDS = 100_000
ORGANIZATION = "org-bench"
_NAMED = {name: value for name, value in CALL.items() if name != "response"}
COUNTED = {**_NAMED, "input_tokens": 1200, "output_tokens": 300}
TOLD = {
    **_NAMED,
    "response": {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 1200, "completion_tokens": 300}},
}
"""Without the response's id: one id would be one call."""


def run(options: argparse.Namespace) -> list[Report]:
    """Records a second, tracked and delivered at the same time, and from a spool that has filled up."""
    from tests.scenarios.running_ledger import RunningServer, prepare_ledger

    records = RECORDS // 10 if options.quick else RECORDS
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        url = f"sqlite:///{folder}/delivery.db"
        key = prepare_ledger(url, ORGANIZATION)
        server = RunningServer(url, Path(folder) / "server.log")
        server.start()
        try:
            base = f"http://127.0.0.1:{server.port}"
            _rate(base, key, folder, 2000, COUNTED)  # the server loads its prices
            rows = [
                Row(
                    "calls with their counts", _rate(base, key, folder, records, COUNTED), "records/s", at_least(10_000)
                ),
                Row("with the provider's usage object", _rate(base, key, folder, records, TOLD), "records/s"),
            ]
        finally:
            server.stop()
    return [Report(f"Delivery of {records:,} calls by one process (SQLite)", rows)]


def _rate(url: str, key: str, folder: str, records: int, call: Mapping[str, Any]) -> float:
    from llm_cost_ops import CostOpsClient, DeliverySettings

    print(f"sdk_delivery: {records:,} records", file=sys.stderr)
    options = DeliverySettings(spool=folder, flush_seconds=600.0)
    client = CostOpsClient(key, url, ORGANIZATION, delivery=options)
    begun = time.perf_counter()
    for _ in range(records):
        client.track(**call)
    if not client.flush():
        raise RuntimeError(f"not all was delivered: {client.delivery}")
    seconds = time.perf_counter() - begun
    client.close()
    return records / seconds
