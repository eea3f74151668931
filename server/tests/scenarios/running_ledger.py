"""A real ledger and a real server process in front of it, for scenarios and benchmarks that need both."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cost_ops.bootstrap import Application, migrate, open_application, sync_catalogue
from cost_ops.domain.access import OWNER
from cost_ops.services import access
from cost_ops.settings import load_settings

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30


def open_ledger(url: str, **flags: object) -> Application:
    """The installation at a database URL, whatever this machine's own settings are."""
    settings = {name.replace("__", "."): value for name, value in flags.items()}
    return open_application(load_settings(environment={}, flags={"database.url": url} | settings))


def prepare_ledger(url: str, organization_id: str) -> str:
    """Schema, catalogue and one organisation; an API key of it."""
    migrate(url)
    application = open_ledger(url)
    try:
        ctx = application.context(OWNER)
        if not application.books.current().by_number:
            sync_catalogue(application, ctx, accept=True)
        return access.create_key(ctx, organization_id, name="load").secret
    finally:
        application.close()


class RunningServer:
    """`cost-ops server` as a process of its own on loopback."""

    def __init__(self, url: str, log: Path, *, settings: Mapping[str, object] | None = None) -> None:
        """`settings` are further ones, `section.key` → value. Nothing is started yet."""
        self.port = _free_port()
        self._log = log
        values = {"database.url": url, "server.port": self.port, "logging.level": "warning", **(settings or {})}
        ours = {f"COST_OPS_{name.upper().replace('.', '_')}": str(value) for name, value in values.items()}
        self._environment = _clean_environment() | ours
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready. Raises RuntimeError with the end of its log."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cost_ops.cli.main", "server"],
                env=self._environment,
                cwd=self._log.parent,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start; its log ends with:\n{self._log.read_text()[-3000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to finish what it has accepted, and end."""
        self._end(signal.SIGTERM)

    def memory_bytes(self) -> int:
        """What it holds in memory now."""
        if self.process is None:
            return 0
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """The processor time it has used so far."""
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _clean_environment() -> dict[str, str]:
    """Ours without what would change the server's settings."""
    return {k: v for k, v in os.environ.items() if not k.startswith("COST_OPS_") and k != "DATABASE_URL"}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
