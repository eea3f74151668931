"""Webhooks, channels and deliveries as documents in the shapes of the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.cli.documents import Document, instant
from cost_ops.domain.channel_documents import events_of, routing_json
from cost_ops.domain.notifications import Attempt, Channel, ChannelKind, Delivery


def channel_document(channel: Channel, secret: str | None = None) -> Document:
    """A webhook, or another channel."""
    webhook = channel.kind is ChannelKind.WEBHOOK
    own: Document = (
        {
            "webhook_id": channel.channel_id,
            "url": channel.config.get("url", ""),
            "description": channel.config.get("description", ""),
            "secret": secret,
        }
        if webhook
        else {"channel_id": channel.channel_id, "kind": channel.kind.value, "config": dict(channel.config)}
    )
    return own | {
        "organization_id": channel.organization_id,
        "name": channel.name,
        "events": list(events_of(channel)),
        "routing": routing_json(channel.routing),
        "enabled": channel.enabled,
        "disabled_at": instant(channel.disabled_at),
        "disabled_reason": channel.disabled_reason,
        "created_at": instant(channel.created_at),
        "created_by": channel.created_by,
        "updated_at": instant(channel.updated_at),
    }


def delivery_document(delivery: Delivery, tried: Sequence[Attempt], *, with_data: bool = False) -> Document:
    """A delivery and what was tried; what it tells where that was asked for."""
    found: Document = {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "timestamp": instant(delivery.at),
        "status": delivery.status.value,
        "attempts": [
            {
                "attempt": one.attempt,
                "at": instant(one.at),
                "duration_ms": one.duration_ms,
                "status": one.status,
                "error": one.error,
                "answer": one.answer,
            }
            for one in tried
        ],
        "next_attempt_at": instant(delivery.next_attempt_at),
        "created_at": instant(delivery.created_at),
        "finished_at": instant(delivery.finished_at),
        "sent_with": delivery.sent_with,
        "redelivery_of": delivery.redelivery_of,
    }
    return found | ({"data": dict(delivery.data)} if with_data else {})
