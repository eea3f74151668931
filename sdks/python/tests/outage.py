"""The ledger is away for a while, and the client is killed in between: what is lost, and what counts twice?

    cd sdks/python/tests && python -m outage --seconds 600 --rate 1000 --kills 2

A program tracks calls at a steady rate while there is no server, is killed with -9 and started again; then a server
comes back, and the ledger's records are held against what `track` had returned for. Everything is real but the calls.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[3]
ORGANIZATION = "org-outage"
DELIVERY_SECONDS = 600.0
_RETURNED = b"tracked\n"


@dataclass(frozen=True)
class Found:
    """What came of it. Records are told apart by the number in their key."""

    tracked: int
    in_ledger: int
    lost: int
    double: int
    drain_seconds: float
    peak_over_bare_mb: float

    def __str__(self) -> str:
        return (
            f"tracked {self.tracked:,}, in the ledger {self.in_ledger:,}, lost {self.lost:,}, double {self.double:,}; "
            f"drained in {self.drain_seconds:.1f} s, peak memory over the bare process {self.peak_over_bare_mb:.1f} MB"
        )


def run(folder: Path, *, seconds: float, rate: float, kills: int) -> Found:
    """The whole of it, in a folder."""
    sys.path[:0] = [str(ROOT / "server")]
    from tests.scenarios.running_ledger import RunningServer, prepare_ledger

    url = f"sqlite:///{folder}/outage.db"
    key = prepare_ledger(url, ORGANIZATION)
    server = RunningServer(url, folder / "server.log")
    about = {
        "COST_OPS_API_KEY": key,
        "COST_OPS_API_URL": f"http://127.0.0.1:{server.port}",
        "COST_OPS_ORGANIZATION": ORGANIZATION,
        "COST_OPS_SPOOL": f"{folder}/spool",
    }
    turns = [_Turn(folder, number, about) for number in range(kills + 1)]
    each = seconds / (kills + 1)
    for turn in turns[:-1]:
        turn.work(each, rate, calls=0)
        turn.kill()
    last = turns[-1]
    last.work(each, rate, calls=int(each * rate))
    server.start()
    try:
        begun = time.monotonic()
        last.finish()
        return _counted(url, turns, time.monotonic() - begun)
    finally:
        server.stop()


class _Turn:
    """A life of the program that tracks."""

    def __init__(self, folder: Path, number: int, about: dict[str, str]) -> None:
        self.number = number
        self.told = folder / f"turn-{number}.told"
        self._log = folder / f"turn-{number}.log"
        self._about = about
        self._process: Optional[subprocess.Popen[bytes]] = None

    def work(self, seconds: float, rate: float, calls: int) -> None:
        """Begin, and come back after so long: it has tracked so many calls, or (0) it tracks on."""
        source = ROOT / "sdks" / "python" / "src"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--as-client", str(self.told), str(self.number), str(rate), str(calls)],
                env={**os.environ, **self._about, "PYTHONPATH": str(source)},
                stderr=log,
                stdout=log,
            )
        deadline = time.monotonic() + seconds + 60
        while self.returned() < int(rate * seconds):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the program that tracks did not: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """In the middle of it: it tracks on until it is dead."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def finish(self) -> None:
        """Let it deliver everything, also what others left, and end."""
        assert self._process is not None
        self._process.communicate(timeout=DELIVERY_SECONDS)
        if self._process.returncode:
            raise RuntimeError(f"the program did not deliver all: {self._log.read_text()[-2000:]}")

    def returned(self) -> int:
        """For how many calls `track` has returned: each wrote a line then."""
        return self.told.stat().st_size // len(_RETURNED) if self.told.exists() else 0

    def peak_mb(self) -> float:
        """The most memory that it had over what it had before it made a client."""
        return float(self.told.with_suffix(".memory").read_text())


def _counted(url: str, turns: list[_Turn], seconds: float) -> Found:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    [(in_ledger,)] = connection.execute("SELECT count(*) FROM usage_records").fetchall()
    found = {text for (text,) in connection.execute("SELECT session_id FROM usage_records")}
    connection.close()
    returned = {f"{turn.number}-{number}" for turn in turns for number in range(turn.returned())}
    memory = max(turn.peak_mb() for turn in turns)
    return Found(len(returned), in_ledger, len(returned - found), in_ledger - len(found), seconds, memory)


def _as_client(told: Path, turn: str, rate: float, calls: int) -> None:
    """Track at a rate, so many calls or (0) until it is killed, and say of each that `track` has returned; deliver all."""
    import httpx2  # noqa: F401  (what it takes is not the spool's)

    from llm_cost_ops import CostOpsClient

    bare = _memory_mb("VmRSS")
    client = CostOpsClient()
    fd = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    memory, begun, number = told.with_suffix(".memory"), time.monotonic(), 0
    while number < calls or not calls:
        client.track(
            provider="openai",
            model_id="gpt-4o",
            input_tokens=1200,
            output_tokens=300,
            latency_ms=840,
            project_id="search",
            user_id="ana",
            session_id=f"{turn}-{number}",
            tags={"env": "prod"},
        )
        os.write(fd, _RETURNED)
        number += 1
        if number % 100 == 0:
            memory.write_text(f"{_memory_mb('VmHWM') - bare:.1f}")
        ahead = begun + number / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    _deliver_all(client)
    memory.write_text(f"{_memory_mb('VmHWM') - bare:.1f}")


def _deliver_all(client: Any) -> None:
    """What this process tracked, and what those before it left."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    own = f"{os.getpid()}-"
    while not client.flush(1.0) or any(
        not path.name.startswith(own) for path in client.delivery.folder.glob("*.segment")
    ):
        if time.monotonic() > deadline:
            raise SystemExit(f"not all was delivered: {client.delivery}")
        time.sleep(0.05)
    print(client.delivery)
    client.close()


def _memory_mb(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def main() -> None:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--as-client", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_client:
        told, turn, rate, calls = options.as_client
        _as_client(Path(told), turn, float(rate), int(calls))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(run(Path(folder), seconds=options.seconds, rate=options.rate, kills=options.kills))


if __name__ == "__main__":
    main()
