"""Rows of deliveries and of what was tried, as values of the domain and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, literal_column, select, update

from cost_ops.domain.event_data import data_of, stored_data
from cost_ops.domain.notifications import Attempt, Delivery, DeliveryStatus
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.notification_tables import deliveries, delivery_attempts
from cost_ops.storage.sql.access_rows import instant, stored
from cost_ops.storage.transaction import Transaction

a = delivery_attempts.c
d = deliveries.c

COLUMNS = (
    "delivery_id",
    "organization_id",
    "channel_id",
    "event",
    "event_number",
    "at",
    "data",
    "status",
    "attempts",
    "next_attempt_at",
    "created_at",
    "redelivery_of",
)
"""What a new delivery has."""

PENDING: ColumnElement[str] = literal_column("'pending'")
"""Written out, so that both planners see that the index of waiting deliveries holds the answer."""

read = select(deliveries)


def free_at(now: datetime) -> ColumnElement[bool]:
    """Whether nobody is at a delivery."""
    return d.leased_until.is_(None) | (d.leased_until <= to_us(now))


def giving_up(now: datetime) -> Update:
    """Give up what waits and nobody is at; the caller says of which channel."""
    values = {"status": DeliveryStatus.CANCELLED.value, "finished_at": to_us(now)}
    gone = {"next_attempt_at": None, "leased_until": None, "worker": None}
    return update(deliveries).where(d.status == PENDING, free_at(now)).values(values | gone)


def values_of(delivery: Delivery) -> dict[str, Any]:
    """A new delivery for the database."""
    return {
        "delivery_id": delivery.delivery_id,
        "organization_id": delivery.organization_id,
        "channel_id": delivery.channel_id,
        "event": delivery.event,
        "event_number": delivery.event_number,
        "at": to_us(delivery.at),
        "data": stored_data(delivery.data) or None,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "next_attempt_at": stored(delivery.next_attempt_at),
        "created_at": to_us(delivery.created_at),
        "redelivery_of": delivery.redelivery_of,
    }


def delivery_of(row: Any) -> Delivery:
    """A delivery's row."""
    return Delivery(
        delivery_id=row.delivery_id,
        organization_id=row.organization_id,
        channel_id=row.channel_id,
        event=row.event,
        at=from_us(row.at),
        data={} if row.data is None else data_of(row.data),
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        created_at=from_us(row.created_at),
        next_attempt_at=instant(row.next_attempt_at),
        finished_at=instant(row.finished_at),
        event_number=row.event_number,
        sent_with=row.sent_with,
        redelivery_of=row.redelivery_of,
    )


def attempts_of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[Attempt]]:
    """What was tried for deliveries, the first attempt first."""
    found: dict[str, list[Attempt]] = {one: [] for one in ids}
    if not ids:
        return found
    for row in tx.rows(select(delivery_attempts).where(a.delivery_id.in_(ids)).order_by(a.attempt)):
        one = Attempt(row.attempt, from_us(row.at), row.duration_ms, row.status, row.error or "", row.answer or "")
        found[row.delivery_id].append(one)
    return found


def attempt_values(delivery_id: str, organization_id: str, attempt: Attempt) -> dict[str, Any]:
    """What was tried, for the database."""
    return {
        "delivery_id": delivery_id,
        "attempt": attempt.attempt,
        "organization_id": organization_id,
        "at": to_us(attempt.at),
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error or None,
        "answer": attempt.answer or None,
    }
