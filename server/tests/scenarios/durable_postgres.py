"""A PostgreSQL whose data survives: on a real disk, with fsync, and able to be shut, crashed and started again.

The suite's own server (`tests.postgres_server`) is for speed and keeps nothing. This one is for what has to be durable:
crash scenarios, and benchmarks, which keep filled ledgers in its data folder.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests import postgres_server

DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
STOP_TIMEOUT_SECONDS = 120


class DurablePostgres:
    """A server of our own over a data folder, which is made where it is not there yet."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = DURABLE) -> None:
        """`folder` holds data, socket and log, and belongs to the server's user. Nothing is started yet."""
        self.folder = folder
        self.settings = dict(settings)
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if account := postgres_server._account():
            os.chown(folder, account.pw_uid, account.pw_gid)
        self._binaries = postgres_server._within_reach(postgres_server.find_binaries(), folder)

    @property
    def url(self) -> str:
        """A superuser's URL of the database `postgres`."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}&port=5432"

    @property
    def pid(self) -> int:
        """The postmaster's."""
        if self.process is None:
            raise RuntimeError("the server is not running")
        return self.process.pid

    def start(self) -> str:
        """Start the server, recovering where it had crashed; its URL once it answers."""
        data, log = self.folder / "data", self.folder / "server.log"
        if not (data / "PG_VERSION").exists():
            self._create(data)
        settings = [f"--{name}={value}" for name, value in ({"listen_addresses": ""} | self.settings).items()]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [f"{self._binaries}/postgres", "-D", str(data), "-k", str(self.folder), *settings],
                **self._as_owner(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        postgres_server._wait_until_ready(self.process, self.url, log)
        return self.url

    def stop(self) -> None:
        """Shut down in order: what was written is checkpointed."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Shut down at once, as if the power had gone: the next start has to recover from the log of writes."""
        self._end(signal.SIGQUIT)

    def kill_backend(self) -> bool:
        """Kill one of its client connections' processes with SIGKILL; all others are then thrown out and it recovers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                " ORDER BY random() LIMIT 1"
            ).fetchone()
            if found is None or _parent_of(found[0]) != self.pid:
                return False
            os.kill(found[0], signal.SIGKILL)
        return True

    def wait(self) -> None:
        """Wait until it answers (again)."""
        if self.process is None:
            raise RuntimeError("the server is not running")
        time.sleep(0.1)
        postgres_server._wait_until_ready(self.process, self.url, self.folder / "server.log")

    def _create(self, data: Path) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        created = subprocess.run(
            [f"{self._binaries}/initdb", f"--pgdata={data}", *options],
            **self._as_owner(),
            capture_output=True,
            check=False,
        )
        if created.returncode != 0:
            raise postgres_server.PostgresUnavailableError(f"initdb failed: {created.stderr.decode()}")

    def _end(self, how: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _as_owner(self) -> dict[str, Any]:
        options: dict[str, Any] = postgres_server._as_owner(self.folder)
        return options


def _parent_of(pid: int) -> int:
    """The process that started another one: only our own server's children are ever ended."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
