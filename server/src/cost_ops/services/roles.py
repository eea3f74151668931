"""Roles: the built-in ones and an organisation's own. Who has one is said where members are."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.domain.access import ADMIN, authorize, check_grantable, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.decisions import check_feature
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.plans import Quota
from cost_ops.domain.roles import BUILT_IN, Role, check_role
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger

FEATURE = "rbac"


def list_roles(ctx: Context, organization_id: str) -> list[Role]:
    """The built-in roles, then the organisation's own by name."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        return [*BUILT_IN.values(), *ledger.people.roles()]


def get_role(ctx: Context, organization_id: str, name: str) -> Role:
    """One role by name. Raises NotFound."""
    found = next((role for role in list_roles(ctx, organization_id) if role.name == name), None)
    if found is None:
        raise NotFound(f"No role {name[:64]!r}")
    return found


def add_role(ctx: Context, organization_id: str, name: str, permissions: Sequence[str], description: str = "") -> Role:
    """A role of the organisation's own.

    Raises InvalidInput, Conflict where there is one of its name, and Forbidden where the plan has no custom roles, or
    for permissions that are not held.
    """
    bound = _bound(ctx, organization_id)
    check_feature(_quota(ctx, bound), FEATURE, ADMIN)
    new = check_role(bound, name, permissions, description)
    with ctx.storage.ledger(bound) as ledger:
        if any(role.name == name for role in ledger.people.roles()):
            raise Conflict(f"there is a role {name} already")
        return _saved(ctx, ledger, None, new)


def change_role(
    ctx: Context,
    organization_id: str,
    name: str,
    *,
    permissions: Sequence[str] | None = None,
    description: str | None = None,
) -> Role:
    """A role of the organisation's own with other permissions, which its members have at once; None leaves what it is.

    Raises as `add_role`, Conflict for a built-in role, NotFound.
    """
    bound = _bound(ctx, organization_id)
    check_feature(_quota(ctx, bound), FEATURE, ADMIN)
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger, name, "changed")
        granted = sorted(old.permissions) if permissions is None else permissions
        new = check_role(bound, name, granted, old.description if description is None else description)
        return _saved(ctx, ledger, old, new)


def remove_role(ctx: Context, organization_id: str, name: str) -> None:
    """Take out a role of the organisation's own. Raises NotFound, and Conflict while a member or a policy has it."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger, name, "removed")
        if named := [policy.name for policy in ledger.people.policies() if f"role:{name}" in policy.subjects]:
            raise Conflict(f"the policy {named[0]!r} is for the role {name}; change it first")
        ledger.people.remove_role(name)
        detail = before_after(_described(old), None)
        ledger.audit.add(ctx.event(Action.ROLE_REMOVED, name, organization_id=bound, detail=detail))


def _bound(ctx: Context, organization_id: str) -> str:
    bound = authorize(ctx.principal, ADMIN, organization_id)
    check_whole(ctx.principal, ADMIN)
    return bound or organization_id


def _find(ledger: Ledger, name: str, verb: str) -> Role:
    if name in BUILT_IN:
        raise Conflict(f"{name} is a built-in role; it cannot be {verb}")
    found = next((role for role in ledger.people.roles() if role.name == name), None)
    if found is None:
        raise NotFound(f"No role {name[:64]!r}")
    return found


def _saved(ctx: Context, ledger: Ledger, old: Role | None, new: Role) -> Role:
    check_grantable(ctx.principal, new.permissions)
    if new != old:
        ledger.people.save_role(new, ctx.clock())
        detail = before_after(None if old is None else _described(old), _described(new))
        event = ctx.event(Action.ROLE_SAVED, new.name, organization_id=ledger.organization_id, detail=detail)
        ledger.audit.add(event)
    return new


def _quota(ctx: Context, bound: str) -> Quota:
    """The organisation's, whoever asks."""
    if not ctx.principal.owner:
        return ctx.principal.quota
    with ctx.storage.installation() as installation:
        found = installation.organization(bound)
    if found is None:
        raise NotFound(f"No organization {bound[:64]!r}")
    return found.quota


def _described(role: Role) -> dict[str, object]:
    return {"permissions": sorted(role.permissions), "description": role.description}
