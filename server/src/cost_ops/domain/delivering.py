"""How events get to channels: which channel is told of which, when a delivery is tried again, what becomes one message.

- Machines (webhooks, PagerDuty) are told of each event by itself and at once.
- People are told after a short wait, of all that came together as one message; and then not again for five minutes,
  unless something critical is among it.
- A delivery is tried seven times: at once, then 5 s, 30 s, 5 min, 30 min, 2 h and 6 h after the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cost_ops.domain.notifications import (
    BUDGET_EVENTS,
    MACHINES,
    SPEND_MOVED,
    TEST_EVENT,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    Escalation,
    OutboxEvent,
    Severity,
)

RETRY_AFTER = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 300, 1_800, 7_200, 21_600))
"""How long after a failed attempt the next one is made; after the last there is none."""

AT_ONCE_PER_CHANNEL = 2
"""Requests to one channel that may be under way, so that a slow one cannot take all threads."""

MOST_IN_A_MESSAGE = 100
PEOPLE_REST = timedelta(minutes=5)
"""How long people are left alone after a message."""

_WARN_AT = Decimal("0.75")
_ESCALATED = "budget.escalated"
_FORECAST = "budget.forecast_exceeded"
_GOOD_NEWS = frozenset({"budget.recovered", "budget.acknowledged"})


def default_events(kind: ChannelKind) -> tuple[str, ...]:
    """What a kind of channel is told where nobody says: a webhook of thresholds, people of all about budgets."""
    return ("budget.threshold_exceeded",) if kind is ChannelKind.WEBHOOK else BUDGET_EVENTS


def severity_of(event: str, data: Mapping[str, Any]) -> Severity:
    """How much an event matters: critical from a full budget on, a warning from three quarters on, for forecasts and
    for what nobody has taken notice of.
    """
    if event not in BUDGET_EVENTS or event in _GOOD_NEWS:
        return Severity.INFO
    threshold = _number(data, "threshold")
    stopped = data.get("enforcement") == "hard" and _number(data, "current_spend") >= _number(data, "limit", "Infinity")
    if event != _FORECAST and (threshold >= 1 or stopped):
        return Severity.CRITICAL
    return Severity.WARNING if event in (_FORECAST, _ESCALATED) or threshold >= _WARN_AT else Severity.INFO


def _number(data: Mapping[str, Any], name: str, otherwise: str = "0") -> Decimal:
    value = data.get(name)
    return Decimal(value) if isinstance(value, Decimal | int) else Decimal(otherwise)


def is_told(channel: Channel, event: str, data: Mapping[str, Any]) -> bool:
    """Whether an event goes to a channel. Routing by budget or threshold concerns only events that have one."""
    silent = event == SPEND_MOVED or data.get("silenced") is True  # of a silenced budget the alert is kept, no more
    if silent or not channel.enabled or event not in (channel.events or default_events(channel.kind)):
        return False
    routing = channel.routing
    least = routing.min_threshold
    left_out = (
        (routing.budgets and "budget_id" in data and data["budget_id"] not in routing.budgets)
        or (least is not None and data.get("threshold") is not None and _number(data, "threshold") < least)
        or (routing.severity is not None and severity_of(event, data).rank < routing.severity.rank)
    )
    if left_out:
        return False
    if event == _ESCALATED:
        return routing.escalation is not Escalation.FIRST
    return event not in BUDGET_EVENTS or routing.escalation is not Escalation.ESCALATED


def delivery_of(
    event: OutboxEvent, channel: Channel, *, delivery_id: str, now: datetime, group_wait: timedelta
) -> Delivery:
    """The delivery of an event to a channel, due at once or when others have had time to join it."""
    wait = timedelta(0) if channel.kind in MACHINES else group_wait
    return Delivery(
        delivery_id=delivery_id,
        organization_id=event.organization_id,
        channel_id=channel.channel_id,
        event=event.event,
        at=event.at,
        data=event.data,
        status=DeliveryStatus.PENDING,
        attempts=0,
        created_at=now,
        next_attempt_at=now + wait,
        event_number=event.number,
    )


class Told(NamedTuple):
    """How a delivery stands after an attempt."""

    status: DeliveryStatus
    next_attempt_at: datetime | None


def after_attempt(delivery: Delivery, *, ok: bool, gone: bool, now: datetime) -> Told:
    """Delivered, to be tried again, or given up: where the other side is gone, and after the last attempt.

    `delivery.attempts` counts those before this one. A test is tried once.
    """
    if ok:
        return Told(DeliveryStatus.DELIVERED, None)
    if gone or delivery.event == TEST_EVENT or delivery.attempts >= len(RETRY_AFTER):
        return Told(DeliveryStatus.FAILED, None)
    return Told(DeliveryStatus.PENDING, now + RETRY_AFTER[delivery.attempts])


def rest_until(channel: Channel, due: Iterable[Delivery], last_told: datetime | None, now: datetime) -> datetime | None:
    """Until when what is due for a channel waits, because people were told something a moment ago; None: not at all.

    What is critical, a test, or sent again by hand takes along all that waits.
    """
    if channel.kind in MACHINES or last_told is None or now >= last_told + PEOPLE_REST:
        return None
    urgent = any(
        one.event == TEST_EVENT
        or one.redelivery_of is not None
        or one.attempts > 0
        or severity_of(one.event, one.data) is Severity.CRITICAL
        for one in due
    )
    return None if urgent or last_told > now else last_told + PEOPLE_REST
