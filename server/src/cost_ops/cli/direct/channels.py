"""Webhooks and channels in a database, as the installation's owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.cli.backend import Document
from cost_ops.cli.channel_documents import channel_document, delivery_document
from cost_ops.domain.errors import invalid
from cost_ops.domain.notifications import ChannelKind, DeliveryStatus
from cost_ops.interfaces.context import Context
from cost_ops.services import channels, deliveries, delivery_log


class DirectChannels:
    """Channels of some kinds."""

    def __init__(self, application: Application, ctx: Context, kinds: Collection[ChannelKind]) -> None:
        """Work with a context."""
        self._application = application
        self._ctx = ctx
        self._kinds = kinds

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, by name."""
        found = channels.list_channels(self._ctx, organization_id or "", self._kinds)
        return [channel_document(channel) for channel in found]

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One of them."""
        return channel_document(channels.get_channel(self._ctx, organization_id or "", identity, self._kinds))

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        named = fields.get("kind", ChannelKind.WEBHOOK)
        if named not in self._kinds:
            raise invalid("kind", "invalid_value", f"kind must be one of {', '.join(self._kinds)}")
        document = {name: value for name, value in fields.items() if name != "kind"}
        tools = self._application.notification_tools()
        made = channels.add_channel(self._ctx, tools, organization_id or "", ChannelKind(named), document)
        return channel_document(made.channel, made.secret or None)

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of its own."""
        tools = self._application.notification_tools()
        changed = channels.change_channel(self._ctx, tools, organization_id or "", identity, fields, kinds=self._kinds)
        return channel_document(changed)

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one away."""
        channels.remove_channel(self._ctx, organization_id or "", identity, self._kinds)

    def rotate(self, organization_id: str | None, identity: str) -> Document:
        """A new secret for a webhook."""
        tools = self._application.notification_tools()
        made = channels.rotate_secret(self._ctx, tools, organization_id or "", identity)
        return channel_document(made.channel, made.secret)

    def test(self, organization_id: str | None, identity: str) -> Document:
        """Send a test message now."""
        tools = self._application.notification_tools()
        found, tried = deliveries.test(self._ctx, tools, organization_id or "", identity, kinds=self._kinds)
        return delivery_document(found, [tried], with_data=True)

    def deliveries(
        self, organization_id: str | None, identity: str, *, status: str | None, limit: int
    ) -> tuple[list[Document], int]:
        """What it was told, newest first, and how much there is in all."""
        wanted = None if status is None else DeliveryStatus(status)
        page = delivery_log.list_deliveries(
            self._ctx, organization_id or "", identity, kinds=self._kinds, status=wanted, limit=limit
        )
        return [delivery_document(*entry) for entry in page.deliveries], page.total

    def delivery(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """One delivery."""
        found = delivery_log.get_delivery(self._ctx, organization_id or "", identity, delivery_id, self._kinds)
        return delivery_document(*found, with_data=True)

    def redeliver(self, organization_id: str | None, identity: str, delivery_id: str) -> Document:
        """Tell an event once more."""
        again = delivery_log.redeliver(self._ctx, organization_id or "", identity, delivery_id, self._kinds)
        return delivery_document(again, [], with_data=True)
