"""What would have to change for something to be allowed, in words that name the command."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.domain.access import ADMIN, Principal
from cost_ops.domain.decisions import Decision
from cost_ops.domain.roles import BUILT_IN, Role


def remedies(principal: Principal, permission: str, decision: Decision, own_roles: Sequence[Role]) -> list[str]:
    """The ways out of a refusal; empty where all of it is allowed."""
    details = dict(decision.details)
    if plan := details.get("required_plan"):
        return [f"move the organization to the plan {plan}"]
    denied = [step.what for step in decision.steps if step.what.startswith("policy ") and step.verdict == "denies"]
    found = [f"change or remove the {what}: `cost-ops policies show {what[7:]!r}`" for what in denied]
    if not decision.allowed and not denied:
        found.append(_grant(principal, permission, own_roles))
    if decision.allowed and not principal.scope.is_everything:
        found.append(_widen(principal))
    return found


def _grant(principal: Principal, permission: str, own_roles: Sequence[Role]) -> str:
    if permission == ADMIN:
        return "log in as a member with the role admin, or use an admin key (sk_admin_…)"
    if principal.key_id is not None:
        return f"grant it: `cost-ops auth update-key key_{principal.key_id} --add-permissions {permission}`"
    names = [role.name for role in (*BUILT_IN.values(), *own_roles) if permission in role.permissions]
    return f"give them a role that holds it ({', '.join(names)}), or make a policy that allows it"


def _widen(principal: Principal) -> str:
    if principal.key_id is not None:
        return f"bind the key to more projects: `cost-ops auth update-key key_{principal.key_id} --projects A,B`"
    return "bind them to more projects or teams: `cost-ops users update`"
