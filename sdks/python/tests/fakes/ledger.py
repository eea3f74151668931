"""A loopback ledger that counts what it is sent, once per key, and misbehaves as it is told. Standard library alone."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional
from urllib.parse import parse_qsl, urlsplit

ORGANIZATION = "org-fake"


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    connection: int
    """Which connection it came over."""


@dataclass
class Reply:
    """An answer. `breaks` cuts it off after so many bytes of its body; `after` does the work of a good request first."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    breaks: Optional[int] = None
    silent: bool = False
    """Nothing is answered until the fake is told to go on."""
    after: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def refusal(status: int, code: str = "SERVICE_UNAVAILABLE", message: str = "no", **headers: str) -> Reply:
    """A refusal in the ledger's envelope."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error": {"code": code, "message": message, "request_id": "req-fake"}}, named)


class FakeLedger:
    """What was asked of it, and what it says to the next requests: `script` is used up first, then it behaves."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.records: dict[str, dict[str, Any]] = {}
        self.script: list[Reply] = []
        self.always: Optional[Reply] = None
        self.on_request: Optional[Callable[[Asked], Optional[Reply]]] = None
        self.go_on = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    def reply(self, asked: Asked) -> Reply:
        """What is answered to a request."""
        with self._lock:
            self.asked.append(asked)
            told = self.on_request(asked) if self.on_request else None
            told = told or (self.script.pop(0) if self.script else self.always)
            if told is None:
                return self._good(asked)
            if told.after:
                self._good(asked)
            return told

    def _good(self, asked: Asked) -> Reply:
        if asked.path.endswith("/auth/whoami"):
            about = {"kind": "key", "organization_id": ORGANIZATION, "permissions": [], "scope": None}
            return Reply(200, {"data": about})
        if asked.path.endswith("/usage/batch"):
            results = [{"index": n, **self._stored(one)} for n, one in enumerate(asked.body["records"])]
            replayed = sum(one["replayed"] for one in results)
            counts = {"accepted": len(results) - replayed, "replayed": replayed, "rejected": 0}
            return Reply(201, {"data": {**counts, "results": results}})
        if asked.path.endswith("/usage") and asked.method == "POST":
            stored = {**self._stored(asked.body), "organization_id": ORGANIZATION, "cost": None}
            flat = {"usage_id": stored["usage_id"], "estimated_cost": None}
            return Reply(200 if stored.pop("replayed") else 201, {"data": stored, **flat})
        return Reply(200, {"data": [], "pagination": {"page": 1, "has_next": False, "has_previous": False}})

    def _stored(self, record: dict[str, Any]) -> dict[str, Any]:
        key = record["idempotency_key"]
        replayed = key in self.records
        self.records.setdefault(key, record)
        return {"usage_id": f"usage-{key}", "status": "computed", "currency": "USD", "replayed": replayed}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ledger: FakeLedger

    def handle_any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        parts = urlsplit(self.path)
        asked = Asked(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(raw) if raw else None,
            self.client_address[1],
        )
        reply = self.ledger.reply(asked)
        if reply.silent:
            self.ledger.go_on.wait(30)
            self.close_connection = True
            return
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        content = reply.content
        headers = {"Content-Type": "application/json", "X-API-Version": "v1", **reply.headers}
        self.send_response(reply.status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if reply.breaks is None else content[: reply.breaks])
        if reply.breaks is not None:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *about: object) -> None:
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *about: object) -> None:
        """A client that went away is what is tested."""


@contextmanager
def fake_ledger(port: int = 0) -> Iterator[FakeLedger]:
    """One that runs on a loopback port."""
    ledger = FakeLedger()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"ledger": ledger}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    ledger.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield ledger
    finally:
        ledger.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
