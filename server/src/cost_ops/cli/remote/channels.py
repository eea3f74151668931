"""Webhooks and channels of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.access import RemoteNoun
from cost_ops.cli.remote.client import Client


class RemoteChannels(RemoteNoun):
    """Channels under a path of their own."""

    def __init__(self, client: Client, path: str) -> None:
        """Ask this client's server."""
        super().__init__(client, path)
        self._at = path
        self._asked = client

    def rotate(self, organization_id: str | None, identity: str) -> Document:
        """A new secret for a webhook."""
        return self._post(organization_id, f"{identity}/rotate-secret", {})

    def test(self, organization_id: str | None, identity: str) -> Document:
        """Send a test message now."""
        return self._post(organization_id, f"{identity}/test")

    def deliveries(
        self, organization_id: str | None, identity: str, *, status: str | None, limit: int
    ) -> tuple[list[Document], int]:
        """What it was told, newest first, and how much there is in all."""
        parameters = {"organization_id": organization_id, "status": status}
        return self._asked.pages(f"{self._at}/{identity}/deliveries", parameters, limit)

    def delivery(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """One delivery."""
        return self._one("GET", organization_id, f"{identity}/deliveries/{delivery_id}")

    def redeliver(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """Tell an event once more."""
        return self._post(organization_id, f"{identity}/deliveries/{delivery_id}/redeliver")

    def _post(self, organization_id: str | None, rest: str, body: Mapping[str, Any] | None = None) -> Document:
        parameters = {"organization_id": organization_id}
        found: Document = self._asked.send(
            "POST", f"{self._at}/{rest}", parameters=parameters, body=None if body is None else dict(body), attempts=0
        )["data"]
        return found
