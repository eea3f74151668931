"""Roles: named sets of permissions. The built-in ones are the same everywhere, an organisation may add its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cost_ops.domain.access import ADMIN, PERMISSIONS, check_permissions
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.text import text_fault

ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")

_READER = (
    "usage:read",
    "costs:read",
    "pricing:read",
    "budgets:read",
    "forecast:read",
    "analytics:read",
    "reports:read",
)


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions; `organization_id` is None for a built-in one."""

    name: str
    permissions: frozenset[str]
    description: str = ""
    organization_id: str | None = None

    @property
    def built_in(self) -> bool:
        """Whether it is the same in every organisation, and cannot be changed."""
        return self.organization_id is None


BUILT_IN = {
    role.name: role
    for role in (
        Role("viewer", frozenset(_READER), "sees usage, costs, prices, budgets and reports"),
        Role(
            "analyst",
            frozenset({*_READER, "export:read", "reports:write"}),
            "sees everything a viewer sees, exports it and makes reports",
        ),
        Role(
            "engineer",
            frozenset({*_READER, "usage:write", "export:read", "webhooks:read", "webhooks:write"}),
            "records usage, exports, and keeps webhooks",
        ),
        Role(
            "billing_admin",
            frozenset(
                {
                    *_READER,
                    "pricing:write",
                    "budgets:write",
                    "export:read",
                    "reports:write",
                    "audit:read",
                }
            ),
            "answers for prices, budgets and reports, and reads the audit trail",
        ),
        Role("admin", frozenset({*PERMISSIONS, ADMIN}), "everything, people and keys included"),
    )
}
"""Name → role."""


def check_role(organization_id: str, name: str, permissions: Sequence[str], description: str = "") -> Role:
    """A role of an organisation's own. Raises InvalidInput for a built-in name and for permissions it cannot hold."""
    problems = []
    if name in BUILT_IN:
        problems.append(Problem("name", "reserved", f"{name} is a built-in role; choose another name"))
    elif not ROLE_NAME.match(name):
        message = "name must be 1 to 64 lower-case letters, digits, dashes or underscores, and begin with a letter"
        problems.append(Problem("name", "invalid_value", message))
    if fault := text_fault(description):
        problems.append(Problem("description", fault[0], f"description {fault[1]}"))
    if ADMIN in permissions:
        problems.append(Problem("permissions", "not_grantable", f"{ADMIN} comes with the role admin only"))
    if problems:
        raise InvalidInput(problems)
    return Role(name, check_permissions(list(permissions)), description, organization_id)


def find_role(name: str, own: Sequence[Role]) -> Role:
    """A role by name: built in, or one of the organisation's own. Raises InvalidInput naming those that exist."""
    found = BUILT_IN.get(name) or next((role for role in own if role.name == name), None)
    if found is None:
        known = ", ".join([*BUILT_IN, *sorted(role.name for role in own)])
        raise invalid("role", "unknown_role", f"{name[:60]!r} is no role here; known are {known}")
    return found
