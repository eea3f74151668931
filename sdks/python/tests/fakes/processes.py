"""Programs that use the SDK, as processes of their own: to be killed, forked and ended in the middle of something."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Callable

DEADLINE_SECONDS = 60.0
_PRELUDE = """\
import os, signal, sys, threading, time
from llm_cost_ops import CostOpsClient, DeliverySettings

def call(number, **more):
    return {"provider": "openai", "model_id": "gpt-4o", "input_tokens": number, "output_tokens": 1,
            "timestamp": "2026-11-02T09:15:00Z", "idempotency_key": f"{sys.argv[1]}-{number}", **more}

"""


def started(code: str, name: str = "call", **environment: Any) -> subprocess.Popen[str]:
    """A program that has begun; `call(n)` makes it the fields of its call number n."""
    source = Path(__file__).resolve().parents[2] / "src"
    told = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PRELUDE + textwrap.dedent(code), name],
        env={**os.environ, "PYTHONPATH": str(source), "COST_OPS_API_KEY": "sk_live_fake_0123456789", **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(code: str, name: str = "call", **environment: Any) -> str:
    """What a program printed that ran to its end."""
    process = started(code, name, **environment)
    output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, errors
    return output


def killed(process: subprocess.Popen[str]) -> None:
    """End a process as `kill -9` does."""
    process.kill()
    process.communicate(timeout=DEADLINE_SECONDS)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds. Raises AssertionError after a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"it never came about that {what}"
        time.sleep(0.005)
