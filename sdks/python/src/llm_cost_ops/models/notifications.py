"""Webhooks, other channels, and what they were told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from llm_cost_ops.models.base import Model


class Webhook(Model):
    """A program's address that events are posted to. `secret` is told when it is made or changed, and never again."""

    webhook_id: str
    organization_id: str
    name: str
    url: str
    description: Optional[str]
    events: list[str]
    routing: Model
    enabled: bool
    disabled_at: Optional[datetime]
    disabled_reason: Optional[str]
    secret: Optional[str]


class Channel(Model):
    """A way to people: e-mail, Slack, Teams, PagerDuty, apprise."""

    channel_id: str
    organization_id: str
    kind: str
    name: str
    events: list[str]
    routing: Model
    enabled: bool
    config: Optional[Model]


class Attempt(Model):
    """One try to deliver."""

    attempt: int
    status: Optional[int]
    error: Optional[str]
    answer: Optional[str]


class Delivery(Model):
    """What a webhook or a channel was told, and what came of it."""

    delivery_id: str
    event: str
    status: str
    """`pending`, `delivered`, `failed` or `cancelled`."""
    attempts: list[Attempt]
    data: Optional[dict[str, Any]]
    next_attempt_at: Optional[datetime]
    sent_with: Optional[str]
    redelivery_of: Optional[str]


class Removed(Model):
    """What was removed."""

    id: str
