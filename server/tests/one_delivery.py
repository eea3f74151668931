"""One turn of delivering, without a runner: as tests do it that count."""

from __future__ import annotations

from datetime import timedelta

from cost_ops.interfaces.context import Context
from cost_ops.interfaces.notifications import NotificationTools
from cost_ops.services import deliveries


def deliver_next(
    ctx: Context, tools: NotificationTools, worker: str, lease: timedelta = deliveries.LEASE
) -> int | None:
    """Send what has waited longest: how many deliveries that was; None where nothing is due."""
    claimed = deliveries.claim(ctx, worker, lease=lease)
    for one in claimed:
        began = ctx.clock()
        answer = deliveries.send(tools, one.channel, one.organization_name, one.deliveries)
        deliveries.done(ctx, one, answer, began)
    return sum(len(one.deliveries) for one in claimed) if claimed else None
