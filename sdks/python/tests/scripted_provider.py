"""A provider on this machine that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional

EVENTS = "text/event-stream"


@dataclass
class Answer:
    """What is answered: JSON, or bytes of a type."""

    body: Any
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Scripted:
    """The provider's address, and what it was asked."""

    url: str
    asked: list[tuple[str, Any]]


def events(*data: Any, ending: bytes = b"data: [DONE]\n\n") -> Answer:
    """A stream of server-sent events."""
    lines = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in data)
    return Answer(lines + ending, content_type=EVENTS)


@contextmanager
def scripted(answer: Callable[[str, Any], Optional[Answer]]) -> Iterator[Scripted]:
    """Answers what `answer(path, body)` says."""
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body = json.loads(raw or b"null")
            except ValueError:
                body = raw
            asked.append((self.path, body))
            said = answer(self.path, body) or Answer({"error": {"message": "not in the script"}}, 404)
            self.send_response(said.status)
            for name, value in {"Content-Type": said.content_type, **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
