"""How budgets stand: now, at another instant, in their last periods, and how they would have gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cost_ops.domain.alerts import FiredAlert
from cost_ops.domain.budget_documents import read_budget
from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budget_preview import LOOKED_BACK, MOST_PERIODS, PreviewedPeriod, previewed
from cost_ops.domain.budget_standing import Standing
from cost_ops.domain.budget_status import BudgetStatus, spends_by_number, status_of
from cost_ops.domain.budget_sums import counted_periods
from cost_ops.domain.budget_tree import in_tree
from cost_ops.domain.budgets import Budget, earliest_needed
from cost_ops.domain.errors import invalid
from cost_ops.domain.exchange import MAX_AGE_DAYS, RateTable
from cost_ops.domain.periods import DAY_US, MICROSECOND, TimeRange, format_instant, from_us, to_us
from cost_ops.interfaces.context import Context
from cost_ops.services import budget_sums, budgets

MOST_HISTORY = 100
_Place = tuple[Budget, TimeRange]


def list_statuses(
    ctx: Context,
    organization_id: str | None,
    at: datetime | None = None,
    *,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[list[Standing], int]:
    """How the budgets stand that the principal may see, in the order of the tree, and how many they are in all.

    At an instant: those that have sums for it. What is spent is what is known now, also of past periods.
    """
    asked = at or ctx.clock()
    found = budgets.list_budgets(ctx, organization_id)
    every = [(place, depth) for one, depth in in_tree(found) if (place := _place(one, asked)) is not None]
    shown = every[offset : None if limit is None else offset + limit]
    stands = _stand(ctx, [place for place, _ in shown])
    return [replace(one, depth=depth) for one, (_, depth) in zip(stands, shown, strict=True)], len(every)


def get_status(
    ctx: Context, organization_id: str | None, budget_id: str, at: datetime | None = None
) -> tuple[Standing, list[Standing]]:
    """How a budget stands, and those right below it.

    One that is not in force stands in its first or its last period. Raises NotFound, and InvalidInput for an instant
    before it counted.
    """
    asked = at or ctx.clock()
    every = budgets.list_budgets(ctx, organization_id)
    budget = budgets.get_budget(ctx, organization_id, budget_id)
    place = _place(budget, asked)
    if place is None:
        message = f"at is before this budget's sums begin: they begin on {format_instant(budget.counted_from)}"
        raise invalid("at", "out_of_range", message)
    below = [found for one in every if one.parent_id == budget_id and (found := _place(one, asked)) is not None]
    first, *rest = _stand(ctx, [place, *below])
    return first, [replace(one, depth=1) for one in rest]


def get_history(ctx: Context, organization_id: str | None, budget_id: str, periods: int = 12) -> list[BudgetStatus]:
    """A budget's last periods, the newest first, as far back as it has sums."""
    budget = budgets.get_budget(ctx, organization_id, budget_id)
    place = _place(budget, ctx.clock())
    period = None if place is None else place[1]
    found: list[_Place] = []
    while period is not None and len(found) < min(periods, MOST_HISTORY):
        if period.end <= budget.counted_from or (
            budget.effective_from is not None and period.end <= budget.effective_from
        ):
            break
        found.append((budget, period))
        period = budget.periods.before(period)
    return [one.status for one in _stand(ctx, found)]


def preview(ctx: Context, organization_id: str | None, budget_id: str) -> tuple[Budget, list[PreviewedPeriod]]:
    """How the periods of the last year, from the first that has usage on, would have gone under a budget as it is now,
    the newest first.
    """
    budget = budgets.get_budget(ctx, organization_id, budget_id)
    return budget, _previewed(ctx, budget)


def preview_document(
    ctx: Context, organization_id: str, document: Mapping[str, Any]
) -> tuple[Budget, list[PreviewedPeriod]]:
    """The same for a budget that is not made. Raises InvalidInput with every problem, Forbidden."""
    budget = read_budget(
        document,
        organization_id=organization_id,
        budget_id="preview",
        by="",
        now=ctx.clock(),
        names=budgets.names_of(ctx),
    )
    budgets.list_budgets(ctx, organization_id)  # raises what a stranger is told
    budgets.check_reach(ctx, budgets.READ, budget)
    return budget, _previewed(ctx, budget)


def _place(budget: Budget, at: datetime) -> _Place | None:
    """The period that an instant is in, else the nearest that the budget is in force in; None before its sums begin."""
    inside = at
    if budget.periods.start is not None and budget.periods.end is not None:
        inside = min(max(inside, budget.periods.start), budget.periods.end - MICROSECOND)
    if budget.effective_from is not None:
        inside = max(inside, budget.effective_from)
    if budget.effective_to is not None:
        inside = min(inside, budget.effective_to - MICROSECOND)
    period = budget.periods.at(inside)
    if period is None or period.end <= budget.counted_from:
        return None
    return budget, period


def _stand(ctx: Context, places: Sequence[_Place]) -> list[Standing]:
    """How budgets stand in a period each; one may be asked for several times."""
    if not places:
        return []
    now = ctx.clock()
    starts: dict[int, int] = {}
    for budget, period in places:
        start_us = to_us(earliest_needed(budget, period))
        starts[budget.number] = min(start_us, starts.get(budget.number, start_us))
    with ctx.storage.ledger(places[0][0].organization_id) as ledger:
        ledger.budgets.read_one_state()
        moves = ledger.budgets.spends(starts, by_day=True)
        held = ledger.budgets.held(list(starts), now)
        first = min(period.start for _, period in places)
        fired = ledger.alerts.fired({budget.budget_id for budget, _ in places}, first)
    alerts: dict[tuple[str, datetime], list[FiredAlert]] = {}
    for alert in fired:
        alerts.setdefault((alert.budget_id, alert.period_start), []).append(alert)
    known = {budget.number: budget for budget, _ in places}
    spends = spends_by_number(moves, known.values(), _rates(ctx, moves, known.values()))
    return [
        Standing(
            status_of(budget, period, spends[budget.number], held.get((budget.number, period.start_us), 0), now),
            budget.counts(now),
            alerts.get((budget.budget_id, period.start), ()),
        )
        for budget, period in places
    ]


def _rates(ctx: Context, moves: Moves, known: Any) -> RateTable:
    """The exchange rates that sums may need."""
    currencies = {key.currency for key in moves if key.currency} | {budget.currency for budget in known}
    days = [key.day for key in moves if key.currency]
    if len(currencies) < 2 or not days:
        return RateTable(())
    first, last = from_us(min(days) * DAY_US).date(), from_us(max(days) * DAY_US).date()
    with ctx.storage.installation() as installation:
        return RateTable(installation.exchange_rates.between(first - timedelta(days=MAX_AGE_DAYS), last, currencies))


def _previewed(ctx: Context, budget: Budget) -> list[PreviewedPeriod]:
    now = ctx.clock()
    first = now - LOOKED_BACK
    if budget.periods.start is not None:
        first = min(first, budget.periods.start)
    whole = replace(budget, number=0, counted_from=first, effective_from=None, effective_to=None)
    every = counted_periods(whole, first, now)[-MOST_PERIODS:]
    with ctx.storage.ledger(budget.organization_id) as ledger:
        ledger.budgets.read_one_state()
        moves = budget_sums.ledger_sums(ledger, replace(whole, counted_from=every[0].start), every) if every else {}
    used = min((key.period_start_us for key in moves), default=None)
    periods = [one for one in every if used is not None and one.start_us >= used]
    if not periods:
        return []
    whole = replace(whole, counted_from=periods[0].start)
    spends = spends_by_number(moves, [whole], _rates(ctx, moves, [whole]))
    return previewed(whole, periods, spends[0])[::-1]
