"""Channels: where events are told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, select, update

from cost_ops.domain.money import format_decimal
from cost_ops.domain.notifications import Channel, ChannelKind, Escalation, Routing, Severity
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.notification_tables import channels
from cost_ops.storage.sql.access_rows import instant, stored
from cost_ops.storage.sql.budget_spends import change_watched
from cost_ops.storage.transaction import Transaction

c = channels.c


class StoredChannels:
    """Channels of one organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def list(self) -> list[Channel]:
        """All, by name."""
        mine = select(channels).where(c.organization_id == self._organization_id)
        return [channel_of(row) for row in self._tx.rows(mine.order_by(c.name, c.channel_id))]

    def get(self, channel_id: str) -> Channel | None:
        """One channel."""
        mine = (c.organization_id == self._organization_id, c.channel_id == channel_id)
        found = self._tx.rows(select(channels).where(*mine))
        return channel_of(found[0]) if found else None

    def add(self, channel: Channel) -> None:
        """Store a channel."""
        change_watched(self._tx)
        self._tx.write(insert(channels).values(_values(channel) | {"organization_id": self._organization_id}))

    def save(self, channel: Channel) -> None:
        """Put a channel in place of what was stored."""
        change_watched(self._tx)
        mine = (c.organization_id == self._organization_id, c.channel_id == channel.channel_id)
        values = _values(channel)
        del values["channel_id"]
        self._tx.write(update(channels).where(*mine).values(values))

    def remove(self, channel_id: str) -> None:
        """Take a channel away."""
        change_watched(self._tx)
        mine = (c.organization_id == self._organization_id, c.channel_id == channel_id)
        self._tx.write(delete(channels).where(*mine))


class StoredChannelDirectory:
    """Channels of all organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def of(self, organization_ids: Collection[str]) -> dict[str, list[Channel]]:
        """The channels that are told, by organisation."""
        found: dict[str, list[Channel]] = {}
        wanted = select(channels).where(c.organization_id.in_(list(organization_ids)), c.disabled_at.is_(None))
        for row in self._tx.rows(wanted.order_by(c.channel_id)):
            found.setdefault(row.organization_id, []).append(channel_of(row))
        return found

    def disable(self, channel_id: str, reason: str, now: datetime) -> bool:
        """Turn a channel off; False where it is off already."""
        change_watched(self._tx)
        on = update(channels).where(c.channel_id == channel_id, c.disabled_at.is_(None))
        values = {"disabled_at": to_us(now), "disabled_reason": reason, "updated_at": to_us(now)}
        return bool(self._tx.write(on.values(values)).rowcount)


def _values(channel: Channel) -> dict[str, Any]:
    return {
        "channel_id": channel.channel_id,
        "kind": channel.kind.value,
        "name": channel.name,
        "events": list(channel.events),
        "routing": _routing_values(channel.routing),
        "config": dict(channel.config),
        "secret": channel.secret,
        "created_at": to_us(channel.created_at),
        "created_by": channel.created_by,
        "updated_at": to_us(channel.updated_at),
        "disabled_at": stored(channel.disabled_at),
        "disabled_reason": channel.disabled_reason,
    }


def _routing_values(routing: Routing) -> dict[str, Any]:
    least = routing.min_threshold
    return {
        "budgets": list(routing.budgets),
        "min_threshold": None if least is None else format_decimal(least),
        "severity": routing.severity,
        "escalation": routing.escalation.value,
    }


def _routing(values: Any) -> Routing:
    least, severity = values.get("min_threshold"), values.get("severity")
    return Routing(
        tuple(values.get("budgets", ())),
        None if least is None else Decimal(least),
        None if severity is None else Severity(severity),
        Escalation(values.get("escalation", Escalation.BOTH)),
    )


def channel_of(row: Any) -> Channel:
    """A channel's row."""
    return Channel(
        channel_id=row.channel_id,
        organization_id=row.organization_id,
        kind=ChannelKind(row.kind),
        name=row.name,
        events=tuple(row.events),
        routing=_routing(row.routing),
        config=row.config,
        secret=None if row.secret is None else bytes(row.secret),
        created_at=from_us(row.created_at),
        created_by=row.created_by,
        updated_at=from_us(row.updated_at),
        disabled_at=instant(row.disabled_at),
        disabled_reason=row.disabled_reason,
    )
