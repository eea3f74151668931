"""Roles, policies, projects and teams in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.access import PERMISSIONS
from cost_ops.domain.policies import Policy
from cost_ops.domain.policy_documents import known_actions, policy_json
from cost_ops.domain.roles import Role
from cost_ops.services.projects import KnownProject, KnownTeam


class RoleView(Struct):
    """A named set of permissions; a built-in one is the same everywhere and cannot be changed."""

    name: str
    description: str
    permissions: list[str]
    built_in: bool


class RoleOne(Struct):
    """One role."""

    data: RoleView


class RolePage(Struct):
    """A page of roles, the built-in ones first."""

    data: list[RoleView]
    pagination: Pagination


class PolicyView(Struct):
    """A rule beside roles: whom it concerns, what it allows or denies, and when it holds."""

    policy_id: str
    id: str
    name: str
    effect: str
    subjects: list[str]
    actions: list[str]
    conditions: dict[str, Any]
    created_at: datetime


class PolicyOne(Struct):
    """One policy."""

    data: PolicyView


class PolicyPage(Struct):
    """A page of policies, by name."""

    data: list[PolicyView]
    pagination: Pagination


class ProjectView(Struct):
    """A project: declared, or only named by usage (then `created_at` is null)."""

    project_id: str
    id: str
    name: str
    team_id: str | None
    declared: bool
    used: Annotated[bool, Meta(description="whether usage names it")]
    archived: bool
    created_at: datetime | None
    archived_at: datetime | None


class ProjectOne(Struct):
    """One project."""

    data: ProjectView


class ProjectPage(Struct):
    """A page of projects, by id."""

    data: list[ProjectView]
    pagination: Pagination


class TeamView(Struct):
    """A team: a group of people, to whom projects can belong."""

    team_id: str
    id: str
    name: str
    projects: list[str]
    members: int
    created_at: datetime


class TeamOne(Struct):
    """One team."""

    data: TeamView


class TeamPage(Struct):
    """A page of teams, by id."""

    data: list[TeamView]
    pagination: Pagination


class Removed(Struct):
    """What was taken out."""

    id: str
    removed: bool = True


class RemovedOne(Struct):
    """The answer to a removal."""

    data: Removed


def role_view(role: Role) -> RoleView:
    """A role in JSON."""
    return RoleView(role.name, role.description, sorted(role.permissions), role.built_in)


def policy_view(policy: Policy) -> PolicyView:
    """A policy in JSON."""
    return PolicyView(policy.policy_id, policy.policy_id, created_at=policy.created_at, **policy_json(policy))


def project_view(known: KnownProject) -> ProjectView:
    """A project in JSON."""
    found = known.declared
    return ProjectView(
        project_id=known.project_id,
        id=known.project_id,
        name=known.project_id if found is None else found.name,
        team_id=None if found is None else found.team_id,
        declared=found is not None,
        used=known.used,
        archived=known.archived,
        created_at=None if found is None else found.created_at,
        archived_at=None if found is None else found.archived_at,
    )


def team_view(known: KnownTeam) -> TeamView:
    """A team in JSON."""
    team = known.team
    return TeamView(team.team_id, team.team_id, team.name, list(known.projects), known.members, team.created_at)


_ORGANIZATION: Mapping[str, Any] = {
    "type": ["string", "null"],
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
    "description": "the credential's own where it is not given; required for an owner",
}
_NAME: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 256}
_MAYBE_NAME: Mapping[str, Any] = {**_NAME, "type": ["string", "null"]}
_PERMISSION_LIST: Mapping[str, Any] = {"type": "array", "items": {"type": "string", "enum": list(PERMISSIONS)}}
_TEXTS: Mapping[str, Any] = {"type": "array", "minItems": 1, "maxItems": 200, "items": _NAME}


def _object(required: list[str], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


CHANGED_ROLE = _object(
    [],
    {
        "permissions": {**_PERMISSION_LIST, "type": ["array", "null"]},
        "description": {"type": ["string", "null"], "maxLength": 256},
    },
)
NEW_ROLE = _object(
    ["name", "permissions"],
    {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$", "examples": ["auditor"]},
        "organization_id": _ORGANIZATION,
        **CHANGED_ROLE["properties"],
        "permissions": _PERMISSION_LIST,
    },
)
_CONDITIONS: Mapping[str, Any] = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "description": "all of them must hold; projects or one tag, not both",
    "properties": {
        "projects": {**_TEXTS, "description": "usage of these projects"},
        "tags": {
            "type": "object",
            "maxProperties": 1,
            "additionalProperties": {"anyOf": [_TEXTS, _NAME]},
            "description": "usage with one of these values of the tag",
            "examples": [{"environment": ["production"]}],
        },
        "hours": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "start": {"type": "string", "examples": ["09:00"], "default": "00:00"},
                "end": {"type": "string", "examples": ["18:00"], "default": "24:00"},
                "timezone": {"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]},
                "weekdays": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1, "maximum": 7},
                    "description": "1 is Monday; none given: every day",
                },
            },
        },
        "not_before": {"type": "string", "format": "date-time"},
        "not_after": {"type": "string", "format": "date-time"},
        "addresses": {**_TEXTS, "description": "addresses and networks", "examples": [["10.0.0.0/8"]]},
    },
}
CHANGED_POLICY = _object(
    [],
    {
        "name": _MAYBE_NAME,
        "effect": {"type": ["string", "null"], "enum": ["allow", "deny", None]},
        "subjects": {
            **_TEXTS,
            "type": ["array", "null"],
            "description": "*, role:NAME, user:ID or key:ID",
            "default": ["*"],
        },
        "actions": {
            "type": ["array", "null"],
            "minItems": 1,
            "items": {"type": "string", "enum": list(known_actions())},
        },
        "conditions": _CONDITIONS,
    },
)
NEW_POLICY = _object(["name", "effect", "actions"], {**CHANGED_POLICY["properties"], "organization_id": _ORGANIZATION})
CHANGED_PROJECT = _object(
    [],
    {
        "name": _MAYBE_NAME,
        "team_id": {"type": ["string", "null"], "maxLength": 256, "description": "empty: of no team"},
        "archived": {"type": ["boolean", "null"]},
    },
)
NEW_PROJECT = _object(
    ["project_id"],
    {"project_id": _NAME, "name": _MAYBE_NAME, "team_id": _MAYBE_NAME, "organization_id": _ORGANIZATION},
)
CHANGED_TEAM = _object(["name"], {"name": _NAME})
NEW_TEAM = _object(["team_id"], {"team_id": _NAME, "name": _MAYBE_NAME, "organization_id": _ORGANIZATION})
