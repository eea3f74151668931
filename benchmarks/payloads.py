"""Requests to send: realistic usage records, every one with a key of its own, cheap enough not to be what is measured.

Bodies are made once, cut open at the idempotency key; a request is then three byte strings put together.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle

from benchmarks.models import CACHED_SHARE, MODELS

_MARK = "\x00"
_KEY_DIGITS = 10
_TEMPLATES = 4_096
_FEATURES = ("search", "chat", "summaries", "triage", "drafts", "translation", "code-review", "agents")
_ENVIRONMENTS = ("production", "production", "production", "staging")


class Requests:
    """An endless supply of distinct requests. `run` makes the keys of this process unlike any other's."""

    def __init__(self, *, host: str, key: str, organization_id: str, run: str, seed: int = 1) -> None:
        self._head = f"Host: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        chance = random.Random(seed)
        self._run = run.encode()
        self._sent = 0
        length = len(self._run) + _KEY_DIGITS
        self._records = [_cut(record(chance, organization_id)) for _ in range(_TEMPLATES)]
        self._turn = cycle(self._records)
        singles = [(self._post("/api/v1/usage", len(a) + length + len(b)) + a, b) for a, b in self._records]
        self._singles = cycle(singles)

    def single(self) -> bytes:
        """One record."""
        before, after = next(self._singles)
        self._sent += 1
        return b"%b%b%010d%b" % (before, self._run, self._sent, after)

    def batch(self, size: int) -> bytes:
        """Many records in one request."""
        body = b",".join(self._bodies(size))
        return b'%b{"records":[%b]}' % (self._post("/api/v1/usage/batch", len(body) + 14), body)

    def get(self, path: str) -> bytes:
        """A request without a body."""
        return f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode()

    def wrong_key(self) -> bytes:
        """A question with a key of the right form that nobody has."""
        self._sent += 1
        key = f"sk_live_{self._sent:08d}_{'x' * 43}"
        return f"GET /api/v1/costs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    def _bodies(self, size: int) -> Iterator[bytes]:
        for _ in range(size):
            before, after = next(self._turn)
            self._sent += 1
            yield b"%b%b%010d%b" % (before, self._run, self._sent, after)

    def _post(self, path: str, length: int) -> bytes:
        return f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {length}\r\n\r\n".encode()


def record(chance: random.Random, organization_id: str, *, key: str = _MARK) -> dict[str, object]:
    """One usage record of the last minute, as an application would send it."""
    provider = chance.choice(tuple(MODELS))
    prompt = int(chance.lognormvariate(7.5, 1.2)) % 90_000 + 1
    timestamp = datetime.now(UTC) - timedelta(microseconds=chance.randrange(60_000_000))
    found: dict[str, object] = {
        "organization_id": organization_id,
        "provider": provider,
        "model_id": chance.choice(MODELS[provider]),
        "input_tokens": prompt,
        "output_tokens": int(chance.lognormvariate(5.5, 1.0)) % 16_000 + 1,
        "timestamp": timestamp.isoformat(),
        "idempotency_key": key,
        "project_id": f"project-{chance.randrange(12)}",
        "user_id": f"user-{int(chance.paretovariate(0.8)) % 10_000:05d}",
        "latency_ms": chance.randrange(150, 20_000),
        "tags": {"feature": chance.choice(_FEATURES), "environment": chance.choice(_ENVIRONMENTS)},
    }
    if chance.random() < CACHED_SHARE:
        found["cached_tokens"] = int(prompt * chance.uniform(0.1, 0.9))
    return found


def _cut(found: dict[str, object]) -> tuple[bytes, bytes]:
    before, _, after = json.dumps(found, ensure_ascii=False, separators=(",", ":")).partition(json.dumps(_MARK)[1:-1])
    return before.encode(), after.encode()
