"""How long a command line takes before it says anything, and which imports that time goes to."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Report, Row, at_most

REPEATS = 10
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)")


def run(*, quick: bool = False) -> Report:
    """Median wall time of `cost-ops --help` and of a bare interpreter beside it, and the heaviest imports."""
    command = str(Path(sys.executable).with_name("cost-ops"))
    repeats = 3 if quick else REPEATS
    _seconds([command, "--help"])  # compiles what was never imported
    rows = [
        Row("`cost-ops --help`", _median([command, "--help"], repeats), "s", at_most(0.2)),
        Row("`cost-ops --version`", _median([command, "--version"], repeats), "s"),
        Row("`cost-ops query --help`", _median([command, "query", "--help"], repeats), "s"),
        Row("an interpreter that does nothing", _median([sys.executable, "-c", "pass"], repeats), "s"),
    ]
    rows += _client_rows(repeats)
    heavy = _imports([sys.executable, "-X", "importtime", command, "--help"])
    listed = ", ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in heavy)
    return Report(
        f"Start (median of {repeats})", rows, [f"Heaviest imports, ms with what they import themselves: {listed}."]
    )


def _client_rows(repeats: int) -> list[Row]:
    """What the Python SDK takes beside its HTTP client, from nothing to the first tracked call."""
    http = _median([sys.executable, "-c", "import httpx2"], repeats)
    client = "import httpx2, llm_cost_ops; llm_cost_ops.CostOpsClient('sk_test_a_b', 'http://127.0.0.1:9').tracker"
    whole = _median([sys.executable, "-c", client], repeats)
    return [
        Row("`import httpx2`", http, "s"),
        Row("`import llm_cost_ops` and a client add", whole - http, "s", at_most(0.1)),
    ]


def _median(command: list[str], repeats: int) -> float:
    print(f"startup: {' '.join(command[-2:])}", file=sys.stderr)
    return statistics.median(_seconds(command) for _ in range(repeats))


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    elapsed = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr[-2000:]}")
    return elapsed


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COST_OPS_")}


def _imports(command: list[str], most: int = 8) -> list[tuple[str, float]]:
    """(module, milliseconds) of the outermost imports that took longest."""
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    found = [
        (match.group(4), int(match.group(2)) / 1000)
        for line in done.stderr.splitlines()
        if (match := _IMPORT.match(line)) and len(match.group(3)) == 1
    ]
    return sorted(found, key=lambda item: -item[1])[:most]
