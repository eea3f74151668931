"""Programs of a reader: run as they would run them, with the environment that the pages tell them to have."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent_provider import AgentProvider

from ledgers import Ledger

EXAMPLES = Path(__file__).parents[1] / "examples"
DEADLINE_SECONDS = 60


def environment(ledger: Ledger, provider: AgentProvider, **more: str) -> dict[str, str]:
    """What an example reads, and nothing of who runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "COST_OPS_SPOOL", "NO_PROXY") if name in os.environ}
    ours = {"COST_OPS_API_URL": ledger.url, "COST_OPS_API_KEY": ledger.key}
    return {**kept, **ours, "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "test", "LANGSMITH_TRACING": "0", **more}


def script(path: Path, *arguments: str, env: dict[str, str], folder: Path) -> str:
    """Run a program to its end; what it printed."""
    command = [sys.executable, str(path), *arguments]
    done = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def application(name: str, env: dict[str, str], folder: Path = EXAMPLES) -> Iterator[str]:
    """Serve a program as the examples' first lines say: `uvicorn name:app --port …`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port)]
    with subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: reached(port) or process.poll() is not None, name)
            assert process.poll() is None, process.stdout and process.stdout.read().decode()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=DEADLINE_SECONDS)


def reached(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def until(holds: Callable[[], Any], what: str) -> None:
    """Wait for something, for as long as a slow machine may need."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
