"""Roles, policies, projects and teams in a database, as the installation's owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.access_backend import AccessAsked, Document
from cost_ops.cli.access_documents import (
    explained_document,
    policy_document,
    project_document,
    role_document,
    team_document,
)
from cost_ops.interfaces.context import Context
from cost_ops.services import explain_access, policies, projects, roles
from cost_ops.services.explain_access import AccessQuestion
from cost_ops.services.projects import ProjectChange


class DirectRoles:
    """Roles."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None) -> list[Document]:
        """The built-in ones, then the organisation's own."""
        return [role_document(role) for role in roles.list_roles(self._ctx, organization_id or "")]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One by its name."""
        return role_document(roles.get_role(self._ctx, organization_id or "", identity))

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        permissions, description = fields["permissions"], fields.get("description") or ""
        made = roles.add_role(self._ctx, organization_id or "", fields["name"], permissions, description)
        return role_document(made)

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Other permissions, another description."""
        return role_document(roles.change_role(self._ctx, organization_id or "", identity, **fields))

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one out."""
        roles.remove_role(self._ctx, organization_id or "", identity)


class DirectPolicies:
    """Policies."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None) -> list[Document]:
        """All by name."""
        return [policy_document(policy) for policy in policies.list_policies(self._ctx, organization_id or "")]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One by its id or name."""
        return policy_document(policies.get_policy(self._ctx, organization_id or "", identity))

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        return policy_document(policies.add_policy(self._ctx, organization_id or "", fields))

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of its own."""
        return policy_document(policies.change_policy(self._ctx, organization_id or "", identity, fields))

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one out."""
        policies.remove_policy(self._ctx, organization_id or "", identity)


class DirectProjects:
    """Projects."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None) -> list[Document]:
        """Declared ones and those that usage names."""
        return [project_document(known) for known in projects.list_projects(self._ctx, organization_id or "")]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One by its id."""
        return project_document(projects.get_project(self._ctx, organization_id or "", identity))

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """Declare one."""
        return project_document(projects.add_project(self._ctx, organization_id or "", **fields))

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Another name or team; archived or not."""
        change = ProjectChange(**fields)
        return project_document(projects.change_project(self._ctx, organization_id or "", identity, change))

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Archive one: usage names it for good."""
        self.change(organization_id, identity, {"archived": True})


class DirectTeams:
    """Teams."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None) -> list[Document]:
        """All by id."""
        return [team_document(known) for known in projects.list_teams(self._ctx, organization_id or "")]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One by its id."""
        return team_document(projects.get_team(self._ctx, organization_id or "", identity))

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        return team_document(projects.add_team(self._ctx, organization_id or "", **fields))

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Another name."""
        return team_document(projects.change_team(self._ctx, organization_id or "", identity, fields["name"]))

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one out."""
        projects.remove_team(self._ctx, organization_id or "", identity)


class DirectAccess:
    """Who may do what."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx
        self.roles = DirectRoles(ctx)
        self.policies = DirectPolicies(ctx)
        self.projects = DirectProjects(ctx)
        self.teams = DirectTeams(ctx)

    def explain(self, organization_id: str | None, asked: AccessAsked) -> Document:
        """Why something is allowed or refused."""
        question = AccessQuestion(
            asked.permission, asked.key, asked.user, asked.project, asked.tags, asked.at, asked.address
        )
        return explained_document(explain_access.explain(self._ctx, organization_id, question))
