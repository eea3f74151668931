"""Who asks, from what is stored of a key or a member: what they hold, what binds them, which policies concern them."""

from __future__ import annotations

from collections.abc import Iterable

from cost_ops.domain.access import Principal
from cost_ops.domain.policies import Policy
from cost_ops.domain.roles import BUILT_IN
from cost_ops.domain.scopes import EVERYTHING, Scope
from cost_ops.interfaces.people import KeyStanding, Standing


def principal_of_key(standing: KeyStanding) -> Principal:
    """Whoever presents a key. Policies for `*` and `key:ID` concern them."""
    key = standing.key
    return Principal(
        organization_id=key.organization_id,
        key_id=key.key_id,
        permissions=key.permissions,
        owner=key.organization_id is None,
        scope=key.principal.scope,
        policies=concerning(standing.policies, {f"key:{key.key_id}"}),
        quota=standing.quota,
    )


def principal_of_member(standing: Standing, session_id: str | None = None) -> Principal:
    """A member of an organisation. Policies for `*`, `user:ID` and `role:NAME` concern them.

    A role that does not exist grants nothing. A member bound to projects or teams sees those projects and those of
    the teams, and nothing where there are none.
    """
    member = standing.membership
    own = {role.name: role for role in standing.roles}
    role = BUILT_IN.get(member.role) or own.get(member.role)
    return Principal(
        organization_id=member.organization_id,
        key_id=None,
        permissions=frozenset() if role is None else role.permissions,
        user_id=member.user_id,
        session_id=session_id,
        role=member.role,
        scope=_scope(standing),
        policies=concerning(standing.policies, {f"user:{member.user_id}", f"role:{member.role}"}),
        quota=standing.quota,
    )


def concerning(policies: Iterable[Policy], subjects: set[str]) -> tuple[Policy, ...]:
    """The policies with one of the subjects, or with `*`."""
    return tuple(policy for policy in policies if policy.subjects & (subjects | {"*"}))


def _scope(standing: Standing) -> Scope:
    member = standing.membership
    if not member.projects and not member.teams:
        return EVERYTHING
    of_teams = {project.project_id for project in standing.projects if project.team_id in member.teams}
    return Scope((("project", frozenset(member.projects) | of_teams),))
