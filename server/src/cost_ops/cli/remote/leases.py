"""Leases of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client


class RemoteLeases:
    """Leases as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def reserve(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """A lease for a call."""
        budget_id = call.get("budget_id")
        path = "/budgets/reserve" if budget_id is None else f"/budgets/{budget_id}/reserve"
        body = {name: value for name, value in call.items() if name != "budget_id"}
        if organization_id is not None:
            body["organization_id"] = organization_id
        found: Document = self._client.send("POST", path, body=body)["data"]
        return found

    def settle(self, lease_id: str, usage_: Mapping[str, Any]) -> Document:
        """The recorded usage of a call."""
        answer = self._client.send("POST", "/budgets/settle", body={"lease_id": lease_id, **usage_})
        found: Document = answer["data"]
        return {**found, "cost": answer["estimated_cost"]}

    def release(self, organization_id: str | None, lease_id: str) -> Document:
        """A lease that is given back."""
        body = {"lease_id": lease_id, **({"organization_id": organization_id} if organization_id else {})}
        found: Document = self._client.send("POST", "/budgets/release", body=body)["data"]
        return found

    def search(self, organization_id: str | None, status: str | None) -> list[Document]:
        """Leases, newest first."""
        return self._client.pages("/leases", {"organization_id": organization_id, "status": status})[0]
