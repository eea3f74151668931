"""Reckoning budgets: their sums set to what the ledger says, while usage keeps coming in.

What recording adds to a budget it adds in its own transaction, from the moment that the budget is there. Reckoning
reads the ledger's sum and what was added so far as one state; the rest was there before. Nobody waits for it, and doing
it again changes nothing, or repairs what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budget_sums import bases_of, counted_periods, differences, filters_of, moves_of, slots_of
from cost_ops.domain.budgets import Budget, earliest_needed
from cost_ops.domain.conversion import parts_of
from cost_ops.domain.costs import SummedRow
from cost_ops.domain.notifications import SPEND_MOVED
from cost_ops.domain.periods import TimeRange, from_us
from cost_ops.domain.rollups import Read, cubes_for, plan
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """Where the sums of an organisation's budgets disagreed with the ledger, in words, and whether they were set."""

    organization_id: str
    differences: tuple[str, ...]
    repaired: bool


def reckon(ctx: Context, budget: Budget) -> None:
    """Set the sums of a budget, which is stored, to what the ledger says, in all periods that it counts."""
    _settle(ctx, budget, budget.counted_from, repair=True)


def verify(ctx: Context, organization_id: str | None = None, *, repair: bool = True) -> list[BudgetCheck]:
    """Hold the sums of budgets against the ledger, of an organisation or of all (owner only).

    Looked at are the current period, the one before and those that rollover needs. Periods whose records retention has
    removed, if only in part, are left alone. Raises NotFound for an organisation that does not exist.
    """
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        known = [o.organization_id for o in installation.organizations()]
    return [_verified(ctx, name, repair=repair) for name in ([organization_id] if organization_id else known)]


def _verified(ctx: Context, organization_id: str, *, repair: bool) -> BudgetCheck:
    with ctx.storage.ledger(organization_id) as ledger:
        budgets = ledger.budgets.list()
    now = ctx.clock()
    found = [line for one in budgets for line in _settle(ctx, one, _since(one, now), repair=repair)]
    return BudgetCheck(organization_id, tuple(found), bool(found) and repair)


def _since(budget: Budget, now: datetime) -> datetime:
    """From when the sums of a budget matter now."""
    current = budget.periods.at(now)
    if current is None:
        return budget.counted_from
    before = budget.periods.before(current)
    since = earliest_needed(budget, current)
    return since if before is None else min(since, before.start)


def _settle(ctx: Context, budget: Budget, since: datetime, *, repair: bool) -> list[str]:
    """What was wrong with the sums from an instant on; set right, where that is wanted."""
    with ctx.storage.ledger(budget.organization_id) as ledger:
        ledger.budgets.read_one_state()
        kept = ledger.budgets.kept_periods(budget.number)
        folded, bases = ledger.budgets.folded(budget.number), ledger.budgets.bases(budget.number)
        ends = [key.period_start_us for key in (*folded, *bases)]
        newest = ledger.costs.newest_us()
        last = max([since, *map(from_us, ends if newest is None else [*ends, newest])])
        periods = counted_periods(budget, since, last)
        true = ledger_sums(ledger, budget, periods)
    starts = {period.start_us for period in periods} - kept
    changed = bases_of(true, folded, bases, starts)
    if changed and repair:
        with ctx.storage.ledger(budget.organization_id) as ledger:
            ledger.budgets.set_bases(changed)
            ledger.outbox.add(SPEND_MOVED, {}, ctx.clock())
    return differences(budget, true, bases, changed)


def ledger_sums(ledger: Ledger, budget: Budget, periods: Sequence[TimeRange]) -> Moves:
    """What the ledger says is spent of a budget in some of its periods."""
    oldest_us, newest_us = ledger.costs.oldest_us(), ledger.costs.newest_us()
    if not periods or oldest_us is None or newest_us is None:
        return {}
    parts = parts_of(slots_of(budget, periods), oldest_us, newest_us)
    filters = filters_of(budget)
    reads = plan([(part.start_us, part.end_us) for part in parts], cubes_for([f.dimension for f in filters]))
    rows = [row for read in reads for row in _rows(ledger, budget, read)]
    return moves_of(budget, periods, parts, rows)


def _rows(ledger: Ledger, budget: Budget, read: Read) -> Iterable[SummedRow]:
    filters = filters_of(budget)
    if read.cube is None:
        return ledger.costs.sum_records(read.windows, (), filters)
    return ledger.costs.sum_cube(read.cube, read.windows, (), filters)
