"""What the commands about webhooks and channels need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Document = dict[str, Any]


class ChannelsBackend(Protocol):
    """Webhooks, or the other channels, of an organisation: each is a document in the shape of the HTTP API."""

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, by name."""

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One of them. Raises NotFound."""

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one; a webhook's document has its `secret`, this once."""

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of its own."""

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one away."""

    def rotate(self, organization_id: str | None, identity: str) -> Document:
        """A new secret for a webhook: its document has it, this once."""

    def test(self, organization_id: str | None, identity: str) -> Document:
        """Send a test message now: the delivery, with its one attempt."""

    def deliveries(
        self, organization_id: str | None, identity: str, *, status: str | None, limit: int
    ) -> tuple[list[Document], int]:
        """What it was told, newest first, and how much there is in all."""

    def delivery(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """One delivery, with what it tells."""

    def redeliver(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """Tell an event once more: the new delivery."""
