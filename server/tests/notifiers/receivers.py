"""Real HTTP servers on loopback ports that keep what is posted to them and answer as they are told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cost_ops.interfaces.notifications import Message, Target

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Research\r\nBcc: everybody@example.com\r\n\r\nbody",
    "\u202egnihtyna\u2066 yas",
    "x" * 10_000,
    "🚀 Größe 研究",
    "<!channel> <@U123> <https://evil.example|click>",
    "@everyone *bold* _it_ [link](https://evil.example) `code`",
    "R&D &amp; &lt;b&gt;",
    "مشروع 5",
    "\ud800\x00\x1b[31m",
    "",
)


@dataclass
class Posted:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came in, and what is answered to the next."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"ok"
    location: str = ""
    hold: threading.Event | None = None
    """Nothing is answered before it is set."""

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A server until the block ends."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.posted.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if kept.hold is not None:
                kept.hold.wait(30)
            self.send_response(kept.status)
            if kept.location:
                self.send_header("Location", kept.location)
            self.send_header("Content-Length", str(len(kept.answer)))
            self.end_headers()
            self.wfile.write(kept.answer)

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked may have hung up
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        if kept.hold is not None:
            kept.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def message(event: str = "budget.threshold_exceeded", number: int = 1, at: datetime = NOW, **data: Any) -> Message:
    """An event about a budget, as the evaluation writes it."""
    about = {
        "budget_id": f"bud_{number}",
        "budget_name": "Research",
        "threshold": Decimal("0.75"),
        "current_spend": Decimal("3812.40"),
        "limit": Decimal(5000),
        "currency": "USD",
        "percent_used": Decimal("76.24"),
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z",
        "period_label": "2026-11",
        "timezone": "UTC",
        "held": Decimal(0),
        "enforcement": "soft",
        "projected_spend": None,
        "projected_exceeded_at": "2026-11-28T14:00:00Z",
        "unpriced_requests": 0,
        "late": False,
        "scope": {},
        "url": None,
    }
    return Message(f"dlv_{number}", event, at, "org_1", "Acme", {**about, **data})


def trial(**data: Any) -> Message:
    """What is sent to see whether a channel works."""
    return Message("dlv_test", "webhook.test", NOW, "org_1", "Acme", data)


def forty() -> list[Message]:
    """Forty alerts of forty budgets; every tenth is over its limit."""
    return [
        message(
            number=n,
            budget_name=f"Team {n}",
            threshold=Decimal(1) if n % 10 == 0 else Decimal("0.75"),
            current_spend=Decimal(5100 + n) if n % 10 == 0 else Decimal(3800 + n),
        )
        for n in range(40)
    ]


def target(kind: str, *, config: dict[str, Any] | None = None, secret: dict[str, Any] | None = None) -> Target:
    return Target("ch_1", kind, "On call", config or {}, secret or {})


def texts_in(value: Any) -> Iterator[str]:
    """Every text anywhere in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
