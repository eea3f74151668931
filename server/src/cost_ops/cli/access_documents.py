"""Keys, roles, policies, projects and teams as documents in the shapes of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cost_ops.cli.access_backend import Document
from cost_ops.cli.documents import instant
from cost_ops.domain.periods import format_instant
from cost_ops.domain.policy_documents import policy_json

if TYPE_CHECKING:
    from cost_ops.domain.policies import Policy
    from cost_ops.domain.roles import Role
    from cost_ops.domain.scopes import Scope, Values
    from cost_ops.services.explain_access import ExplainedAccess
    from cost_ops.services.projects import KnownProject, KnownTeam


def role_document(role: Role) -> Document:
    """A role."""
    return {
        "name": role.name,
        "description": role.description,
        "permissions": sorted(role.permissions),
        "built_in": role.built_in,
    }


def policy_document(policy: Policy) -> Document:
    """A policy."""
    created_at = format_instant(policy.created_at)
    return {"policy_id": policy.policy_id, **policy_json(policy), "created_at": created_at}


def project_document(known: KnownProject) -> Document:
    """A project."""
    found = known.declared
    return {
        "project_id": known.project_id,
        "name": known.project_id if found is None else found.name,
        "team_id": None if found is None else found.team_id,
        "declared": found is not None,
        "used": known.used,
        "archived": known.archived,
        "created_at": None if found is None else format_instant(found.created_at),
        "archived_at": None if found is None else instant(found.archived_at),
    }


def team_document(known: KnownTeam) -> Document:
    """A team."""
    team = known.team
    return {
        "team_id": team.team_id,
        "name": team.name,
        "projects": list(known.projects),
        "members": known.members,
        "created_at": format_instant(team.created_at),
    }


def explained_document(found: ExplainedAccess) -> Document:
    """Why something is allowed or refused."""
    who, question, decision = found.principal, found.question, found.decision
    asked = {f"tag:{key}": value for key, value in question.tags.items()}
    if question.project is not None:
        asked["project"] = question.project
    return {
        "permission": question.permission,
        "allowed": found.allowed,
        "reason": found.reason,
        "who": {
            "name": found.name,
            "organization_id": who.organization_id,
            "key_id": who.key_id,
            "user_id": who.user_id,
            "role": who.role,
            "plan": who.quota.plan,
            "owner": who.owner,
        },
        "at": format_instant(found.at),
        "address": question.address,
        "usage": _scope(decision.scope),
        "asked": asked,
        "covered": found.covered,
        "steps": [step.to_json() for step in decision.steps],
        "to_change": list(found.remedies),
    }


def _scope(scope: Scope) -> Document:
    return {
        "everything": scope.is_everything,
        "only": _listed(scope.only),
        "never": _listed(scope.never),
        "text": str(scope),
    }


def _listed(values: Values) -> Document:
    return {dimension: sorted(found) for dimension, found in values}
