"""A provider on this machine: one loopback HTTP server that answers as the providers do, from the files in `answers`.

A client's base address is `<server>/<case>`: the rest of the path has to be the one that the case was recorded for, so
a client that asks elsewhere gets a 404 and the test fails. `{unique}` in an answer is another number each time, because
no provider gives an id twice.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.providers.event_stream import encoded

ANSWERS = Path(__file__).parent / "answers"
_NUMBERS = count(1)


@cache
def case(name: str) -> dict[str, Any]:
    """A recorded case: `path`, `answer`, and for its stream `stream_path` and `events`."""
    found: dict[str, Any] = json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _fresh(recorded: Any) -> Any:
    return json.loads(json.dumps(recorded).replace("{unique}", f"{next(_NUMBERS):020d}"))


class _Handler(BaseHTTPRequestHandler):
    """One request: the answer of its case, whole or as the stream that was asked for."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        name, _, path = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        recorded = case(name) if (ANSWERS / f"{name}.json").exists() else {}
        if path == recorded.get("stream_path") and (path != recorded["path"] or asked.get("stream")):
            self._stream(recorded, asked)
        elif path == recorded.get("path"):
            self._send("application/json", json.dumps(_fresh(recorded["answer"])).encode(), recorded.get("headers", {}))
        else:
            self.send_error(404, f"the case {name} was not recorded at {path}")

    def _stream(self, recorded: dict[str, Any], asked: dict[str, Any]) -> None:
        events = _fresh(recorded["events"])
        if recorded.get("encoding") == "amazon":
            if recorded.get("chunks"):
                events = [{"chunk": {"bytes": base64.b64encode(json.dumps(e).encode()).decode()}} for e in events]
            body = b"".join(encoded(event) for event in events)
            self._send("application/vnd.amazon.eventstream", body, recorded.get("headers", {}))
            return
        if not (asked.get("stream_options") or {}).get("include_usage"):
            events = [event for event in events if event.get("choices") != []]
        text = "".join(_server_sent(event) for event in events)
        self._send("text/event-stream", f"{text}{recorded.get('ending', '')}".encode(), {})

    def _send(self, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**_fresh(headers), "Content-Type": content_type, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a test's output is about the test."""


def _server_sent(event: dict[str, Any]) -> str:
    """One server-sent event; those that have a type are named by it."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


@contextmanager
def running_providers() -> Iterator[str]:
    """The address of the server, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
