"""A key that is revoked through one server process is refused by all of them within the promised 5 seconds."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cost_ops.domain.access import OWNER
from cost_ops.services import access
from tests.scenarios.running_ledger import RunningServer, open_ledger, prepare_ledger

ORGANIZATION = "org-123"
PROCESSES, MOST_CONNECTIONS = 4, 400
PROMISED_SECONDS = 5.0


@pytest.fixture
def replicas(postgres_database: str, tmp_path: Path) -> Iterator[RunningServer]:
    """Four processes behind one port."""
    prepare_ledger(postgres_database, ORGANIZATION)
    server = RunningServer(postgres_database, tmp_path / "server.log", settings={"server.workers": PROCESSES})
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Client:
    """Connections that stay open: the kernel spreads them over the processes."""

    def __init__(self, server: RunningServer) -> None:
        self._port = server.port
        self._connections: list[http.client.HTTPConnection] = []
        self.processes: set[str] = set()

    def reach(self, key: str, processes: int) -> None:
        """Open connections until so many processes have answered."""
        while len(self.processes) < processes:
            assert len(self._connections) < MOST_CONNECTIONS, "some processes never answer"
            self._connections.append(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10))
            assert self._ask(self._connections[-1], key) == 200

    def statuses(self, key: str) -> list[int]:
        return [self._ask(connection, key) for connection in self._connections]

    def _ask(self, connection: http.client.HTTPConnection, key: str) -> int:
        connection.request("GET", "/api/v1/costs", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        # Ids of requests begin alike within a process.
        self.processes.add(str(answer.headers["X-Request-ID"])[:14])
        return answer.status

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def test_a_revoked_key_is_refused_by_every_process_in_time(replicas: RunningServer, postgres_database: str) -> None:
    application = open_ledger(postgres_database)
    ctx = application.context(OWNER)
    made = access.create_key(ctx, ORGANIZATION, name="leaked")
    client = Client(replicas)
    try:
        client.reach(made.secret, PROCESSES)
        assert set(client.statuses(made.secret)) == {200}
        access.revoke_key(ctx, made.key.key_id)
        revoked_at = time.monotonic()
        while 200 in client.statuses(made.secret):
            assert time.monotonic() - revoked_at < PROMISED_SECONDS
        assert set(client.statuses(made.secret)) == {401}
    finally:
        client.close()
        application.close()
