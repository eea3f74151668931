"""Who may do what: API keys, permissions, and the one function that decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound, Problem

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
    """Who asks. `organization_id` is None for the installation's owner (an admin key, or the CLI on the database)."""

    organization_id: str | None
    key_id: str | None
    permissions: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether every organisation is open to this principal."""
        return ADMIN in self.permissions

    def may(self, permission: str) -> bool:
        """Whether the principal holds a permission."""
        return permission in self.permissions or ADMIN in self.permissions


OWNER = Principal(None, None, frozenset({ADMIN}))
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

    def usable_at(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def principal(self) -> Principal:
        """What the key's holder is."""
        return Principal(self.organization_id, self.key_id, self.permissions)


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant."""

    organization_id: str
    name: str
    created_at: datetime


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
    if principal.is_admin and principal.organization_id is None:
        return organization_id
    if organization_id is not None and organization_id != principal.organization_id:
        raise NotFound(f"No organization {organization_id[:64]!r} for this API key")
    return principal.organization_id
