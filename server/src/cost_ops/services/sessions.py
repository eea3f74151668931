"""Log-ins that are going on: who one is, which sessions one has, and ending them."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import Principal
from cost_ops.domain.audit import Action
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.sessions import Session
from cost_ops.domain.users import Membership
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Whoever asks: what they may do, and as a person what they are in their organisation."""

    principal: Principal
    member: Membership | None = None
    session: Session | None = None
    key_name: str | None = None


def who_am_i(ctx: Context) -> WhoAmI:
    """Who asks."""
    principal = ctx.principal
    with ctx.storage.installation() as installation:
        if principal.key_id is not None:
            key = installation.api_keys.get(principal.key_id)
            return WhoAmI(principal, key_name=None if key is None else key.name)
        if principal.user_id is None or principal.organization_id is None or principal.session_id is None:
            return WhoAmI(principal)
        standing = installation.credentials.standing(principal.user_id, principal.organization_id)
        session = installation.credentials.session(principal.session_id)
    return WhoAmI(principal, None if standing is None else standing.membership, session)


def log_out(ctx: Context) -> None:
    """End the session that asks: its tokens or its cookie are no good any more. Raises InvalidInput for a key."""
    principal = ctx.principal
    if principal.session_id is None:
        raise invalid("", "no_session", "an API key has no session to end; revoke it with `cost-ops auth revoke-key`")
    with ctx.storage.installation() as installation:
        installation.credentials.revoke_session(principal.session_id, ctx.clock())
        event = ctx.event(Action.LOGGED_OUT, principal.session_id, organization_id=principal.organization_id)
        installation.audit.add(event)


def my_sessions(ctx: Context) -> list[Session]:
    """The sessions of whoever asks that are not over, newest first; of all their organisations."""
    if ctx.principal.user_id is None:
        return []
    with ctx.storage.installation() as installation:
        found = installation.credentials.sessions_of(ctx.principal.user_id)
    return [session for session in found if session.usable_at(ctx.clock())]


def end_session(ctx: Context, session_id: str) -> None:
    """End one of one's own sessions. Raises NotFound for anything else."""
    with ctx.storage.installation() as installation:
        session = installation.credentials.session(session_id)
        if session is None or ctx.principal.user_id is None or session.user_id != ctx.principal.user_id:
            raise NotFound(f"No session {session_id[:64]!r}")
        if session.revoked_at is None:
            installation.credentials.revoke_session(session_id, ctx.clock())
            event = ctx.event(Action.SESSION_REVOKED, session_id, organization_id=session.organization_id)
            installation.audit.add(event)
