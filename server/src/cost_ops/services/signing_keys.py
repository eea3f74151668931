"""The keys that sign tokens: turned over now and then, or at once where one may be known to others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.audit import Action
from cost_ops.domain.claims import LEEWAY
from cost_ops.domain.random_text import random_identity
from cost_ops.domain.sessions import SESSION_TIME, SigningKey
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class Rotated:
    """The key that signs from now on, and how many older ones are forgotten."""

    key: SigningKey
    forgotten: int


def rotate(ctx: Context, *, end_sessions: bool = False) -> Rotated:
    """Sign with a new key. The old one still verifies until the last of its tokens is over, then it is forgotten.

    With `end_sessions` it is forgotten now: everybody who has tokens must log in again. Raises Forbidden unless the
    installation's owner asks.
    """
    authorize_owner(ctx.principal)
    now = ctx.clock()
    key = SigningKey(random_identity(ctx.random_bits, "key"), ctx.random_bits(256).to_bytes(32, "big"), now)
    over = now + timedelta(seconds=1) if end_sessions else now - SESSION_TIME - LEEWAY
    with ctx.storage.installation() as installation:
        installation.credentials.add_signing_key(key)
        forgotten = installation.credentials.forget_signing_keys(over)
        detail = {"after": {"key": key.kid}, "forgotten": forgotten, "sessions_ended": end_sessions}
        installation.audit.add(ctx.event(Action.SIGNING_KEY_ROTATED, key.kid, detail=detail))
    return Rotated(key, forgotten)
