"""Why something is allowed or refused to a key or a person: the decision with all its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cost_ops.domain.access import ADMIN, KEY_FORM, Principal, authorize, bound_to, check_whole
from cost_ops.domain.decisions import DECIDED, Asked, Decision, Step, decide
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.remedies import remedies
from cost_ops.domain.roles import Role
from cost_ops.domain.scopes import NOWHERE
from cost_ops.domain.users import normal_email
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.principals import principal_of_key, principal_of_member
from cost_ops.interfaces.storage import Installation


@dataclass(frozen=True, slots=True)
class AccessQuestion:
    """May a key, or a user (by e-mail or id), do this? Neither: whoever asks.

    `project` and `tags` are those of some usage; without `at` it is about now.
    """

    permission: str
    key: str | None = None
    user: str | None = None
    project: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainedAccess:
    """The answer. `covered`: whether the usage asked about lies inside; None where none was.

    `name` is what people know the key or the person by; `remedies` what would have to change.
    """

    question: AccessQuestion
    at: datetime
    principal: Principal
    name: str
    decision: Decision
    covered: bool | None
    remedies: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether all that was asked about is allowed."""
        return self.decision.allowed and self.covered is not False

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        if self.allowed or not self.decision.allowed:
            return self.decision.reason
        return f"{self.question.permission} holds for the usage of {self.decision.scope}, and this lies outside"


@dataclass(frozen=True, slots=True)
class _Who:
    principal: Principal
    name: str
    own_roles: tuple[Role, ...] = ()
    ended: str | None = None
    """Why the credential opens nothing at all."""


def explain(ctx: Context, organization_id: str | None, question: AccessQuestion) -> ExplainedAccess:
    """Every step from who asks to what they may. About oneself it takes no permission, about others `admin:*`.

    Raises InvalidInput, NotFound, Forbidden.
    """
    if question.permission not in DECIDED:
        message = f"{question.permission[:60]!r} is no permission; known are {', '.join(DECIDED)}"
        raise invalid("permission", "unknown_permission", message)
    if question.key is not None and question.user is not None:
        raise invalid("user", "ambiguous", "give either key or user, not both")
    at = question.at or ctx.clock()
    who = _who(ctx, organization_id, question, at)
    address = question.address or (ctx.address if question.key is question.user is None else None)
    decision = decide(who.principal, Asked(question.permission, at, address))
    if who.ended is not None:
        decision = Decision(False, who.ended, NOWHERE, (Step(who.name, "denies", who.ended),))
        return ExplainedAccess(question, at, who.principal, who.name, decision, None, ("use another credential",))
    ways = remedies(who.principal, question.permission, decision, who.own_roles)
    covered = _covered(decision, question)
    if decision.allowed and covered is not False:
        ways = []
    question = replace(question, address=address)
    return ExplainedAccess(question, at, who.principal, who.name, decision, covered, tuple(ways))


def _covered(decision: Decision, question: AccessQuestion) -> bool | None:
    if question.project is None and not question.tags:
        return None
    values = {"project": question.project, **{f"tag:{key}": value for key, value in question.tags.items()}}
    return decision.allowed and decision.scope.covers(values.get)


def _who(ctx: Context, organization_id: str | None, question: AccessQuestion, at: datetime) -> _Who:
    if question.key is None and question.user is None:
        bound_to(ctx.principal, organization_id)
        return _oneself(ctx, at)
    bound = authorize(ctx.principal, ADMIN, organization_id)
    check_whole(ctx.principal, ADMIN)
    with ctx.storage.installation() as installation:
        if question.key is not None:
            return _key(installation, bound, question.key, at)
        return _member(installation, bound, question.user or "")


def _oneself(ctx: Context, at: datetime) -> _Who:
    """Whoever asks, read anew: what they hold here may have been narrowed to this moment and address."""
    asking = ctx.principal
    with ctx.storage.installation() as installation:
        if asking.key_id is not None:
            return _key(installation, asking.organization_id, asking.key_id, at)
        if asking.user_id is not None:
            return _member(installation, asking.organization_id, asking.user_id)
    return _Who(asking, "owner")


def _key(installation: Installation, bound: str | None, text: str, at: datetime) -> _Who:
    match = KEY_FORM.match(text)
    standing = installation.credentials.key(match.group(2) if match else text.removeprefix("key_"))
    if standing is None or (bound is not None and standing.key.organization_id != bound):
        raise NotFound(f"No API key {text[:20]!r}; `cost-ops auth list-keys` shows them")
    key, ended = standing.key, None
    if key.revoked_at is not None:
        ended = "the key is revoked"
    elif not key.usable_at(at):
        ended = "the key has expired"
    return _Who(principal_of_key(standing), f"key_{key.key_id} ({key.name})", (), ended)


def _member(installation: Installation, bound: str | None, text: str) -> _Who:
    credentials = installation.credentials
    found = credentials.user_by_email(normal_email(text, "user")) if "@" in text else credentials.user(text)
    organizations = [o.organization_id for o in credentials.organizations_of(found.user_id)] if found else []
    if bound is None and len(organizations) > 1:
        message = f"{text[:80]} is a member of several organizations; name one of {', '.join(organizations)}"
        raise invalid("organization_id", "missing_required_field", message)
    wanted = bound if bound is not None else next(iter(organizations), "")
    standing = credentials.standing(found.user_id, wanted) if found else None
    if standing is None:
        raise NotFound(f"No user {text[:80]!r} here; `cost-ops users list` shows them")
    ended = "the user is disabled" if standing.user.disabled_at is not None else None
    name = f"user {standing.membership.email} (role {standing.membership.role})"
    return _Who(principal_of_member(standing), name, standing.roles, ended)
