"""Log-ins, sessions and passwords in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from cost_ops.domain.sessions import Session
from cost_ops.domain.users import MAX_PASSWORD_BYTES, MIN_PASSWORD
from cost_ops.interfaces.context import Context
from cost_ops.services.login import LoggedIn
from cost_ops.services.sessions import WhoAmI

_SCOPE_NOTE = "what it is bound to: dimension to values; null: the whole organisation"


class UserView(Struct):
    """A person, as their organisation knows them."""

    user_id: str
    email: str
    name: str
    role: str


class LoginView(Struct):
    """A session. With `cookie` its cookie is in `Set-Cookie`, and there are no tokens."""

    session_id: str
    organization_id: str
    user: UserView
    expires_at: Annotated[datetime, Meta(description="when the access token, or the cookie, is over")]
    session_expires_at: datetime
    access_token: Annotated[str, Meta(description="give it as `Authorization: Bearer …`")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    refresh_token: Annotated[str, Meta(description="good once, for new tokens")] | msgspec.UnsetType = msgspec.UNSET
    token_type: Literal["Bearer"] | msgspec.UnsetType = msgspec.UNSET
    csrf_token: (
        Annotated[str, Meta(description="goes into X-CSRF-Token of each request that changes something")]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class LoginOne(Struct):
    """A log-in."""

    data: LoginView


class SessionView(Struct):
    """A log-in that goes on."""

    session_id: str
    organization_id: str
    kind: Annotated[str, Meta(description="tokens or cookie")]
    created_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None
    current: Annotated[bool, Meta(description="whether it is the one that asks")]


class SessionList(Struct):
    """One's own sessions, newest first."""

    data: list[SessionView]


class WhoView(Struct):
    """Whoever asks. A person has `user` and `session`, a key has `key_id`; the installation's owner no organisation."""

    kind: Annotated[str, Meta(description="user, key or owner")]
    organization_id: str | None
    permissions: list[str]
    scope: Annotated[dict[str, list[str]] | None, Meta(description=_SCOPE_NOTE)]
    plan: str
    user: UserView | None
    session: SessionView | None
    key_id: str | None
    key_name: str | None


class WhoOne(Struct):
    """Who asks."""

    data: WhoView


class Done(Struct):
    """It was done, or will be."""

    status: str
    message: str


class DoneOne(Struct):
    """A confirmation."""

    data: Done


class SigningKeyView(Struct):
    """The key that signs tokens from now on, by its public name."""

    kid: str
    created_at: datetime
    forgotten: Annotated[int, Meta(description="older keys whose tokens are good no more")]


class SigningKeyOne(Struct):
    """A signing key."""

    data: SigningKeyView


def login_view(entered: LoggedIn) -> LoginView:
    """A log-in in JSON."""
    member, session = entered.standing.membership, entered.session
    return LoginView(
        session_id=session.session_id,
        organization_id=session.organization_id,
        user=UserView(member.user_id, member.email, member.name, member.role),
        expires_at=entered.expires_at,
        session_expires_at=session.expires_at,
        access_token=entered.access_token or msgspec.UNSET,
        refresh_token=entered.refresh_token or msgspec.UNSET,
        token_type="Bearer" if entered.access_token else msgspec.UNSET,
        csrf_token=entered.csrf_token or msgspec.UNSET,
    )


def session_view(session: Session, ctx: Context) -> SessionView:
    """A session in JSON."""
    return SessionView(
        session.session_id,
        session.organization_id,
        str(session.kind),
        session.created_at,
        session.expires_at,
        session.address,
        session.user_agent,
        session.session_id == ctx.principal.session_id,
    )


def who_view(who: WhoAmI, ctx: Context) -> WhoView:
    """Who asks, in JSON."""
    principal, member = who.principal, who.member
    scope = {dimension: sorted(values) for dimension, values in principal.scope.only}
    return WhoView(
        kind="owner" if principal.owner else "user" if principal.user_id else "key",
        organization_id=principal.organization_id,
        permissions=sorted(principal.permissions),
        scope=None if principal.scope.is_everything else scope,
        plan=principal.quota.plan,
        user=None if member is None else UserView(member.user_id, member.email, member.name, member.role),
        session=None if who.session is None else session_view(who.session, ctx),
        key_id=principal.key_id,
        key_name=who.key_name,
    )


_EMAIL: Mapping[str, Any] = {"type": "string", "format": "email", "maxLength": 254, "examples": ["ana@example.com"]}
_OLD: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_PASSWORD_BYTES, "format": "password"}
_NEW: Mapping[str, Any] = {**_OLD, "minLength": MIN_PASSWORD, "description": "at most 1,024 bytes, any characters"}
_TOKEN: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 2048}


def _object(required: tuple[str, ...], **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": properties,
    }


LOGIN = _object(
    ("email", "password"),
    email=_EMAIL,
    password=_OLD,
    organization_id={
        "type": ["string", "null"],
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
        "description": "which of yours; may be left out where there is only one",
    },
    cookie={"type": ["boolean", "null"], "default": False, "description": "for a web page: a cookie instead of tokens"},
)
REFRESH = _object(("refresh_token",), refresh_token=_TOKEN)
CHANGED_PASSWORD = _object(("current_password", "password"), current_password=_OLD, password=_NEW)
RESET = _object(("email",), email=_EMAIL)
CONFIRMED = _object(("token", "password"), token=_TOKEN, password=_NEW)
ROTATED = _object(
    (), end_sessions={"type": ["boolean", "null"], "default": False, "description": "nobody's tokens stay good"}
)
