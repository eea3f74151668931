"""Leases that have run out: noted as expired, so that what they held is not kept in sight for ever."""

from __future__ import annotations

from cost_ops.domain.access import authorize_owner
from cost_ops.interfaces.context import Context


def expire(ctx: Context, *, at_once: int = 1000) -> int:
    """End all leases that have run out, some in each transaction; how many. For the owner.

    Nothing depends on it: a lease holds nothing from the instant that it runs out.
    """
    authorize_owner(ctx.principal)
    ended = 0
    while True:
        with ctx.storage.recorder() as recorder:
            found = recorder.leases.expire(ctx.clock(), at_once)
        ended += found
        if found < at_once:
            return ended
