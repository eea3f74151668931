"""Corrections and erasure through a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client
from cost_ops.cli.remote.usage import with_flat_cost


class RemoteChanges:
    """Changes of the ledger as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def correct(self, organization_id: str | None, usage_id: str, fields: Mapping[str, Any], reason: str) -> Document:
        """Put fields in place of a record's own."""
        parameters = {"organization_id": organization_id}
        body = {**fields, "reason": reason}
        found: Document = self._client.send("PUT", f"/usage/{usage_id}", parameters=parameters, body=body)
        return found | {"data": with_flat_cost(found["data"])}

    def erase(self, organization_id: str | None, user_id: str, tags: Sequence[str], *, dry_run: bool) -> Document:
        """Take what tells of a person out of their usage."""
        body = {"organization_id": organization_id, "user_id": user_id, "tags": list(tags), "dry_run": dry_run}
        found: Document = self._client.send("POST", "/users/erase", body=body)["data"]
        return found
