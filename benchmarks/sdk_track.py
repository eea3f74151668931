"""What `client.track` costs the calling thread: each call timed by itself, while the sending thread works beside it."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.report import Report, Row, at_most

CALLS = 50_000
_PACE_SECONDS = 0.0005
CALL = {
    "provider": "openai",
    "model_id": "gpt-4o",
    "response": {
        "id": "chatcmpl-9WQzvPq1rJ8Rz3ZkW0aB",
        "model": "gpt-4o-2024-08-06",
        "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500},
    },
    "latency_ms": 840,
    "project_id": "search",
    "user_id": "ana",
}
_SERVER = """
import sys, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
sys.path[:0] = [sys.argv[1]]
from fakes.ledger import fake_ledger
with fake_ledger() as ledger:
    print(ledger.url, flush=True)
    sys.stdin.read()
"""


def run(options: argparse.Namespace) -> list[Report]:
    """Median and p99 of `track`, in a tight loop and at a steady pace, with the ledger there and away."""
    from benchmarks.conditions import ROOT

    calls = CALLS // 10 if options.quick else CALLS
    command = [sys.executable, "-c", _SERVER, str(ROOT / "sdks" / "python" / "tests")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        rows = [
            *_rows("at 2,000 calls a second", url, calls // 10, pace=_PACE_SECONDS, judged=True),
            *_rows("in a loop without a pause", url, calls, pace=0.0, judged=True),
            *_rows("in a loop, the ledger away", "http://127.0.0.1:9", calls, pace=0.0, judged=True),
        ]
        rows.append(Row("beside it, at 2,000 a second: `json.dumps` of the same, median", _dumps(calls // 10), "µs"))
    return [Report(f"`client.track` on the calling thread ({calls:,} calls)", rows)]


def _rows(what: str, url: str, calls: int, *, pace: float, judged: bool) -> list[Row]:
    print(f"sdk_track: {what}", file=sys.stderr)
    taken = sorted(_timed(url, calls, pace))
    return [
        Row(f"{what}: median", statistics.median(taken) / 1000, "µs", at_most(10) if judged else None),
        Row(f"{what}: p99", taken[int(len(taken) * 0.99)] / 1000, "µs", at_most(50) if judged else None),
        Row(f"{what}: p99.9", taken[int(len(taken) * 0.999)] / 1000, "µs"),
    ]


def _dumps(calls: int) -> float:
    """Median microseconds of what every way to write a record down begins with, as cold as the pauses leave it."""
    found = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        json.dumps(CALL)
        found.append(time.perf_counter_ns() - begun)
        time.sleep(_PACE_SECONDS)
    return statistics.median(found) / 1000


def _timed(url: str, calls: int, pace: float) -> list[int]:
    """Nanoseconds of each call."""
    from llm_cost_ops import CostOpsClient, DeliverySettings

    with tempfile.TemporaryDirectory() as folder:
        options = DeliverySettings(spool=folder, exit_seconds=0.5)
        client = CostOpsClient("sk_live_benchmark", url, "org-bench", delivery=options)
        track: Callable[..., Any] = client.track
        track(**CALL)
        found = []
        for _ in range(calls):
            begun = time.perf_counter_ns()
            track(**CALL)
            found.append(time.perf_counter_ns() - begun)
            if pace:
                time.sleep(pace)
        client.close()
    return found
