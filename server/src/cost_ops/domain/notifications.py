"""Who is told of what: events, the channels they go to, and the deliveries that this makes.

An event is a fact that the ledger writes down in its own transaction. A channel is somewhere to tell it: a webhook, or
something that people read. A delivery is one event on its way to one channel; its id stays the same however often it is
tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

TEST_EVENT = "webhook.test"
"""What a test message is."""

SPEND_MOVED = "spend.moved"
"""Internal: usage of an organisation was recorded or costed again. Never delivered."""

EVENTS = (
    "budget.threshold_exceeded",
    "budget.forecast_exceeded",
    "budget.recovered",
    "budget.escalated",
    "budget.acknowledged",
    "usage.submitted",
    "cost.calculated",
    "forecast.anomaly_detected",
    "export.completed",
    "report.generated",
    "pricing.updated",
)
"""What a channel can be told of."""

BUDGET_EVENTS = tuple(name for name in EVENTS if name.startswith("budget."))


class ChannelKind(StrEnum):
    """What a channel is."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    PAGERDUTY = "pagerduty"
    APPRISE = "apprise"


MACHINES = frozenset({ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY})
"""Kinds that are told of every event by itself and at once; the others are read by people, who get few messages."""


class Escalation(StrEnum):
    """Which turn of an alert a channel is for."""

    FIRST = "first"
    ESCALATED = "escalated"
    BOTH = "both"


class Severity(StrEnum):
    """How much an event matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Larger matters more."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Routing:
    """Which of a channel's events it gets. What is empty or None lets all through."""

    budgets: tuple[str, ...] = ()
    min_threshold: Decimal | None = None
    severity: Severity | None = None
    """The least that matters enough."""

    escalation: Escalation = Escalation.BOTH


@dataclass(frozen=True, slots=True)
class Channel:
    """Somewhere to tell events. `config` may be shown; `secret` is sealed, only the vault opens it."""

    channel_id: str
    organization_id: str
    kind: ChannelKind
    name: str
    events: tuple[str, ...]
    """Empty: what a kind is told by default."""

    routing: Routing
    config: Mapping[str, Any]
    secret: bytes | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str | None = None

    @property
    def enabled(self) -> bool:
        """Whether it is told anything."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event that was written down and not yet handed on."""

    number: int
    organization_id: str
    event: str
    at: datetime
    data: Mapping[str, Any]


class DeliveryStatus(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Given up without having been tried to the end: its channel is gone or turned off."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one channel."""

    delivery_id: str
    organization_id: str
    channel_id: str
    event: str
    at: datetime
    data: Mapping[str, Any]
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = None
    finished_at: datetime | None = None
    event_number: int | None = None
    sent_with: str | None = None
    """The delivery under whose id this one was told, where several were one message."""

    redelivery_of: str | None = None


DELIVERY_ID_BITS = 80


def delivery_id_of(random: int) -> str:
    """The id of a delivery, from as many random bits: they are made by the thousand.

    >>> delivery_id_of(255)
    'dlv_000000000000000000ff'
    """
    return f"dlv_{random:020x}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, how long it took, what was answered, or why there was no answer."""

    attempt: int
    at: datetime
    duration_ms: int
    status: int | None
    error: str
    answer: str
