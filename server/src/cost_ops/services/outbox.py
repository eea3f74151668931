"""Handing events on: each becomes the deliveries that channels ask for, or work for the alerts, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cost_ops.domain.delivering import delivery_of, is_told
from cost_ops.domain.jobs import NewJob
from cost_ops.domain.notifications import (
    DELIVERY_ID_BITS,
    SPEND_MOVED,
    Channel,
    Delivery,
    OutboxEvent,
    delivery_id_of,
)
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Installation

EVALUATE = "alerts.evaluate"
"""The kind of job that looks at an organisation's budgets."""


class Dispatched(NamedTuple):
    """What came of a turn; `more`: there are events left, as far as this one saw."""

    events: int
    deliveries: int
    more: bool


def dispatch(ctx: Context, *, group_wait: timedelta = timedelta(0), limit: int = 1000) -> Dispatched:
    """Take the oldest events and hand them on. Whoever is killed on the way has done nothing: events are taken, and
    deliveries and jobs made, in one transaction.
    """
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        taken = installation.outbox.take(limit)
        if not taken:
            return Dispatched(0, 0, more=False)
        told = [one for one in taken if one.event != SPEND_MOVED]
        channels = installation.channels.of({one.organization_id for one in told}) if told else {}
        deliveries = _deliveries(ctx, told, channels, now, group_wait)
        installation.deliveries.add(deliveries)
        _evaluate(installation, {one.organization_id for one in taken if one.event == SPEND_MOVED}, now)
    return Dispatched(len(taken), len(deliveries), more=len(taken) == limit)


def _deliveries(
    ctx: Context,
    events: Sequence[OutboxEvent],
    channels: Mapping[str, Sequence[Channel]],
    now: datetime,
    group_wait: timedelta,
) -> list[Delivery]:
    return [
        delivery_of(
            event,
            channel,
            delivery_id=delivery_id_of(ctx.random_bits(DELIVERY_ID_BITS)),
            now=now,
            group_wait=group_wait,
        )
        for event in events
        for channel in channels.get(event.organization_id, ())
        if is_told(channel, event.event, event.data)
    ]


def _evaluate(installation: Installation, organization_ids: set[str], now: datetime) -> None:
    """Have the budgets of organisations looked at, once for however much has moved."""
    for organization_id in sorted(organization_ids):
        about = {"organization_id": organization_id}
        slot = f"~{EVALUATE}:{organization_id}"
        installation.jobs.enqueue(NewJob(EVALUATE, now, about, slot, organization_id), now)
