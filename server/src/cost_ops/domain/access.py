"""Who may do what: API keys, permissions, and the one function that decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound, Problem
from cost_ops.domain.plans import DEFAULT_QUOTA, Quota
from cost_ops.domain.policies import Policy
from cost_ops.domain.scopes import EVERYTHING, Scope, of_projects

PERMISSIONS = (
    "usage:read",
    "usage:write",
    "costs:read",
    "pricing:read",
    "pricing:write",
    "budgets:read",
    "budgets:write",
    "forecast:read",
    "analytics:read",
    "export:read",
    "reports:read",
    "reports:write",
    "webhooks:read",
    "webhooks:write",
    "audit:read",
)
"""What a key of an organisation can be given; a key made without a list has all of them."""

ADMIN = "admin:*"
ORGANIZATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")
KEY_FORM = re.compile(r"sk_(live|test|admin)_([0-9a-z]{8})_([0-9A-Za-z]{20,64})\Z")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `organization_id` is None for the installation's owner (an admin key, or the CLI on the database).

    `scope` is what part of the organisation's usage this is bound to, `scopes` what policies leave of it for single
    permissions; `policies` are those that concern this principal, their conditions not looked at yet.
    """

    organization_id: str | None
    key_id: str | None
    permissions: frozenset[str]
    owner: bool = False
    """Whether the installation itself is in these hands: every organisation, and what belongs to none."""

    user_id: str | None = None
    session_id: str | None = None
    role: str | None = None
    scope: Scope = EVERYTHING
    scopes: tuple[tuple[str, Scope], ...] = ()
    policies: tuple[Policy, ...] = ()
    quota: Quota = DEFAULT_QUOTA

    def __hash__(self) -> int:
        """By who it is: what they may do is long, and principals are looked up for every request."""
        return hash((self.organization_id, self.key_id, self.user_id, self.session_id))

    def may(self, permission: str) -> bool:
        """Whether the principal holds a permission."""
        return permission in self.permissions or (self.owner and ADMIN in self.permissions)

    def scope_of(self, permission: str) -> Scope:
        """What part of the usage a permission reaches."""
        for name, scope in self.scopes:
            if name == permission:
                return scope
        return self.scope


@dataclass(frozen=True, slots=True)
class Identified:
    """Who a credential stands for, and until when; None: until it is revoked."""

    principal: Principal
    expires_at: datetime | None = None

    def usable_at(self, now: datetime) -> bool:
        """Whether it is not over yet."""
        return self.expires_at is None or now < self.expires_at


OWNER = Principal(None, None, frozenset({ADMIN}), owner=True)
"""The installation's owner: the CLI with the database in its hands."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key, without its secret. `key_id` is public; `organization_id` is None for admin keys."""

    key_id: str
    organization_id: str | None
    kind: str
    name: str
    permissions: frozenset[str]
    salt: bytes
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    projects: tuple[str, ...] = ()
    """The projects that the key is bound to; none: the whole organisation."""

    created_by: str | None = None
    replaced_by: str | None = None
    """The key that took this one's place, when it was rotated."""

    last_used_at: datetime | None = None

    def usable_at(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def principal(self) -> Principal:
        """What the key's holder is, by the key alone."""
        owner = self.organization_id is None
        return Principal(self.organization_id, self.key_id, self.permissions, owner, scope=of_projects(self.projects))


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant."""

    organization_id: str
    name: str
    created_at: datetime
    quota: Quota = DEFAULT_QUOTA


def check_permissions(names: list[str] | frozenset[str]) -> frozenset[str]:
    """The permissions as a set. Raises InvalidInput naming each unknown one."""
    problems = [
        Problem("permissions", "unknown_permission", f"{n[:60]!r} is no permission; known are {', '.join(PERMISSIONS)}")
        for n in sorted(names)
        if n not in PERMISSIONS
    ]
    if problems:
        raise InvalidInput(problems)
    return frozenset(names)


def check_organization_id(text: str, field: str = "organization_id") -> str:
    """`text` where it can name an organisation. Raises InvalidInput."""
    if not ORGANIZATION_ID.match(text):
        message = f"{field} must be 1 to 64 letters, digits, dots, dashes, colons or underscores; got {text[:80]!r}"
        raise InvalidInput([Problem(field, "invalid_value", message)])
    return text


def authorize(principal: Principal, permission: str, organization_id: str | None = None) -> str | None:
    """The organisation that the principal may act for; None only for an owner who names none.

    Raises Forbidden where the permission is lacking, NotFound for another organisation (its existence is not told).
    """
    if not principal.may(permission):
        raise Forbidden(permission)
    return bound_to(principal, organization_id)


def bound_to(principal: Principal, organization_id: str | None) -> str | None:
    """The organisation that somebody is bound to; for an owner the named one. Raises NotFound for another's."""
    if principal.owner and principal.organization_id is None:
        return organization_id
    if organization_id is not None and organization_id != principal.organization_id:
        raise NotFound(f"No organization {organization_id[:64]!r} for this API key")
    return principal.organization_id


def authorize_owner(principal: Principal) -> None:
    """Raises Forbidden unless the installation itself is in the principal's hands; an organisation's admin is not."""
    if not principal.owner:
        raise Forbidden(ADMIN, "this concerns the whole installation: it takes an admin key (sk_admin_…)")


def check_grantable(principal: Principal, permissions: Iterable[str]) -> None:
    """Raises Forbidden, naming the first, where permissions would be granted that the principal does not hold."""
    lacking = sorted(name for name in permissions if not principal.may(name))
    if lacking:
        raise Forbidden(lacking[0], "nobody grants what they do not hold")


def check_whole(principal: Principal, permission: str) -> None:
    """Raises Forbidden where the principal may see only a part of the usage: for what cannot be narrowed to it."""
    scope = principal.scope_of(permission)
    if not scope.is_everything:
        raise Forbidden(permission, f"this is about the whole organization, and this credential is bound to {scope}")


def check_scope(principal: Principal, permission: str, filters: Sequence[Filter]) -> tuple[Filter, ...]:
    """The filters of a question with those of the principal's scope beside them.

    Raises Forbidden where the question names something outside: an empty answer would look like "no cost".
    """
    scope = principal.scope_of(permission)
    if scope.is_everything:
        return tuple(filters)
    if (outside := scope.outside(filters)) is not None:
        raise Forbidden(permission, f"{outside[0]} {outside[1][:64]!r} is outside what this credential may see")
    return (*filters, *scope.filters())
