"""The real application behind a real uvicorn on a loopback port, for tests to talk to."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import uvicorn

from cost_ops.api.app import create_app
from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.access import OWNER
from cost_ops.services import access
from cost_ops.settings import load_settings

ORGANIZATION, OTHER = "org-123", "org-456"
NOON = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
USAGE = {
    "organization_id": ORGANIZATION,
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1000,
    "output_tokens": 500,
    "total_tokens": 1500,
}
PRICE = {
    "provider": "openai",
    "model_id": "gpt-4",
    "input_price_per_1k": 0.01,
    "output_price_per_1k": 0.03,
    "currency": "USD",
}


@dataclass
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: httpx2.Headers
    text: str

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["error"]
        return found

    @property
    def reasons(self) -> set[tuple[str, str]]:
        """(field, reason) of every problem that was named."""
        details = self.error.get("details", {})
        return {(p["field"], p["reason"]) for p in details.get("errors", [details])}


@dataclass
class Server:
    """A running server and the keys to it."""

    application: Application
    url: str
    client: httpx2.Client
    process: uvicorn.Server
    keys: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, *, key: str | None = "org", **request: Any) -> Answer:
        """One request under /api/v1 (or as it stands, where it begins with a slash); numbers come back as Decimal."""
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        where = path if path.startswith("/") else f"/api/v1/{path}"
        response = self.client.request(method, f"{self.url}{where}", headers=headers, **request)
        assert response.headers["x-api-version"] == "v1"
        assert response.headers["x-request-id"]
        body = None
        if response.text and response.headers["content-type"] == "application/json":
            body = json.loads(response.text, parse_float=Decimal)
        return Answer(response.status_code, body, response.headers, response.text)

    def post(self, path: str, body: Any, **request: Any) -> Answer:
        """A POST of JSON, or of bytes as they are."""
        if isinstance(body, bytes):
            headers = {"Content-Type": "application/json", **request.pop("headers", {})}
            return self.ask("POST", path, content=body, headers=headers, **request)
        return self.ask("POST", path, json=body, **request)

    def get(self, path: str, **request: Any) -> Answer:
        return self.ask("GET", path, **request)

    def make_key(self, organization_id: str | None, **about: Any) -> str:
        ctx = self.application.context(OWNER)
        return access.create_key(ctx, organization_id, **{"name": "test", **about}).secret


@contextmanager
def serving(application: Application) -> Iterator[Server]:
    """A server in a thread, until the block ends; its end waits for what it had taken in."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(application),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        with httpx2.Client(timeout=60, limits=httpx2.Limits(max_connections=100)) as client:
            yield Server(application, f"http://127.0.0.1:{listener.getsockname()[1]}", client, server)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


def opened(url: str, **flags: Any) -> Application:
    """The installation at a database that is migrated already; flags are `section__key` of settings."""
    settings = {name.replace("__", "."): value for name, value in flags.items()}
    return open_application(load_settings(environment={}, flags={"database.url": url, **settings}))


def add_keys(server: Server) -> None:
    """A key of one organisation, of another, and of the installation."""
    server.keys |= {
        "org": server.make_key(ORGANIZATION),
        "other": server.make_key(OTHER),
        "admin": server.make_key(None, kind="admin"),
    }


@contextmanager
def ready_server(url: str, **flags: Any) -> Iterator[Server]:
    """A server with keys; its database is closed when the block ends."""
    application = opened(url, **flags)
    try:
        with serving(application) as server:
            add_keys(server)
            yield server
    finally:
        application.close()


@contextmanager
def still_server(url: str, **flags: Any) -> Iterator[Server]:
    """A ready server whose clock stands still at half a minute past noon, so that no hour and no minute ends.

    It reads keys anew for each request, so that what an organisation is given holds at once.
    """
    application = replace(opened(url, auth__key_cache_secs=0, **flags), clock=lambda: NOON)
    with closing(application), serving(application) as server:
        add_keys(server)
        yield server


def migrated(path: Any) -> str:
    """The URL of a new SQLite ledger in a folder."""
    url = f"sqlite:{path / 'ledger.db'}"
    migrate(url)
    return url
