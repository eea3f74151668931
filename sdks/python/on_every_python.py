"""Runs `tests/core` on every Python from 3.9 to 3.13 that this machine has, and says which ones it has.

    python sdks/python/on_every_python.py             all of it
    python sdks/python/on_every_python.py -k retry sdks/python/tests/core     or what pytest is told

A Python is looked for by its name on the PATH and among those of pyenv. Their environments are in `.venv-matrix`, with
what `requirements.lock` says. One that is not there is named and fails nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
CORE = HERE / "tests" / "core"
ENVIRONMENTS = HERE.parents[1] / ".venv-matrix"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
_TELLS = "import ssl, sys; print('%d.%d' % sys.version_info[:2])"


def main() -> int:
    """Run them; whether one failed."""
    results = {version: _run(version, sys.argv[1:]) for version in VERSIONS}
    for version, result in results.items():
        print(f"Python {version}: {result or 'passed'}")
    return 1 if any(result == "FAILED" for result in results.values()) else 0


def _run(version: str, options: list[str]) -> Optional[str]:
    python = next(_found(version), None)
    if python is None:
        return "not on this machine"
    print(f"Python {version}, {python}", flush=True)
    environment = ENVIRONMENTS / version
    _prepare(environment, python)
    command = [environment / "bin" / "python", "-m", "pytest", "-q", "-c", CORE / "pytest.ini", "--confcutdir", CORE]
    done = subprocess.run(
        [*command, *(options or [str(CORE)])],
        env={**os.environ, "PYTHONPATH": str(HERE / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    return None if done.returncode == 0 else "FAILED"


def _found(version: str) -> Iterator[str]:
    """Those of a version that run, and have TLS: a name that pyenv knows may lead to nothing."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = [shutil.which(f"python{version}"), *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for name in names:
        if name and _answers(name) == version:
            yield name


def _answers(python: str) -> str:
    try:
        done = subprocess.run([python, "-c", _TELLS], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _prepare(environment: Path, python: str) -> None:
    """Make an environment, unless it is there with what the lock says."""
    stamp = environment / ".lock"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    shutil.rmtree(environment, ignore_errors=True)
    uv = shutil.which("uv")
    inside = environment / "bin" / "python"
    if uv:
        _do(uv, "venv", "--quiet", "--python", python, environment)
        _do(uv, "pip", "sync", "--quiet", "--python", inside, "--require-hashes", LOCK)
    else:
        _do(python, "-m", "venv", environment)
        _do(inside, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", LOCK)
    stamp.write_bytes(LOCK.read_bytes())


def _do(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    sys.exit(main())
