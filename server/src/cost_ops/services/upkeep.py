"""Looking after a database: partitions made ahead, rollups held against the records they sum."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import authorize_owner
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class RollupCheck:
    """Where the rollups of an organisation disagreed with its records, in words, and whether they were built anew."""

    organization_id: str
    differences: tuple[str, ...]
    repaired: bool


def make_partitions(ctx: Context, months_ahead: int) -> list[str]:
    """Create the monthly partitions up to `months_ahead` beyond this month; the names of new ones (owner only)."""
    authorize_owner(ctx.principal)
    return ctx.storage.make_partitions(months_ahead, ctx.clock())


def check_rollups(ctx: Context, organization_id: str | None, *, repair: bool = False) -> list[RollupCheck]:
    """Compare rollups and records of an organisation, or of all (owner only); `repair` sums wrong ones anew.

    Raises NotFound for an organisation that does not exist.
    """
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        known = [o.organization_id for o in installation.organizations()]
    return [_check(ctx, name, repair=repair) for name in ([organization_id] if organization_id else known)]


def _check(ctx: Context, organization_id: str, *, repair: bool) -> RollupCheck:
    with ctx.storage.ledger(organization_id) as ledger:
        differences = tuple(ledger.costs.rollup_differences())
        if differences and repair:
            ledger.costs.rebuild_rollups()
    return RollupCheck(organization_id, differences, bool(differences) and repair)
