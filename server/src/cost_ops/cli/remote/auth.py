"""API keys of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client


class RemoteKeys:
    """API keys as the holder of an admin key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new key."""
        body = dict(fields) | ({"organization_id": organization_id} if organization_id else {})
        return self._one("POST", "", body)

    def search(self, organization_id: str | None) -> list[Document]:
        """Keys, newest first."""
        return self._client.pages("/auth/keys", {"organization_id": organization_id})[0]

    def describe(self, key_id: str) -> Document:
        """One key."""
        return self._one("GET", f"/{public_part(key_id)}")

    def update(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """Change a key."""
        return self._one("PATCH", f"/{public_part(key_id)}", dict(fields))

    def rotate(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """A new key in a key's place."""
        return self._one("POST", f"/{public_part(key_id)}/rotate", dict(fields))

    def revoke(self, key_id: str) -> Document:
        """Turn a key off for good."""
        return self._one("DELETE", f"/{public_part(key_id)}")

    def _one(self, method: str, path: str, body: Any = None) -> Document:
        found: Document = self._client.send(method, f"/auth/keys{path}", body=body)["data"]
        return found


def public_part(key_id: str) -> str:
    """The public part of what may be a whole key: a secret does not go into a URL."""
    parts = key_id.split("_")
    return parts[2] if key_id.startswith("sk_") and len(parts) == 4 else key_id
