"""The outbox as recording sees it: which events of single records are wanted, and saying that spend has moved."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from cost_ops.domain.identity import usage_id
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.notifications import SPEND_MOVED
from cost_ops.domain.periods import from_us
from cost_ops.domain.usage import token_totals
from cost_ops.interfaces.recording import NewRecord
from cost_ops.storage.notification_tables import channels
from cost_ops.storage.sql import outbox
from cost_ops.storage.sql.outbox import EventRow
from cost_ops.storage.transaction import Transaction

PER_RECORD = frozenset({"usage.submitted", "cost.calculated"})
"""Events that every record makes, where somebody wants them."""


def wanted(tx: Transaction, ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The events of single records that channels of organisations ask for."""
    c = channels.c
    rows = tx.rows(select(c.organization_id, c.events).where(c.organization_id.in_(ids), c.disabled_at.is_(None)))
    found: dict[str, frozenset[str]] = {}
    for organization_id, events in rows:
        asked = PER_RECORD & set(events)
        if asked:
            found[organization_id] = found.get(organization_id, frozenset()) | asked
    return found


def say_moved(tx: Transaction, ids: Collection[str]) -> None:
    """Say that what is spent of budgets of organisations has moved."""
    now_us = time.time_ns() // 1000
    outbox.append(tx, [EventRow(organization_id, SPEND_MOVED, now_us) for organization_id in sorted(ids)])


def say_recorded(tx: Transaction, records: Sequence[NewRecord], wanted_by: Mapping[str, frozenset[str]]) -> None:
    """Tell of each new record what somebody wants to know of its organisation's."""
    rows = []
    for record in records:
        events = wanted_by.get(record.submission.organization_id)
        if events:
            data = outbox.json_of(_told(record))
            submission = record.submission
            owner, at_us = submission.organization_id, submission.received_us
            rows += [EventRow(owner, event, at_us, data) for event in sorted(events)]
    outbox.append(tx, rows)


def _told(record: NewRecord) -> dict[str, Any]:
    """What an event says of a record; the cost is null where no price is known."""
    submission = record.submission
    sent, received = token_totals(submission.quantities)
    return {
        "usage_id": usage_id(submission.timestamp_us, record.uid),
        "timestamp": from_us(submission.timestamp_us),
        "provider": submission.provider,
        "model_id": submission.model_id,
        "project_id": submission.project_id,
        "user_id": submission.user_id,
        "input_tokens": sent,
        "output_tokens": received,
        "status": str(record.status),
        "cost": None if record.cost_e10 is None else decimal_from_e10(record.cost_e10),
        "currency": record.currency,
    }
