"""Rows of people, roles, policies and sessions, as values of the domain and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.plans import Limits, Quota
from cost_ops.domain.policies import Effect, Policy
from cost_ops.domain.policy_documents import conditions_json, parse_conditions
from cost_ops.domain.roles import Role
from cost_ops.domain.sessions import Session, SessionKind, SigningKey
from cost_ops.domain.users import Membership, Project, Team, User


def stored(instant: datetime | None) -> int | None:
    """An instant that may be missing, for the database."""
    return None if instant is None else to_us(instant)


def instant(stored_us: int | None) -> datetime | None:
    """An instant that may be missing, from the database."""
    return None if stored_us is None else from_us(stored_us)


def quota_of(row: Any) -> Quota:
    """The quota of an organisation's row."""
    return Quota(row.plan, None if row.limits is None else Limits(**row.limits))


def user_of(row: Any) -> User:
    """A user's row."""
    return User(
        row.user_id,
        row.email,
        from_us(row.created_at),
        row.password_hash,
        instant(row.password_changed_at),
        instant(row.disabled_at),
    )


def user_values(user: User) -> dict[str, Any]:
    """A user for the database."""
    return {
        "user_id": user.user_id,
        "email": user.email,
        "created_at": to_us(user.created_at),
        "password_hash": user.password_hash,
        "password_changed_at": stored(user.password_changed_at),
        "disabled_at": stored(user.disabled_at),
    }


def member_of(row: Any) -> Membership:
    """A membership's row."""
    return Membership(
        row.organization_id,
        row.user_id,
        row.email,
        row.name,
        row.role,
        tuple(row.projects),
        tuple(row.teams),
        from_us(row.created_at),
        row.created_by,
        instant(row.last_login_at),
    )


def member_values(membership: Membership) -> dict[str, Any]:
    """A membership for the database."""
    return {
        "organization_id": membership.organization_id,
        "user_id": membership.user_id,
        "email": membership.email,
        "name": membership.name,
        "role": membership.role,
        "projects": list(membership.projects),
        "teams": list(membership.teams),
        "created_at": to_us(membership.created_at),
        "created_by": membership.created_by,
        "last_login_at": stored(membership.last_login_at),
    }


def role_of(row: Any) -> Role:
    """A role's row."""
    return Role(row.name, frozenset(row.permissions), row.description, row.organization_id)


def role_values(role: Role, now: datetime) -> dict[str, Any]:
    """A role for the database."""
    return {
        "name": role.name,
        "permissions": sorted(role.permissions),
        "description": role.description,
        "created_at": to_us(now),
    }


def policy_of(row: Any) -> Policy:
    """A policy's row."""
    return Policy(
        row.policy_id,
        row.name,
        Effect(row.effect),
        frozenset(row.subjects),
        frozenset(row.actions),
        parse_conditions(row.conditions),
        from_us(row.created_at),
    )


def policy_values(policy: Policy) -> dict[str, Any]:
    """A policy for the database."""
    return {
        "policy_id": policy.policy_id,
        "name": policy.name,
        "effect": str(policy.effect),
        "subjects": sorted(policy.subjects),
        "actions": sorted(policy.actions),
        "conditions": conditions_json(policy.conditions),
        "created_at": to_us(policy.created_at),
    }


def team_of(row: Any) -> Team:
    """A team's row."""
    return Team(row.team_id, row.name, from_us(row.created_at))


def team_values(team: Team) -> dict[str, Any]:
    """A team for the database."""
    return {"team_id": team.team_id, "name": team.name, "created_at": to_us(team.created_at)}


def project_of(row: Any) -> Project:
    """A project's row."""
    return Project(row.project_id, row.name, row.team_id, from_us(row.created_at), instant(row.archived_at))


def project_values(project: Project) -> dict[str, Any]:
    """A project for the database."""
    return {
        "project_id": project.project_id,
        "name": project.name,
        "team_id": project.team_id,
        "created_at": to_us(project.created_at),
        "archived_at": stored(project.archived_at),
    }


def session_of(row: Any) -> Session:
    """A session's row."""
    return Session(
        row.session_id,
        row.user_id,
        row.organization_id,
        SessionKind(row.kind),
        row.generation,
        None if row.secret_hash is None else bytes(row.secret_hash),
        from_us(row.created_at),
        from_us(row.expires_at),
        instant(row.revoked_at),
        row.address,
        row.user_agent,
    )


def session_values(session: Session) -> dict[str, Any]:
    """A session for the database."""
    return {
        "session_id": session.session_id,
        "user_id": session.user_id,
        "organization_id": session.organization_id,
        "kind": str(session.kind),
        "generation": session.generation,
        "secret_hash": session.secret_hash,
        "created_at": to_us(session.created_at),
        "expires_at": to_us(session.expires_at),
        "revoked_at": stored(session.revoked_at),
        "address": session.address,
        "user_agent": session.user_agent,
    }


def signing_key_of(row: Any) -> SigningKey:
    """A signing key's row."""
    return SigningKey(row.kid, bytes(row.secret), from_us(row.created_at), instant(row.retired_at))
