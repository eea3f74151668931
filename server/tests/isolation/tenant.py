"""A tenant as the tests know it: its credentials, what it has of each kind, and the words that are its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.api.running import Answer, Server

SHARED_MODEL = "gpt-4"
SIZES = {"acme-labs": (1_003, 507), "idle-works": (11, 13), "zq7-zenith": (7_310_017, 5_190_013)}
"""Tokens of a record, so that every amount says whose it is."""

_WORDS = frozenset({"project_id", "user_id", "team_id", "session_id", "model_id", "region", "provider"})
_FRESH = timedelta(minutes=5)


@dataclass
class Tenant:
    """An organisation, its credentials by kind and its things by kind; `things` holds what an answer called them."""

    server: Server
    organization_id: str
    now: Callable[[], datetime]
    step: Callable[[], None]
    makers: Mapping[str, Callable[[Tenant], str]]
    credentials: dict[str, str] = field(default_factory=dict)
    """Kind → an API key."""

    people: dict[str, str] = field(default_factory=dict)
    """Kind → the e-mail address of somebody who logs in."""

    things: dict[str, list[str]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    """Ids that others may come to know: of an account, for those who invite the same person."""

    count: int = 0
    _tokens: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def word(self, noun: str) -> str:
        """A text of this tenant's own."""
        return f"{self.organization_id}-{noun}"

    def counted(self) -> int:
        """The next number, for a name that was never used."""
        self.count += 1
        return self.count

    def value(self, name: str) -> str:
        """What this tenant has under a parameter's or a field's name; its own id where it has no such thing."""
        if name in self.things:
            return self.things[name][0]
        return self.word(name.removesuffix("_id")) if name in _WORDS else self.organization_id

    def bearer(self, kind: str) -> str:
        """A credential: a key, or the access token of somebody who logged in a short while ago."""
        if kind not in self.people:
            return self.credentials[kind]
        known = self._tokens.get(kind)
        if known is None or self.now() - known[0] > _FRESH:
            known = self._tokens[kind] = (self.now(), self.log_in(kind)["access_token"])
        return known[1]

    def forget_log_ins(self) -> None:
        """Their sessions may be over."""
        self._tokens.clear()

    def has(self, kind: str) -> bool:
        """Whether there is a credential of a kind."""
        return kind in self.people or kind in self.credentials

    def log_in(self, kind: str) -> dict[str, Any]:
        """A new session of somebody."""
        body = {"email": self.people[kind], "password": self.value("password")}
        found: dict[str, Any] = self.ask("POST", "auth/login", body, key=None).body["data"]
        return found

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = "live") -> Answer:
        """A request that has to succeed."""
        more = {} if body is None else {"json": body}
        credential = None if key is None else self.bearer(key) if self.has(key) else key
        answer = self.server.ask(method, path, key=credential, **more)
        assert answer.status in (200, 201, 202), f"{method} {path}: {answer.text}"
        return answer

    def make(self, kind: str) -> str:
        """A new thing of a kind: its id."""
        self.step()
        made = self.makers[kind](self)
        self.things.setdefault(kind, []).append(made)
        return made

    def usage(self, **about: Any) -> dict[str, Any]:
        """A record of this tenant's: names, tags and counts are its own."""
        number = self.counted()
        given, written = SIZES[self.organization_id]
        names = {
            name: self.word(name.removesuffix("_id")) for name in ("project_id", "user_id", "team_id", "session_id")
        }
        return {
            "organization_id": self.organization_id,
            "provider": "openai",
            "model_id": SHARED_MODEL,
            "input_tokens": given,
            "output_tokens": written,
            "idempotency_key": self.word(f"call-{number}"),
            "response_id": self.word(f"response-{number}"),
            "tags": {"secret": self.word("tag")},
            "metadata": {"note": self.word("metadata")},
            **names,
            **about,
        }
