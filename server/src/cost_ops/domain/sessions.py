"""Sessions: someone who logged in, and until when. Tokens and cookies are only names for a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ACCESS_TOKEN_TIME = timedelta(minutes=15)
SESSION_TIME = timedelta(days=30)
"""How long a session with refresh tokens lives unless it is used; each refresh moves the end, up to `LONGEST`."""

COOKIE_TIME = timedelta(hours=12)
LONGEST = timedelta(days=90)
RESET_TIME = timedelta(minutes=30)
INVITE_TIME = timedelta(days=7)


class SessionKind(StrEnum):
    """How a session is carried."""

    TOKENS = "tokens"
    COOKIE = "cookie"


class Purpose(StrEnum):
    """What a link that was sent by e-mail is for."""

    RESET = "reset_password"
    INVITE = "invite"


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in to one organisation. `generation` counts its refresh tokens; only the newest is good.

    `secret_hash` is the SHA-256 of a cookie's secret; None for tokens, which are signed instead.
    """

    session_id: str
    user_id: str
    organization_id: str
    kind: SessionKind
    generation: int
    secret_hash: bytes | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    address: str | None = None
    user_agent: str | None = None

    def usable_at(self, now: datetime) -> bool:
        """Whether it is neither revoked nor over."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs tokens: its public name (`kid`) and its secret. A retired one still verifies for a while."""

    kid: str
    secret: bytes
    created_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OneTimeToken:
    """A secret that was sent to someone, good once and for a short time; stored as its SHA-256."""

    token_hash: bytes
    user_id: str
    purpose: Purpose
    created_at: datetime
    expires_at: datetime
