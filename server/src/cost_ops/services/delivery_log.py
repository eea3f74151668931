"""What channels were told: the log of deliveries, and telling something once more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from cost_ops.domain.access import authorize, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.notifications import (
    DELIVERY_ID_BITS,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    delivery_id_of,
)
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.notifications import DeliveryPage
from cost_ops.interfaces.storage import Ledger

Kinds = Collection[ChannelKind]


def list_deliveries(
    ctx: Context,
    organization_id: str,
    channel_id: str,
    *,
    kinds: Kinds,
    status: DeliveryStatus | None = None,
    limit: int = 20,
    offset: int = 0,
) -> DeliveryPage:
    """Deliveries to a channel, newest first, each with what was tried. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, "webhooks:read", organization_id)) as ledger:
        _channel(ledger, channel_id, kinds)
        return ledger.deliveries.page(channel_id, status=status, limit=limit, offset=offset)


def get_delivery(
    ctx: Context, organization_id: str, channel_id: str, delivery_id: str, kinds: Kinds
) -> tuple[Delivery, list[Attempt]]:
    """One delivery, with what was tried. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, "webhooks:read", organization_id)) as ledger:
        _channel(ledger, channel_id, kinds)
        return _delivery(ledger, channel_id, delivery_id)


def redeliver(ctx: Context, organization_id: str, channel_id: str, delivery_id: str, kinds: Kinds) -> Delivery:
    """Tell an event once more, under a delivery id of its own: a receiver takes it for new.

    Raises NotFound, and Conflict where the channel is turned off or the first delivery is still being tried.
    """
    bound = _bound(ctx, "webhooks:write", organization_id)
    now = ctx.clock()
    with ctx.storage.ledger(bound) as ledger:
        channel = _channel(ledger, channel_id, kinds)
        first, _ = _delivery(ledger, channel_id, delivery_id)
        if not channel.enabled:
            raise Conflict("the channel is turned off; turn it on first (enabled: true)")
        if first.status is DeliveryStatus.PENDING:
            raise Conflict(f"delivery {delivery_id} is still being tried; wait until it is at its end")
        again = replace(
            first,
            delivery_id=delivery_id_of(ctx.random_bits(DELIVERY_ID_BITS)),
            status=DeliveryStatus.PENDING,
            attempts=0,
            created_at=now,
            next_attempt_at=now,
            finished_at=None,
            sent_with=None,
            redelivery_of=first.delivery_id,
        )
        ledger.deliveries.add(again)
        detail = {"channel_id": channel_id, "redelivery_of": first.delivery_id}
        ledger.audit.add(ctx.event(Action.DELIVERY_REPEATED, again.delivery_id, organization_id=bound, detail=detail))
    return again


def _bound(ctx: Context, permission: str, organization_id: str) -> str:
    bound = authorize(ctx.principal, permission, organization_id)
    check_whole(ctx.principal, permission)
    return bound or organization_id


def _channel(ledger: Ledger, channel_id: str, kinds: Kinds) -> Channel:
    found = ledger.channels.get(channel_id)
    if found is None or found.kind not in kinds:
        raise NotFound(f"No {'webhook' if ChannelKind.WEBHOOK in kinds else 'channel'} with id {channel_id[:64]!r}")
    return found


def _delivery(ledger: Ledger, channel_id: str, delivery_id: str) -> tuple[Delivery, list[Attempt]]:
    found = ledger.deliveries.get(channel_id, delivery_id)
    if found is None:
        raise NotFound(f"No delivery with id {delivery_id[:64]!r}")
    return found
