"""What tokens say: the claims of RFC 7519, written and read. Signing them is somebody else's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cost_ops.domain.errors import Unauthorized
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.sessions import ACCESS_TOKEN_TIME, SESSION_TIME, Session, SigningKey

ISSUER = "cost-ops"
LEEWAY = timedelta(seconds=5)
"""How far the clock of another replica may be ahead when it signs. An expired token gets none."""

MAX_TOKEN = 2_048
_SECOND_US = 1_000_000
_MAX_SECONDS = 2**33


class TokenKind(StrEnum):
    """What a token is for: the `typ` of its header. Each kind has an audience of its own, too."""

    ACCESS = "at+jwt"
    REFRESH = "rt+jwt"

    @property
    def audience(self) -> str:
        """The `aud` that goes with it."""
        return "cost-ops-api" if self is TokenKind.ACCESS else "cost-ops-refresh"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. `generation` is that of a refresh token, 0 for an access token."""

    user_id: str
    organization_id: str
    session_id: str
    generation: int
    expires_at: datetime


def claims_of(session: Session, kind: TokenKind, now: datetime, token_id: str) -> dict[str, Any]:
    """The claims of a session's new token; an access token never outlives its session."""
    end = session.expires_at if kind is TokenKind.REFRESH else min(now + ACCESS_TOKEN_TIME, session.expires_at)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": kind.audience,
        "sub": session.user_id,
        "org": session.organization_id,
        "sid": session.session_id,
        "iat": _seconds(now),
        "nbf": _seconds(now),
        "exp": _seconds(end),
        "jti": token_id,
    }
    return claims if kind is TokenKind.ACCESS else {**claims, "gen": session.generation}


def read_claims(claims: Mapping[str, Any], kind: TokenKind, now: datetime) -> Claims:
    """The claims of a token whose signature is good. Raises Unauthorized for anything missing, foreign or untimely."""
    texts = [claims.get(name) for name in ("sub", "org", "sid", "jti")]
    instants = [claims.get(name) for name in ("iat", "nbf", "exp")]
    generation = claims.get("gen", 0) if kind is TokenKind.REFRESH else 0
    if claims.get("iss") != ISSUER or claims.get("aud") != kind.audience:
        raise Unauthorized
    if not all(isinstance(text, str) and 0 < len(text) <= 128 for text in texts):
        raise Unauthorized
    if not all(_is_count(number) for number in (*instants, generation)):
        raise Unauthorized
    issued, not_before, expires = (from_us(number * _SECOND_US) for number in instants if number is not None)
    if not (issued <= now + LEEWAY and not_before <= now + LEEWAY and now < expires):
        raise Unauthorized
    user_id, organization_id, session_id, _ = map(str, texts)
    return Claims(user_id, organization_id, session_id, generation, expires)


def verifies(key: SigningKey, kind: TokenKind, now: datetime) -> bool:
    """Whether tokens of a kind that the key signed can still be good: a retired one outlives its last token."""
    longest = ACCESS_TOKEN_TIME if kind is TokenKind.ACCESS else SESSION_TIME
    return key.retired_at is None or now < key.retired_at + longest + LEEWAY


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_SECONDS


def _seconds(instant: datetime) -> int:
    return to_us(instant) // _SECOND_US
