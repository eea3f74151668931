"""Deliveries: the log of an organisation's channels."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select

from cost_ops.domain.notifications import Attempt, Delivery, DeliveryStatus
from cost_ops.interfaces.notifications import DeliveryPage
from cost_ops.storage.notification_tables import deliveries, delivery_attempts
from cost_ops.storage.sql.access_rows import stored
from cost_ops.storage.sql.delivery_rows import attempt_values, attempts_of, delivery_of, giving_up, read, values_of
from cost_ops.storage.transaction import Transaction

d = deliveries.c


class StoredDeliveries:
    """Deliveries of one organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def add(self, delivery: Delivery, tried: Attempt | None = None) -> None:
        """Store a delivery that is to be made, or one that was `tried`."""
        mine = {"organization_id": self._organization_id}
        finished = {"finished_at": stored(delivery.finished_at)}
        self._tx.write(insert(deliveries).values(values_of(delivery) | mine | finished))
        if tried is not None:
            values = attempt_values(delivery.delivery_id, self._organization_id, tried)
            self._tx.write(insert(delivery_attempts).values(values))

    def get(self, channel_id: str, delivery_id: str) -> tuple[Delivery, list[Attempt]] | None:
        """One delivery, with what was tried."""
        mine = (d.organization_id == self._organization_id, d.channel_id == channel_id, d.delivery_id == delivery_id)
        found = self._tx.rows(read.where(*mine))
        if not found:
            return None
        return delivery_of(found[0]), attempts_of(self._tx, [delivery_id])[delivery_id]

    def page(self, channel_id: str, *, status: DeliveryStatus | None, limit: int, offset: int) -> DeliveryPage:
        """Deliveries to a channel, newest first."""
        wanted = [d.organization_id == self._organization_id, d.channel_id == channel_id]
        if status is not None:
            wanted.append(d.status == status.value)
        total = self._tx.rows(select(func.count()).select_from(deliveries).where(*wanted))[0][0]
        newest = read.where(*wanted).order_by(d.created_at.desc(), d.delivery_id.desc()).limit(limit).offset(offset)
        found = [delivery_of(row) for row in self._tx.rows(newest)]
        tried = attempts_of(self._tx, [one.delivery_id for one in found])
        return DeliveryPage([(one, tried[one.delivery_id]) for one in found], total)

    def cancel(self, channel_id: str, now: datetime) -> int:
        """Give up what waits for a channel and nobody is at; how many there were."""
        mine = (d.organization_id == self._organization_id, d.channel_id == channel_id)
        return int(self._tx.write(giving_up(now).where(*mine)).rowcount)
