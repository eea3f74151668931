"""People and log-ins of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cost_ops.cli.people_backend import Document
from cost_ops.cli.remote.client import Client
from cost_ops.domain.errors import NotFound


class RemoteMembers:
    """Members of an organisation."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, by address."""
        return self._client.pages("/users", {"organization_id": organization_id})[0]

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one, and a letter."""
        body = dict(fields) | ({"organization_id": organization_id} if organization_id else {})
        added: Document = self._client.send("POST", "/users", body=body)["data"]
        return added

    def change(self, organization_id: str | None, member: str, fields: Mapping[str, Any]) -> Document:
        """Another role, name or binding."""
        return self._one("PATCH", organization_id, member, dict(fields))

    def remove(self, organization_id: str | None, member: str) -> Document:
        """Take one out."""
        return self._one("DELETE", organization_id, member, None)

    def _one(self, method: str, organization_id: str | None, member: str, body: Any) -> Document:
        path = f"/users/{self._id_of(organization_id, member)}"
        parameters = {"organization_id": organization_id}
        done: Document = self._client.send(method, path, parameters=parameters, body=body)["data"]
        return done

    def _id_of(self, organization_id: str | None, member: str) -> str:
        wanted = member.strip().lower()
        if "@" not in wanted:
            return quote(wanted, safe="")
        for found in self.search(organization_id):
            if found["email"] == wanted:
                return str(found["user_id"])
        raise NotFound(f"No user {member[:64]!r}; `cost-ops users list` shows them")


class RemoteLogin:
    """Links and signing keys. Nothing is asked for twice: who is told to wait is told so."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def who_am_i(self) -> Document:
        """Who asks."""
        return self._data("GET", "/auth/whoami")

    def reset(self, email: str) -> Document:
        """Ask for a link by e-mail."""
        return self._data("POST", "/auth/password/reset", {"email": email})

    def confirm(self, token: str, password: str) -> Document:
        """Set a password with the token of a link."""
        return self._data("POST", "/auth/password/confirm", {"token": token, "password": password})

    def rotate_signing_key(self, *, end_sessions: bool) -> Document:
        """Sign with a new key."""
        return self._data("POST", "/auth/signing-keys", {"end_sessions": end_sessions})

    def _data(self, method: str, path: str, body: Any = None) -> Document:
        found: Document = self._client.send(method, path, body=body, attempts=1)["data"]
        return found
