"""A server under load: load generators as processes of their own, and the memory and processor time it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.conditions import ROOT

from tests.scenarios.running_ledger import RunningServer

_SAMPLE_SECONDS = 0.5
_HEALTH_RATE = 50.0


class Loaded:
    """A running server, with a key to load it."""

    def __init__(self, server: RunningServer, key: str, organization_id: str) -> None:
        self.server = server
        self._arguments = ["--port", str(server.port), "--key", key, "--organization", organization_id]

    def load(self, *, seconds: float, **options: object) -> dict[str, Any]:
        """Load it as `benchmarks.load` is told; its figures, and what the server's processor did for each request."""
        before = self.server.cpu_seconds()
        found = _finished(self._start(seconds=seconds, **options))
        used = self.server.cpu_seconds() - before
        # The warm-up is not in the count of requests, but in the processor's time.
        share = found["seconds"] / (found["seconds"] + float(str(options.get("warm_up", 2))))
        found["cpu_us_per_request"] = used * share / max(found["requests"], 1) * 1_000_000
        found["cpu_share"] = used * share / found["seconds"]
        return found

    def load_and_ask(self, *, seconds: float, **options: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same, while another process asks for `/health` at a fixed rate: figures of both."""
        asking = self._start(seconds=seconds, connections=4, rate=_HEALTH_RATE, get="/health")
        loaded = self.load(seconds=seconds, **options)
        return loaded, _finished(asking)

    @contextmanager
    def beside(self, **options: object) -> Iterator[dict[str, Any]]:
        """Another load for as long as the block and until it ends by itself; its figures are there after the block."""
        other = self._start(**options)
        found: dict[str, Any] = {}
        try:
            yield found
        finally:
            found |= _finished(other)

    @contextmanager
    def memory(self) -> Iterator[list[float]]:
        """Samples of the server's memory in MB, taken as long as the block."""
        samples: list[float] = [self.server.memory_bytes() / 1e6]
        over = threading.Event()

        def sample() -> None:
            while not over.wait(_SAMPLE_SECONDS):
                samples.append(self.server.memory_bytes() / 1e6)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield samples
        finally:
            over.set()
            thread.join()

    def _start(self, **options: object) -> subprocess.Popen[bytes]:
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load", *self._arguments, *given], stdout=subprocess.PIPE, cwd=ROOT
        )


def _finished(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator failed with {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


@contextmanager
def served(
    url: str, key: str, organization_id: str, folder: Path, settings: Mapping[str, object] | None = None
) -> Iterator[Loaded]:
    """A server in front of a ledger, as long as the block."""
    server = RunningServer(url, folder / "server.log", settings=settings)
    server.start()
    try:
        yield Loaded(server, key, organization_id)
    finally:
        server.stop()
