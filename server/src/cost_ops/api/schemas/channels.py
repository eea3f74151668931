"""Webhooks, other channels, and their deliveries in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.money import MoneyWriter, as_text
from cost_ops.api.pages import Pagination
from cost_ops.domain.channel_documents import MAX_BUDGETS, MAX_NAME, events_of, routing_json
from cost_ops.domain.exact_json import json_text
from cost_ops.domain.money import format_decimal
from cost_ops.domain.notifications import EVENTS, Attempt, Channel, Delivery, Escalation, Severity
from cost_ops.services.channels import PEOPLE_KINDS

_DATA = Meta(description="what the event tells; amounts are exact numbers", extra_json_schema={"type": "object"})
_THRESHOLD = Meta(
    description="only events of this threshold or a higher one",
    extra_json_schema={"type": ["number", "string", "null"], "examples": [0.9]},
)


class RoutingView(Struct):
    """Which of its events a channel gets; what is empty or null lets all through."""

    budgets: list[str]
    min_threshold: Annotated[msgspec.Raw, _THRESHOLD]
    severity: Annotated[str | None, Meta(description="the least that matters enough: info, warning, critical")]
    escalation: Annotated[str, Meta(description="first, escalated or both")]


class WebhookView(Struct, kw_only=True):
    """A webhook. `secret` is shown when it is made or rotated, and never again."""

    webhook_id: str
    organization_id: str
    name: str
    url: str
    description: str
    events: list[str]
    routing: RoutingView
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    secret: str | None = None


class WebhookOne(Struct):
    """One webhook."""

    data: WebhookView


class WebhookPage(Struct):
    """A page of webhooks, by name."""

    data: list[WebhookView]
    pagination: Pagination


class ChannelView(Struct, kw_only=True):
    """A channel that people, or PagerDuty, are told by. `config` is what may be shown of where it leads."""

    channel_id: str
    organization_id: str
    kind: str
    name: str
    config: dict[str, Any]
    events: list[str]
    routing: RoutingView
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class ChannelOne(Struct):
    """One channel."""

    data: ChannelView


class ChannelPage(Struct):
    """A page of channels, by name."""

    data: list[ChannelView]
    pagination: Pagination


class AttemptView(Struct):
    """One try: when, what came back (`status` is null where nothing did), or why it failed."""

    attempt: int
    at: datetime
    duration_ms: int
    status: int | None
    error: str
    answer: Annotated[str, Meta(description="the first 500 characters of what was answered")]


class DeliveryView(Struct, kw_only=True):
    """One event on its way to one channel: pending, delivered, failed or cancelled."""

    delivery_id: str
    event: str
    timestamp: datetime
    status: str
    attempts: list[AttemptView]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    sent_with: Annotated[str | None, Meta(description="the delivery whose message told this one too")]
    redelivery_of: str | None


class DeliveryDetail(DeliveryView, kw_only=True):
    """A delivery with what it tells."""

    data: Annotated[msgspec.Raw, _DATA]


class DeliveryOne(Struct):
    """One delivery."""

    data: DeliveryDetail


class DeliveryPage(Struct):
    """A page of deliveries, newest first."""

    data: list[DeliveryView]
    pagination: Pagination


def _routing(channel: Channel, money: MoneyWriter) -> RoutingView:
    least = channel.routing.min_threshold
    return RoutingView(**routing_json(channel.routing) | {"min_threshold": _raw(least, money)})


def _raw(value: Any, money: MoneyWriter) -> msgspec.Raw:
    return msgspec.Raw(json_text(_texts(value) if money is as_text else value).encode())


def _texts(value: Any) -> Any:
    """Numbers with decimals as texts, for clients whose numbers are binary floats."""
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, Mapping):
        return {key: _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else value


def _common(channel: Channel, money: MoneyWriter) -> dict[str, Any]:
    return {
        "organization_id": channel.organization_id,
        "name": channel.name,
        "events": list(events_of(channel)),
        "routing": _routing(channel, money),
        "enabled": channel.enabled,
        "disabled_at": channel.disabled_at,
        "disabled_reason": channel.disabled_reason,
        "created_at": channel.created_at,
        "created_by": channel.created_by,
        "updated_at": channel.updated_at,
    }


def webhook_view(channel: Channel, money: MoneyWriter, secret: str | None = None) -> WebhookView:
    """A webhook in JSON."""
    return WebhookView(
        webhook_id=channel.channel_id,
        url=str(channel.config.get("url", "")),
        description=str(channel.config.get("description", "")),
        secret=secret,
        **_common(channel, money),
    )


def channel_view(channel: Channel, money: MoneyWriter) -> ChannelView:
    """A channel in JSON."""
    return ChannelView(
        channel_id=channel.channel_id,
        kind=channel.kind.value,
        config=dict(channel.config),
        **_common(channel, money),
    )


def _delivery(delivery: Delivery, tried: Sequence[Attempt]) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "timestamp": delivery.at,
        "status": delivery.status.value,
        "attempts": [
            AttemptView(one.attempt, one.at, one.duration_ms, one.status, one.error, one.answer) for one in tried
        ],
        "next_attempt_at": delivery.next_attempt_at,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
        "sent_with": delivery.sent_with,
        "redelivery_of": delivery.redelivery_of,
    }


def delivery_view(delivery: Delivery, tried: Sequence[Attempt]) -> DeliveryView:
    """A delivery in JSON, for a list."""
    return DeliveryView(**_delivery(delivery, tried))


def delivery_detail(delivery: Delivery, tried: Sequence[Attempt], money: MoneyWriter) -> DeliveryDetail:
    """A delivery in JSON, with what it tells."""
    return DeliveryDetail(data=_raw(delivery.data, money), **_delivery(delivery, tried))


_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}
_ROUTING = {
    "type": "object",
    "description": "which of the events; what is left out lets all through",
    "properties": {
        "budgets": {"type": "array", "items": _TEXT, "maxItems": MAX_BUDGETS},
        "min_threshold": {"type": ["number", "string"], "examples": [0.9]},
        "severity": {"type": "string", "enum": list(Severity)},
        "escalation": {"type": "string", "enum": list(Escalation), "default": "both"},
    },
}
_COMMON = {
    "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
    "events": {"type": "array", "items": {"type": "string", "enum": list(EVENTS)}},
    "routing": _ROUTING,
    "enabled": {"type": "boolean"},
}
_URL = {"type": "string", "format": "uri", "maxLength": 2000, "examples": ["https://example.com/webhooks/llm-cost-ops"]}
_SECRET = {"type": "string", "description": "whsec_ and the base64 of 24 to 64 bytes; made where it is not given"}
_WEBHOOK = {"url": _URL, "description": {"type": "string", "maxLength": 256}, **_COMMON}
_OWN = {
    "addresses": {"type": "array", "items": {"type": "string"}, "description": "email: who gets the mails"},
    "url": {"type": "string", "description": "slack, teams, apprise: where to post; kept encrypted, never shown"},
    "routing_key": {"type": "string", "description": "pagerduty: the integration key; kept encrypted, never shown"},
    "region": {"type": "string", "description": "pagerduty: us or eu"},
}

NEW_WEBHOOK = {
    "type": "object",
    "required": ["url"],
    "properties": {"organization_id": _TEXT, **_WEBHOOK, "secret": _SECRET},
}
"""The body that makes a webhook."""

CHANGED_WEBHOOK = {"type": "object", "properties": _WEBHOOK}
"""The body that changes one."""

ROTATION = {"type": "object", "properties": {"secret": _SECRET}}
"""The body that rotates a secret."""

NEW_CHANNEL = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "organization_id": _TEXT,
        "kind": {"type": "string", "enum": [kind.value for kind in PEOPLE_KINDS]},
        **_OWN,
        **_COMMON,
    },
}
"""The body that makes a channel."""

CHANGED_CHANNEL = {"type": "object", "properties": {**_OWN, **_COMMON}}
"""The body that changes one."""
