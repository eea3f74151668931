"""The libraries that the FAQ and the troubleshooting guide were written for, in an environment of their own.

`from langchain.llms import OpenAI`, `llm("Hello, world!")` and `openai.ChatCompletion.create` are LangChain before 0.1
and openai before 1.0. `.venv-legacy` has them as `legacy.lock` says, and is made when a test first asks for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).parents[4]
ENVIRONMENT = ROOT / ".venv-legacy"
LOCK = Path(__file__).with_name("legacy.lock")
SDK = ROOT / "sdks" / "python" / "src"
_PYTHONS = ("3.11", "3.12")
"""Those that the old libraries have wheels for."""


def python_for_legacy() -> Optional[str]:
    """A Python that the old libraries run on; None where this machine has none."""
    if f"{sys.version_info[0]}.{sys.version_info[1]}" in _PYTHONS:
        return sys.executable
    return next((found for version in _PYTHONS if (found := shutil.which(f"python{version}"))), None)


def legacy_python(base: str) -> Path:
    """The environment's Python, with what the lock says. Two test processes at once make it once."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".stamp"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with (ROOT / ".venv-legacy.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
            _make(base, python)
            stamp.write_text(wanted)
    return python


def _make(base: str, python: Path) -> None:
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    if shutil.which("uv"):
        _run("uv", "venv", "--quiet", "--python", base, str(ENVIRONMENT))
        _run("uv", "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(LOCK))
    else:
        _run(base, "-m", "venv", str(ENVIRONMENT))
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--require-hashes", "--requirement", str(LOCK))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=600)


def run_program(python: Path, arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the SDK in its path and this environment, as a user does in a shell."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("COST_OPS_", "OPENAI_"))}
    around.update({"PYTHONPATH": str(SDK), "NO_PROXY": "127.0.0.1", "LANGCHAIN_TRACING_V2": "false", **environment})
    command = [str(python), *arguments]
    return subprocess.run(command, env=around, capture_output=True, text=True, timeout=120, check=False)
