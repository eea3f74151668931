"""Roles, policies, projects and teams of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.access_backend import AccessAsked, Document
from cost_ops.cli.remote.auth import public_part
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant


class RemoteNoun:
    """One kind of thing, under a path of its own."""

    def __init__(self, client: Client, path: str) -> None:
        """Ask this client's server."""
        self._client = client
        self._path = path

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, page by page."""
        return self._client.pages(self._path, {"organization_id": organization_id})[0]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One of them."""
        return self._one("GET", organization_id, identity)

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        body = dict(fields) | ({"organization_id": organization_id} if organization_id else {})
        found: Document = self._client.send("POST", self._path, body=body)["data"]
        return found

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of its own."""
        return self._one("PATCH", organization_id, identity, dict(fields))

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one out."""
        self._one("DELETE", organization_id, identity)

    def _one(self, method: str, organization_id: str | None, identity: str, body: Any = None) -> Document:
        parameters = {"organization_id": organization_id}
        path = f"{self._path}/{identity}"
        found: Document = self._client.send(method, path, parameters=parameters, body=body)["data"]
        return found


class RemoteProjects(RemoteNoun):
    """Projects: they are archived, not taken out."""

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Archive one."""
        self.change(organization_id, identity, {"archived": True})


class RemoteAccess:
    """Who may do what."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client
        self.roles = RemoteNoun(client, "/roles")
        self.policies = RemoteNoun(client, "/policies")
        self.projects = RemoteProjects(client, "/projects")
        self.teams = RemoteNoun(client, "/teams")

    def explain(self, organization_id: str | None, asked: AccessAsked) -> Document:
        """Why something is allowed or refused."""
        parameters = {
            "organization_id": organization_id,
            "permission": asked.permission,
            "key": None if asked.key is None else public_part(asked.key),
            "user": asked.user,
            "project": asked.project,
            "at": None if asked.at is None else format_instant(asked.at),
            "address": asked.address,
            **{f"tag.{key}": value for key, value in asked.tags.items()},
        }
        found: Document = self._client.get("/access/explain", parameters)["data"]
        return found
