"""Passwords: changing one's own, and links by e-mail for those who have forgotten theirs or never had one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.attempts import (
    LETTERS_FROM_ADDRESS,
    LETTERS_TO_ACCOUNT,
    LINKS_FROM_ADDRESS,
    LOGINS_OF_ACCOUNT,
    account_holder,
    address_holder,
)
from cost_ops.domain.audit import Action
from cost_ops.domain.errors import NotFound, RateLimited, Unavailable, invalid
from cost_ops.domain.letters import Letter, LetterKind, link_of
from cost_ops.domain.random_text import random_secret
from cost_ops.domain.sessions import RESET_TIME, OneTimeToken, Purpose
from cost_ops.domain.users import User, check_password, check_password_size, normal_email
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import LoginTools
from cost_ops.interfaces.storage import Installation

NO_MAIL = (
    "no mail server is configured, so no link can be sent: set [notifications] smtp_host, or ask whoever runs the "
    "installation for a link (`cost-ops auth reset-password --email …` on the database)"
)
_PURPOSES = (Purpose.RESET, Purpose.INVITE)


@dataclass(frozen=True, slots=True)
class ResetLink:
    """A link that was made: `link` is empty where it was sent by e-mail instead of being shown."""

    email: str
    expires_at: datetime
    link: str = field(default="", repr=False)


def request_reset(ctx: Context, tools: LoginTools, email: str) -> None:
    """Send a link, where there is such a user. Nothing tells whether there is: all that depends on it happens later.

    Raises InvalidInput for what is no address, Unavailable where no mail server is configured, RateLimited.
    """
    to = normal_email(email)
    mailer = tools.mailer
    if mailer is None:
        raise Unavailable(NO_MAIL, retry_after=3600)
    with ctx.storage.installation() as installation:
        seconds = installation.attempts.claim(address_holder(ctx.address), LETTERS_FROM_ADDRESS, ctx.clock())
    if seconds:
        raise RateLimited(seconds)

    def send() -> None:
        letter = _letter_for(ctx, tools, to)
        if letter is not None:
            mailer.send(letter)

    tools.post(send)


def _letter_for(ctx: Context, tools: LoginTools, email: str) -> Letter | None:
    """The letter with a new link; None where nobody has the address, or got too many letters lately."""
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        if installation.attempts.claim(account_holder(email), LETTERS_TO_ACCOUNT, now):
            return None
        user = installation.credentials.user_by_email(email)
        if user is None or user.disabled_at is not None:
            return None
        secret = _new_token(installation, ctx, user)
        _audit(installation, ctx, Action.RESET_REQUESTED, user, "unknown")
    return Letter(LetterKind.RESET, email, tools.public_url, secret, RESET_TIME)


def reset_for(ctx: Context, tools: LoginTools, email: str) -> ResetLink:
    """A link for somebody else, by the installation's owner: sent, or given back where no mail server is configured.

    Raises NotFound where nobody has the address, Forbidden for others than the owner, Unavailable.
    """
    authorize_owner(ctx.principal)
    to = normal_email(email)
    with ctx.storage.installation() as installation:
        user = installation.credentials.user_by_email(to)
        if user is None:
            raise NotFound(f"Nobody has the address {to}; `cost-ops users list` shows the members of an organisation")
        secret = _new_token(installation, ctx, user)
        _audit(installation, ctx, Action.RESET_REQUESTED, user)
    expires_at = ctx.clock() + RESET_TIME
    if tools.mailer is None:
        return ResetLink(to, expires_at, link_of(tools.public_url, secret))
    tools.mailer.send(Letter(LetterKind.RESET, to, tools.public_url, secret, RESET_TIME))
    return ResetLink(to, expires_at)


def confirm(ctx: Context, tools: LoginTools, token: str, password: str) -> User:
    """Set the password of whoever got a link. It is good once; all sessions of theirs end.

    Raises InvalidInput for a link that is not good, and for a password that cannot be set: then the link stays good.
    """
    now, hashed = ctx.clock(), sha256(token.encode("utf-8", "surrogatepass")).digest()
    check_password_size(password)
    with ctx.storage.installation() as installation:
        if seconds := installation.attempts.claim(address_holder(ctx.address), LINKS_FROM_ADDRESS, now):
            raise RateLimited(seconds)
        sent = installation.credentials.one_time_token(hashed, _PURPOSES, now)
        user = None if sent is None else installation.credentials.user(sent.user_id)
    if user is None or user.disabled_at is not None:
        raise _bad_link()
    check_password(password, about=_words_about(user))
    stored = tools.passwords.hash(password)
    with ctx.storage.installation() as installation:
        if installation.credentials.take_one_time_token(hashed, _PURPOSES, now) is None:
            raise _bad_link()
        _set_password(installation, ctx, user, stored, but=None)
        _audit(installation, ctx, Action.PASSWORD_CHANGED, user, f"user:{user.user_id}")
        installation.attempts.clear(account_holder(user.email), LOGINS_OF_ACCOUNT)
        installation.attempts.give_back(address_holder(ctx.address), LINKS_FROM_ADDRESS)
    _tell(tools, user)
    return user


def change(ctx: Context, tools: LoginTools, current: str, password: str) -> None:
    """Change one's own password, for which it takes the current one. All other sessions end.

    Raises InvalidInput for a wrong current password (counted as failed log-ins are), RateLimited, NotFound for a key.
    """
    check_password_size(current, "current_password")
    check_password_size(password)
    user_id = ctx.principal.user_id
    if user_id is None:
        raise invalid("", "no_user", "an API key has no password; log in as a person")
    with ctx.storage.installation() as installation:
        user = installation.credentials.user(user_id)
        if user is None:
            raise NotFound("No such user")
        if seconds := installation.attempts.claim(account_holder(user.email), LOGINS_OF_ACCOUNT, ctx.clock()):
            raise RateLimited(seconds)
    if not tools.passwords.verify(current, user.password_hash):
        raise invalid("current_password", "wrong", "current_password is not your password")
    check_password(password, about=_words_about(user))
    stored = tools.passwords.hash(password)
    with ctx.storage.installation() as installation:
        _set_password(installation, ctx, user, stored, but=ctx.principal.session_id)
        _audit(installation, ctx, Action.PASSWORD_CHANGED, user)
        installation.attempts.clear(account_holder(user.email), LOGINS_OF_ACCOUNT)
    _tell(tools, user)


def _new_token(installation: Installation, ctx: Context, user: User) -> str:
    """A new link's secret, stored as its hash; earlier ones are no good any more."""
    secret, now = random_secret(ctx.random_bits), ctx.clock()
    hashed = sha256(secret.encode()).digest()
    installation.credentials.add_one_time_token(
        OneTimeToken(hashed, user.user_id, Purpose.RESET, now, now + RESET_TIME)
    )
    return secret


def _set_password(installation: Installation, ctx: Context, user: User, stored: str, *, but: str | None) -> None:
    credentials = installation.credentials
    credentials.set_password(user.user_id, stored, ctx.clock())
    credentials.forget_one_time_tokens(user.user_id)
    credentials.revoke_sessions_of(user.user_id, ctx.clock(), but=but)


def _audit(installation: Installation, ctx: Context, action: Action, user: User, actor: str | None = None) -> None:
    """In the trail of every organisation that the user is in: the account is all of theirs."""
    theirs = installation.credentials.organizations_of(user.user_id)
    chains: list[str | None] = [organization.organization_id for organization in theirs]
    for organization_id in chains or [None]:
        event = ctx.event(action, user.user_id, organization_id=organization_id)
        installation.audit.add(event if actor is None else replace(event, actor=actor))


def _tell(tools: LoginTools, user: User) -> None:
    """Let the owner of the address know; whoever was not at it finds out."""
    mailer = tools.mailer
    if mailer is not None:
        letter = Letter(LetterKind.PASSWORD_CHANGED, user.email, tools.public_url)
        tools.post(lambda: mailer.send(letter))


def _bad_link() -> Exception:
    return invalid("token", "not_good", "this link was used before, is over, or never was; ask for a new one")


def _words_about(user: User) -> tuple[str, ...]:
    name, _, domain = user.email.partition("@")
    return user.email, name, domain.partition(".")[0]
