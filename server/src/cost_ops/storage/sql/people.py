"""Members, roles, policies, projects and teams of an organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.periods import to_us
from cost_ops.domain.policies import Policy
from cost_ops.domain.roles import Role
from cost_ops.domain.users import Membership, Project, Team
from cost_ops.storage.access_tables import memberships, policies, projects, roles, sessions, teams
from cost_ops.storage.sql.access_rows import (
    member_of,
    member_values,
    policy_of,
    policy_values,
    project_of,
    project_values,
    role_of,
    role_values,
    team_of,
    team_values,
)
from cost_ops.storage.sql.dialects import upsert
from cost_ops.storage.transaction import Transaction

m = memberships.c


class StoredPeople:
    """Everything here belongs to the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def _rows(self, table: Any, order: Any) -> Any:
        mine = table.c.organization_id == self._organization_id
        return self._tx.rows(select(table).where(mine).order_by(order))

    def _save(self, table: Any, values: dict[str, Any]) -> None:
        self._tx.write(upsert(self._tx, table), {"organization_id": self._organization_id, **values})

    def _remove(self, table: Any, column: Any, identity: str, noun: str) -> None:
        mine = table.c.organization_id == self._organization_id
        if self._tx.write(delete(table).where(mine, column == identity)).rowcount == 0:
            raise NotFound(f"No {noun} {identity[:64]!r}")

    def _mine(self, user_id: str) -> Any:
        return (m.organization_id == self._organization_id) & (m.user_id == user_id)

    def member(self, user_id: str) -> Membership | None:
        """One member."""
        found = self._tx.rows(select(memberships).where(self._mine(user_id)))
        return member_of(found[0]) if found else None

    def members(self) -> list[Membership]:
        """All members by e-mail address."""
        return [member_of(row) for row in self._rows(memberships, m.email)]

    def add_member(self, membership: Membership) -> None:
        """Store a new member. Raises Conflict where they are one."""
        if self.member(membership.user_id) is not None:
            raise Conflict(f"{membership.email} is a member already")
        values = {**member_values(membership), "organization_id": self._organization_id}
        self._tx.write(insert(memberships).values(values))

    def update_member(self, membership: Membership) -> None:
        """Replace name, role, projects and teams of a member. Raises NotFound."""
        values = member_values(membership)
        new = {name: values[name] for name in ("name", "role", "projects", "teams")}
        done = self._tx.write(update(memberships).where(self._mine(membership.user_id)).values(new))
        if done.rowcount == 0:
            raise NotFound(f"No user {membership.user_id[:64]!r}")

    def hold_admins(self) -> list[str]:
        """The ids of members with the role admin and the whole organisation, who stay so until this work is done."""
        self._tx.begin_write()
        admins = select(memberships).where(m.organization_id == self._organization_id, m.role == "admin")
        found = map(member_of, self._tx.rows(admins.order_by(m.user_id).with_for_update()))
        return [one.user_id for one in found if not one.projects and not one.teams]

    def remove_member(self, user_id: str, now: datetime) -> None:
        """Take a member out and end their sessions here. Raises NotFound."""
        self._remove(memberships, m.user_id, user_id, "user")
        s = sessions.c
        theirs = (s.user_id == user_id) & (s.organization_id == self._organization_id) & s.revoked_at.is_(None)
        self._tx.write(update(sessions).where(theirs).values(revoked_at=to_us(now)))

    def roles(self) -> list[Role]:
        """The organisation's own roles by name."""
        return [role_of(row) for row in self._rows(roles, roles.c.name)]

    def save_role(self, role: Role, now: datetime) -> None:
        """Store a role, or put it in place of the one with its name."""
        self._save(roles, role_values(role, now))

    def remove_role(self, name: str) -> None:
        """Take a role out. Raises NotFound, and Conflict where a member has it."""
        having = self._count(memberships, m.role == name)
        if having:
            raise Conflict(f"{having} members have the role {name}; give them another first")
        self._remove(roles, roles.c.name, name, "role")

    def policies(self) -> list[Policy]:
        """The organisation's policies by name."""
        return [policy_of(row) for row in self._rows(policies, policies.c.name)]

    def save_policy(self, policy: Policy) -> None:
        """Store a policy, or put it in place of the one with its id."""
        self._save(policies, policy_values(policy))

    def remove_policy(self, policy_id: str) -> None:
        """Take a policy out. Raises NotFound."""
        self._remove(policies, policies.c.policy_id, policy_id, "policy")

    def teams(self) -> list[Team]:
        """The organisation's teams by id."""
        return [team_of(row) for row in self._rows(teams, teams.c.team_id)]

    def save_team(self, team: Team) -> None:
        """Store a team, or put it in place of the one with its id."""
        self._save(teams, team_values(team))

    def remove_team(self, team_id: str) -> None:
        """Take a team out. Raises NotFound, and Conflict where a member or a project belongs to it."""
        if self._count(projects, projects.c.team_id == team_id) or any(team_id in one.teams for one in self.members()):
            raise Conflict(f"Members or projects belong to the team {team_id}; move them first")
        self._remove(teams, teams.c.team_id, team_id, "team")

    def projects(self) -> list[Project]:
        """The declared projects by id."""
        return [project_of(row) for row in self._rows(projects, projects.c.project_id)]

    def save_project(self, project: Project) -> None:
        """Store a project, or put it in place of the one with its id."""
        self._save(projects, project_values(project))

    def _count(self, table: Any, condition: Any) -> int:
        mine = table.c.organization_id == self._organization_id
        return int(self._tx.rows(select(func.count()).select_from(table).where(mine, condition))[0][0])
