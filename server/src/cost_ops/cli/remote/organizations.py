"""Organisations of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.documents import Document
from cost_ops.cli.errors import RemoteError
from cost_ops.cli.remote.client import Client


class RemoteOrganizations:
    """Organisations as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self) -> list[Document]:
        """Those that the key may see."""
        return self._client.pages("/organizations", {})[0]

    def limits(self, organization_id: str) -> Document:
        """One with its limits and their use."""
        found: Document = self._client.get(f"{_path(organization_id)}/limits")["data"]
        return found

    def add(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        existed = self._exists(organization_id)
        body = {**fields, "organization_id": organization_id}
        made: Document = self._client.send("POST", "/organizations", body=body)["data"]
        return {**made, "created": not existed}

    def _exists(self, organization_id: str) -> bool:
        try:
            self._client.get(_path(organization_id))
        except RemoteError as error:
            if error.status == 404:
                return False
            raise
        return True

    def change(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """Change one."""
        found: Document = self._client.send("PATCH", _path(organization_id), body=dict(fields))["data"]
        return found


def _path(organization_id: str) -> str:
    return f"/organizations/{organization_id}"
