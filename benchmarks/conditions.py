"""Under which conditions a benchmark ran: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SYNCS = 200
_PAGE = b"\0" * 4096


def conditions(folder: Path) -> dict[str, str]:
    """Name → value. `folder` is where the ledgers are kept: its disk is the one that is measured."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "load before": load(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "postgresql": postgres_version(),
        "fsync": f"{fsync_ms(folder):.2f} ms (median, 4 KiB appended in {folder})",
    }


def load() -> str:
    """How many processes wanted to run, on average over the last 1, 5 and 15 minutes."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def fsync_ms(folder: Path) -> float:
    """The median time, in milliseconds, of making a freshly written page durable."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(_PAGE)
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def postgres_version() -> str:
    """What the server's binary says of itself."""
    from tests.postgres_server import PostgresUnavailableError, find_binaries

    try:
        binary = find_binaries() / "postgres"
    except PostgresUnavailableError:
        return "none found"
    return _output([str(binary), "--version"]).removeprefix("postgres (PostgreSQL) ")


def markdown(found: dict[str, str]) -> str:
    """The conditions as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in found.items())


def _commit() -> str:
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    changed = _output(["git", "-C", str(ROOT), "status", "--porcelain", "--", "server/src"])
    return f"{commit} with changes" if changed else commit


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
