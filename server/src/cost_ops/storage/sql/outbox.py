"""The outbox: events that were written down with what they tell, and wait to be handed on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from cost_ops.domain.event_data import data_of, stored_data
from cost_ops.domain.notifications import OutboxEvent
from cost_ops.domain.periods import from_us, to_us
from cost_ops.interfaces.notifications import Backlog
from cost_ops.storage.arrays import int8_array
from cost_ops.storage.notification_tables import outbox_events
from cost_ops.storage.sqlite_inserts import Inserting
from cost_ops.storage.transaction import Transaction

_INSERT_SQLITE = Inserting("outbox_events", ("organization_id", "event", "at", "data"))
_INSERT_POSTGRES = """
INSERT INTO outbox_events (organization_id, event, at, data)
SELECT organization_id, event, timestamptz 'epoch' + at_us * interval '1 microsecond', data::jsonb
FROM unnest(%s::text[], %s::text[], %b::int8[], %s::text[]) AS given (organization_id, event, at_us, data)
"""
_TAKE_SQLITE = """
DELETE FROM outbox_events WHERE number IN (SELECT number FROM outbox_events ORDER BY number LIMIT ?)
RETURNING number, organization_id, event, at, data
"""
_TAKE_POSTGRES = """
DELETE FROM outbox_events WHERE number = ANY(ARRAY(
    SELECT number FROM outbox_events ORDER BY number LIMIT %s FOR UPDATE SKIP LOCKED
))
RETURNING number, organization_id, event, at, data::text
"""


class EventRow(NamedTuple):
    """An event as it is stored; `data` is the JSON of `stored_data`, None where there is none."""

    organization_id: str
    event: str
    at_us: int
    data: str | None = None


def append(tx: Transaction, rows: Sequence[EventRow]) -> None:
    """Write events down, in order."""
    if not rows:
        return
    tx.begin_write()
    if not tx.postgres:
        _INSERT_SQLITE.run(tx.raw, rows)
        return
    ids, events, ats, data = zip(*rows, strict=True)
    tx.raw.execute(_INSERT_POSTGRES, [list(ids), list(events), int8_array(ats), list(data)])


def row_of(organization_id: str, event: str, data: Mapping[str, Any], at: datetime) -> EventRow:
    """An event for the database."""
    return EventRow(organization_id, event, to_us(at), json_of(data))


def json_of(data: Mapping[str, Any]) -> str | None:
    """The data of an event as it is stored."""
    return json.dumps(stored_data(data), separators=(",", ":"), ensure_ascii=False) if data else None


class StoredOutbox:
    """Events of one organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def add(self, event: str, data: Mapping[str, Any], at: datetime) -> None:
        """Write an event down."""
        append(self._tx, [row_of(self._organization_id, event, data, at)])


class StoredOutboxQueue:
    """Events of all organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(self, event: str, data: Mapping[str, Any], at: datetime, organization_id: str) -> None:
        """Write an event of an organisation down."""
        append(self._tx, [row_of(organization_id, event, data, at)])

    def take(self, limit: int) -> list[OutboxEvent]:
        """Take the oldest events away; those that another transaction is taking are passed over."""
        self._tx.begin_write()
        taken = self._tx.raw.execute(_TAKE_POSTGRES if self._tx.postgres else _TAKE_SQLITE, [limit]).fetchall()
        return [_event(row) for row in sorted(taken)]

    def backlog(self) -> Backlog:
        """What nobody has taken yet."""
        count, oldest = self._tx.rows(select(func.count(), func.min(outbox_events.c.at)).select_from(outbox_events))[0]
        return Backlog(count, None if oldest is None else from_us(oldest))


def _event(row: Sequence[Any]) -> OutboxEvent:
    number, organization_id, event, at, data = row
    instant = at.astimezone(UTC) if isinstance(at, datetime) else from_us(at)
    return OutboxEvent(number, organization_id, event, instant, {} if data is None else data_of(json.loads(data)))
