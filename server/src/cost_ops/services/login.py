"""Logging in, and who the bearer of a token or a cookie is.

A log-in makes a session; tokens and cookies only name it. So whatever ends a session ends what was made of it: every
credential is looked up when it is presented, and remembered for a few seconds at most.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from cost_ops.domain.access import Identified, Organization
from cost_ops.domain.attempts import LOGINS_FROM_ADDRESS, LOGINS_OF_ACCOUNT, account_holder, address_holder
from cost_ops.domain.audit import Action
from cost_ops.domain.claims import Claims, TokenKind, claims_of, read_claims, verifies
from cost_ops.domain.csrf import csrf_token_for
from cost_ops.domain.errors import InvalidInput, NotFound, Problem, RateLimited, Unauthorized
from cost_ops.domain.random_text import random_identity, random_secret
from cost_ops.domain.sessions import COOKIE_TIME, LONGEST, SESSION_TIME, Session, SessionKind, SigningKey
from cost_ops.domain.users import User, check_password_size, normal_email
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import LoginTools
from cost_ops.interfaces.people import Standing
from cost_ops.interfaces.principals import principal_of_member
from cost_ops.interfaces.storage import Installation

_KEPT_OVER = timedelta(days=1)
WRONG = "Wrong e-mail address or password"


@dataclass(frozen=True, slots=True)
class LoginWanted:
    """What somebody presents. Without `organization_id` they log in to the only organisation that they are in."""

    email: str
    password: str = field(repr=False)
    organization_id: str | None = None
    kind: SessionKind = SessionKind.TOKENS
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session and what it is carried by: two tokens, or a cookie's value and the token that goes beside it."""

    session: Session
    standing: Standing
    expires_at: datetime
    """When the access token, or the cookie, is over."""

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    csrf_token: str = field(default="", repr=False)


def log_in(ctx: Context, tools: LoginTools, wanted: LoginWanted) -> LoggedIn:
    """A new session. Unknown address, wrong password and disabled user are one Unauthorized, after the same work.

    Raises InvalidInput (several organisations and none named: only once the password was right), RateLimited after
    too many failures, though the password be right, and NotFound for an organisation that is not the user's.
    """
    email = normal_email(wanted.email)
    check_password_size(wanted.password)
    user = _verified(ctx, tools, email, wanted.password)
    with ctx.storage.installation() as installation:
        theirs = installation.credentials.organizations_of(user.user_id)
    organization_id = _chosen(theirs, wanted.organization_id)
    secret = random_secret(ctx.random_bits)
    session = _new_session(ctx, user, organization_id, wanted, secret)
    with ctx.storage.installation() as installation:
        credentials = installation.credentials
        standing = credentials.standing(user.user_id, organization_id)
        if standing is None or standing.user.password_changed_at != user.password_changed_at:
            raise Unauthorized(WRONG)  # taken out, or given another password, in this very moment
        credentials.forget_sessions_of(user.user_id, ctx.clock() - _KEPT_OVER)
        credentials.add_session(session)
        credentials.logged_in(user.user_id, organization_id, ctx.clock())
        acting = replace(ctx, principal=principal_of_member(standing, session.session_id))
        detail = {"session": str(session.kind)}
        installation.audit.add(
            acting.event(Action.LOGGED_IN, session.session_id, organization_id=organization_id, detail=detail)
        )
    if session.kind is SessionKind.COOKIE:
        cookie = f"{session.session_id}.{secret}"
        return LoggedIn(session, standing, session.expires_at, cookie=cookie, csrf_token=csrf_token_for(secret))
    return _with_tokens(ctx, tools, session, standing)


def _verified(ctx: Context, tools: LoginTools, email: str, password: str) -> User:
    """The user whose password this is. A failure is counted before it is known to be one: none slips through."""
    account, address = account_holder(email), address_holder(ctx.address)
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        for holder, limit in ((account, LOGINS_OF_ACCOUNT), (address, LOGINS_FROM_ADDRESS)):
            if seconds := installation.attempts.claim(holder, limit, now):
                raise _too_many(seconds)
        user = installation.credentials.user_by_email(email)
    stored = None if user is None or user.disabled_at is not None else user.password_hash
    if not tools.passwords.verify(password, stored):
        _note_failure(ctx, user)
        raise Unauthorized(WRONG)
    if user is None or stored is None:
        raise Unauthorized(WRONG)
    renewed = tools.passwords.hash(password) if tools.passwords.is_outdated(stored) else None
    with ctx.storage.installation() as installation:
        installation.attempts.clear(account, LOGINS_OF_ACCOUNT)
        installation.attempts.give_back(address, LOGINS_FROM_ADDRESS)
        if renewed is not None:
            installation.credentials.rehash_password(user.user_id, stored, renewed)
    return user


def _too_many(seconds: int) -> RateLimited:
    error = RateLimited(seconds)
    error.details["reason"] = "too many failed log-ins; a password reset by e-mail lifts it at once"
    return error


def _note_failure(ctx: Context, user: User | None) -> None:
    """Audited where it concerns: the organisation of a user who is in one, else the installation."""
    user_id = "unknown" if user is None else user.user_id
    with ctx.storage.installation() as installation:
        theirs = installation.credentials.organizations_of(user_id)
        organization_id = theirs[0].organization_id if len(theirs) == 1 else None
        event = ctx.event(Action.LOGIN_FAILED, user_id, organization_id=organization_id)
        installation.audit.add(replace(event, actor="unknown"))


def _chosen(theirs: list[Organization], named: str | None) -> str:
    ids = [organization.organization_id for organization in theirs]
    if named is not None:
        if named not in ids:
            raise NotFound(f"No organization {named[:64]!r} for this user")
        return named
    if not ids:
        raise Unauthorized(WRONG)
    if len(ids) > 1:
        message = f"organization_id is required: you are a member of {', '.join(ids)}"
        problem = InvalidInput([Problem("organization_id", "missing_required_field", message)])
        problem.details["organizations"] = ids
        raise problem
    return ids[0]


def _new_session(ctx: Context, user: User, organization_id: str, wanted: LoginWanted, secret: str) -> Session:
    now = ctx.clock()
    by_cookie = wanted.kind is SessionKind.COOKIE
    return Session(
        session_id=random_identity(ctx.random_bits, "ses"),
        user_id=user.user_id,
        organization_id=organization_id,
        kind=wanted.kind,
        generation=1,
        secret_hash=sha256(secret.encode()).digest() if by_cookie else None,
        created_at=now,
        expires_at=now + (COOKIE_TIME if by_cookie else SESSION_TIME),
        address=ctx.address,
        user_agent=wanted.user_agent,
    )


def _with_tokens(ctx: Context, tools: LoginTools, session: Session, standing: Standing) -> LoggedIn:
    now = ctx.clock()
    key = _signing_key(ctx)
    access, refresh = (
        claims_of(session, kind, now, random_identity(ctx.random_bits, "tok"))
        for kind in (TokenKind.ACCESS, TokenKind.REFRESH)
    )
    return LoggedIn(
        session,
        standing,
        read_claims(access, TokenKind.ACCESS, now).expires_at,
        access_token=tools.signer.sign(key, TokenKind.ACCESS, access),
        refresh_token=tools.signer.sign(key, TokenKind.REFRESH, refresh),
    )


def _signing_key(ctx: Context) -> SigningKey:
    """The key that signs now, made where there is none. Replicas that make one at once have two, and both verify."""
    with ctx.storage.installation() as installation:
        found = next((key for key in installation.credentials.signing_keys() if key.retired_at is None), None)
        if found is None:
            found = SigningKey(
                random_identity(ctx.random_bits, "key"), ctx.random_bits(256).to_bytes(32, "big"), ctx.clock()
            )
            installation.credentials.add_signing_key(found)
    return found


def refresh(ctx: Context, tools: LoginTools, token: str) -> LoggedIn:
    """New tokens for a refresh token, which is good once. Raises Unauthorized.

    One that was used before ends the whole session: either its owner or somebody who stole it has the newer one.
    """
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        claims = _claims(installation, tools, token, TokenKind.REFRESH, now)
        session = _session(installation, claims, SessionKind.TOKENS, now)
        standing = installation.credentials.standing(claims.user_id, claims.organization_id)
        if standing is None or standing.user.disabled_at is not None or claims.generation > session.generation:
            raise Unauthorized
        renewed = replace(
            session,
            generation=claims.generation + 1,
            expires_at=min(now + SESSION_TIME, session.created_at + LONGEST),
        )
        advanced = installation.credentials.advance_session(session.session_id, claims.generation, renewed.expires_at)
        if not advanced:
            installation.credentials.revoke_session(session.session_id, now)
            acting = replace(ctx, principal=principal_of_member(standing, session.session_id))
            installation.audit.add(
                acting.event(Action.REFRESH_REUSED, session.session_id, organization_id=session.organization_id)
            )
    if not advanced:
        raise Unauthorized
    return _with_tokens(ctx, tools, renewed, standing)


def identify_token(ctx: Context, tools: LoginTools, token: str) -> Identified:
    """Who the bearer of an access token is, as it stands now. Raises Unauthorized for every reason alike."""
    now = ctx.clock()
    tools.signer.key_of(token, TokenKind.ACCESS)  # what is no token at all costs no look into the database
    with ctx.storage.installation() as installation:
        claims = _claims(installation, tools, token, TokenKind.ACCESS, now)
        session = _session(installation, claims, SessionKind.TOKENS, now)
        return _identified(installation, session, claims.expires_at)


def identify_cookie(ctx: Context, tools: LoginTools, value: str) -> Identified:  # noqa: ARG001 (as for tokens)
    """Who the bearer of a cookie's value is, as it stands now. Raises Unauthorized for every reason alike."""
    session_id, _, secret = value.partition(".")
    if not 0 < len(session_id) <= 64 or not 0 < len(secret) <= 128 or not value.isascii():
        raise Unauthorized
    presented = sha256(secret.encode()).digest()
    with ctx.storage.installation() as installation:
        session = installation.credentials.session(session_id)
        if session is None or session.kind is not SessionKind.COOKIE or session.secret_hash is None:
            raise Unauthorized
        if not hmac.compare_digest(presented, session.secret_hash) or not session.usable_at(ctx.clock()):
            raise Unauthorized
        return _identified(installation, session, session.expires_at)


def leave(ctx: Context, tools: LoginTools, value: str) -> None:
    """End the session of a cookie that came along with a new log-in; what is no session's changes nothing."""
    try:
        principal = identify_cookie(ctx, tools, value).principal
    except Unauthorized:
        return
    with ctx.storage.installation() as installation:
        session_id, acting = principal.session_id or "", replace(ctx, principal=principal)
        installation.credentials.revoke_session(session_id, ctx.clock())
        event = acting.event(Action.LOGGED_OUT, session_id, organization_id=principal.organization_id)
        installation.audit.add(event)


def _identified(installation: Installation, session: Session, expires_at: datetime) -> Identified:
    standing = installation.credentials.standing(session.user_id, session.organization_id)
    if standing is None or standing.user.disabled_at is not None:
        raise Unauthorized
    return Identified(principal_of_member(standing, session.session_id), min(expires_at, session.expires_at))


def _claims(installation: Installation, tools: LoginTools, token: str, kind: TokenKind, now: datetime) -> Claims:
    """What a token says, where one of our keys signed it. Raises Unauthorized."""
    kid = tools.signer.key_of(token, kind)
    key = next((key for key in installation.credentials.signing_keys() if key.kid == kid), None)
    if key is None or not verifies(key, kind, now):
        raise Unauthorized
    return read_claims(tools.signer.verify(token, key, kind), kind, now)


def _session(installation: Installation, claims: Claims, kind: SessionKind, now: datetime) -> Session:
    """The session that a token names. Raises Unauthorized where it is over or another's."""
    session = installation.credentials.session(claims.session_id)
    if session is None or session.kind is not kind or not session.usable_at(now):
        raise Unauthorized
    if (session.user_id, session.organization_id) != (claims.user_id, claims.organization_id):
        raise Unauthorized
    return session
