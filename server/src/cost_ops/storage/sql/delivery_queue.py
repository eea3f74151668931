"""Deliveries of all organisations as they become due, and who is at them.

Who wants to send something first looks for channels for which anything is due, without a lock. Then it locks one
channel's row, so that only one at a time decides about it, and takes on deliveries under a lease: as many as a channel
may have under way. Sending happens after this transaction, the outcome is recorded in another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update

from cost_ops.domain.delivering import AT_ONCE_PER_CHANNEL, MOST_IN_A_MESSAGE, rest_until
from cost_ops.domain.notifications import MACHINES, Channel, Delivery, DeliveryStatus
from cost_ops.domain.periods import to_us
from cost_ops.interfaces.notifications import Backlog, Claimed, Outcome
from cost_ops.storage.notification_tables import channels, deliveries, delivery_attempts
from cost_ops.storage.sql.access_rows import instant, stored
from cost_ops.storage.sql.channels import channel_of
from cost_ops.storage.sql.delivery_rows import (
    COLUMNS,
    PENDING,
    attempt_values,
    delivery_of,
    free_at,
    giving_up,
    read,
    values_of,
)
from cost_ops.storage.sqlite_inserts import Inserting
from cost_ops.storage.tables import Instant, organizations
from cost_ops.storage.transaction import Transaction

d = deliveries.c
_INSERT_SQLITE = Inserting("deliveries", COLUMNS, "ON CONFLICT DO NOTHING")
_INSERT_POSTGRES = """
INSERT INTO deliveries (delivery_id, organization_id, channel_id, event, event_number, at, data, status, attempts,
                        next_attempt_at, created_at, redelivery_of)
SELECT delivery_id, organization_id, channel_id, event, event_number, at, data::jsonb, status, attempts,
       next_attempt_at, created_at, redelivery_of
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int8[], %s::timestamptz[], %s::text[], %s::text[],
            %s::int4[], %s::timestamptz[], %s::timestamptz[], %s::text[])
    AS given (delivery_id, organization_id, channel_id, event, event_number, at, data, status, attempts,
              next_attempt_at, created_at, redelivery_of)
ON CONFLICT DO NOTHING
"""
_DUE = text(
    """
    WITH RECURSIVE waiting (channel_id) AS (
        SELECT min(channel_id) FROM deliveries WHERE status = 'pending'
        UNION ALL
        SELECT (SELECT min(d.channel_id) FROM deliveries d WHERE d.status = 'pending' AND d.channel_id > w.channel_id)
        FROM waiting w WHERE w.channel_id IS NOT NULL
    )
    SELECT channel_id FROM (
        SELECT w.channel_id, (
            SELECT min(d.next_attempt_at) FROM deliveries d
            WHERE d.status = 'pending' AND d.channel_id = w.channel_id AND d.next_attempt_at <= :now
              AND (d.leased_until IS NULL OR d.leased_until <= :now)
        ) AS since
        FROM waiting w WHERE w.channel_id IS NOT NULL
    ) due WHERE since IS NOT NULL ORDER BY since, channel_id LIMIT :most
    """
)
_SENT_LATELY = timedelta(hours=12)


class StoredDeliveryQueue:
    """Deliveries of all organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(self, new: Iterable[Delivery]) -> None:
        """Store deliveries; one of the same event to the same channel is there once."""
        rows = [tuple(values_of(one).values()) for one in new]
        if not rows:
            return
        place = COLUMNS.index("data")
        rows = [(*row[:place], _json(row[place]), *row[place + 1 :]) for row in rows]
        self._tx.begin_write()
        if not self._tx.postgres:
            _INSERT_SQLITE.run(self._tx.raw, rows)
            return
        at = {name: COLUMNS.index(name) for name in ("at", "next_attempt_at", "created_at")}
        columns = [list(column) for column in zip(*rows, strict=True)]
        for index in at.values():
            columns[index] = [instant(value) for value in columns[index]]
        self._tx.raw.execute(_INSERT_POSTGRES, columns)

    def due(self, now: datetime, limit: int) -> list[str]:
        """Channels for which something is due, whoever has waited longest first."""
        bound = _DUE.bindparams(now=now if self._tx.postgres else to_us(now), most=limit)
        return [row[0] for row in self._tx.rows(bound)]

    def claim(self, channel_ids: Sequence[str], worker: str, now: datetime, lease: timedelta) -> list[Claimed]:
        """Take on what is due for these channels, as far as nobody else is at it."""
        self._tx.begin_write()
        claimed = []
        for channel_id in channel_ids:
            claimed += self._claim_one(channel_id, worker, now, lease)
        return claimed

    def _claim_one(self, channel_id: str, worker: str, now: datetime, lease: timedelta) -> list[Claimed]:
        channel, name = self._locked(channel_id, now)
        if channel is None:
            return []
        if not channel.enabled:
            self.cancel(channel_id, now)
            return []
        under_way = self._under_way(channel_id, now)
        machine = channel.kind in MACHINES
        if under_way >= (AT_ONCE_PER_CHANNEL if machine else 1):
            return []
        due = self._due_of(channel_id, now, 1 if machine else MOST_IN_A_MESSAGE)
        if not due or self._rests(channel, due, now):
            return []
        values = {"leased_until": to_us(now + lease), "worker": worker}
        self._tx.write(update(deliveries).where(d.delivery_id.in_([one.delivery_id for one in due])).values(values))
        return [Claimed(channel, name, due, worker)]

    def _locked(self, channel_id: str, now: datetime) -> tuple[Channel | None, str]:
        """A channel that nobody else decides about now. What waits for one that is gone is given up."""
        named = (
            select(channels, organizations.c.name.label("organization_name"))
            .join(organizations, organizations.c.organization_id == channels.c.organization_id)
            .where(channels.c.channel_id == channel_id)
        )
        found = self._tx.rows(named.with_for_update(of=channels, skip_locked=True) if self._tx.postgres else named)
        if found:
            return channel_of(found[0]), str(found[0].organization_name)
        if not self._tx.rows(select(channels.c.channel_id).where(channels.c.channel_id == channel_id)):
            self.cancel(channel_id, now)
        return None, ""

    def _under_way(self, channel_id: str, now: datetime) -> int:
        leased = (d.channel_id == channel_id, d.leased_until.is_not(None), d.leased_until > to_us(now))
        return int(self._tx.rows(select(func.count()).select_from(deliveries).where(*leased))[0][0])

    def _due_of(self, channel_id: str, now: datetime, most: int) -> list[Delivery]:
        us = to_us(now)
        wanted = read.where(d.status == PENDING, d.channel_id == channel_id, d.next_attempt_at <= us, free_at(now))
        rows = self._tx.rows(wanted.order_by(d.next_attempt_at, d.event_number).limit(most))
        return sorted(map(delivery_of, rows), key=lambda one: (one.at, one.event_number or 0))

    def _rests(self, channel: Channel, due: Sequence[Delivery], now: datetime) -> bool:
        """Whether people were told something a moment ago; what is due waits then."""
        if channel.kind in MACHINES:
            return False
        sent = (
            d.organization_id == channel.organization_id,
            d.channel_id == channel.channel_id,
            d.status == DeliveryStatus.DELIVERED.value,
            d.created_at > to_us(now - _SENT_LATELY),
        )
        last = self._tx.rows(select(func.max(d.finished_at, type_=Instant)).where(*sent))[0][0]
        until = rest_until(channel, due, instant(last), now)
        if until is None:
            return False
        ids = [one.delivery_id for one in due]
        self._tx.write(update(deliveries).where(d.delivery_id.in_(ids)).values(next_attempt_at=to_us(until)))
        return True

    def record(self, outcomes: Sequence[Outcome], worker: str, now: datetime) -> bool:
        """Keep what came of an attempt. False, and nothing is kept, where the worker has lost its lease."""
        tx, ids = self._tx, [one.delivery.delivery_id for one in outcomes]
        tx.begin_write()
        held = select(d.delivery_id).where(d.delivery_id.in_(ids), d.worker == worker, d.status == PENDING)
        if len(tx.rows(held.order_by(d.delivery_id).with_for_update())) < len(ids):
            return False
        for delivery, _, status, next_attempt_at, sent_with in outcomes:
            ended = next_attempt_at is None
            values = {
                "status": status.value,
                "attempts": delivery.attempts + 1,
                "next_attempt_at": stored(next_attempt_at),
                "finished_at": to_us(now) if ended else None,
                "sent_with": sent_with,
                "leased_until": None,
                "worker": None,
            }
            tx.write(update(deliveries).where(d.delivery_id == delivery.delivery_id).values(values))
        of = [(one.delivery.delivery_id, one.delivery.organization_id, one.attempt) for one in outcomes]
        tx.write(insert(delivery_attempts), [attempt_values(*one) for one in of])
        return True

    def cancel(self, channel_id: str, now: datetime) -> int:
        """Give up what waits for a channel and nobody is at; how many there were."""
        return int(self._tx.write(giving_up(now).where(d.channel_id == channel_id)).rowcount)

    def backlog(self, now: datetime) -> Backlog:
        """What is due and not delivered; since when the oldest is due."""
        due = (d.status == PENDING, d.next_attempt_at <= to_us(now))
        count, oldest = self._tx.rows(select(func.count(), func.min(d.next_attempt_at, type_=Instant)).where(*due))[0]
        return Backlog(count, instant(oldest))

    def prune(self, before: datetime, limit: int) -> int:
        """Remove finished deliveries that were made before an instant, with their attempts; how many there were."""
        old = select(d.delivery_id).where(d.status != PENDING, d.created_at < to_us(before)).limit(limit)
        ids = [row[0] for row in self._tx.rows(old)]
        if ids:
            self._tx.write(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(ids)))
            self._tx.write(delete(deliveries).where(d.delivery_id.in_(ids)))
        return len(ids)


def _json(data: Any) -> str | None:
    return None if data is None else json.dumps(data, separators=(",", ":"), ensure_ascii=False)
