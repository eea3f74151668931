"""What is spent of a budget by the ledger's own sums: which stretches of time to ask for, and what the answer means.

Beside the sums that recording keeps, this is the second way to the same numbers: a new budget begins with it, and
verification holds it against what is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from cost_ops.domain.budget_index import Moves, SpendKey
from cost_ops.domain.budgets import Budget
from cost_ops.domain.conversion import Part
from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.exchange import day_number
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import DAY_US, TimeRange, from_us

_NOTHING = (0, 0)
MOST_NAMED = 5
"""Differences of one budget that are written out; the rest are counted."""


def counted_periods(budget: Budget, first: datetime, last: datetime) -> list[TimeRange]:
    """The periods, whole, that usage of a budget from `first` to `last` (both included) lies in."""
    start = max(first, _counts_from(budget))
    if budget.periods.start is not None:
        start = max(start, budget.periods.start)
    found: list[TimeRange] = []
    period = budget.periods.at(start) if start <= last else None
    while period is not None and period.start <= last:
        if budget.effective_to is not None and period.start >= budget.effective_to:
            break
        found.append(period)
        period = budget.periods.after(period)
    return found


def slots_of(budget: Budget, periods: Iterable[TimeRange]) -> list[TimeRange]:
    """The part of each period in which the budget counts."""
    start = _counts_from(budget)
    return [
        TimeRange(max(start, one.start), one.end if budget.effective_to is None else min(one.end, budget.effective_to))
        for one in periods
    ]


def _counts_from(budget: Budget) -> datetime:
    return budget.counted_from if budget.effective_from is None else max(budget.counted_from, budget.effective_from)


def filters_of(budget: Budget) -> tuple[Filter, ...]:
    """The budget's scope as filters of a question."""
    return budget.scope.filters()


def moves_of(budget: Budget, periods: Sequence[TimeRange], parts: Sequence[Part], rows: Iterable[SummedRow]) -> Moves:
    """Rows by part (a piece of a period on one UTC day) as sums of the budget."""
    found: Moves = {}
    for row in rows:
        part = parts[row.slot]
        key = SpendKey(budget.number, periods[part.slot].start_us, day_number(part.day), row.currency)
        cost, requests = found.get(key, _NOTHING)
        found[key] = (cost + row.measures.cost_e10, requests + row.measures.requests)
    return {key: sums for key, sums in found.items() if any(sums)}


def bases_of(ledger: Moves, folded: Moves, bases: Moves, starts: Collection[int]) -> Moves:
    """The bases with which the sums of the periods that begin at `starts` are the ledger's; only those that change."""
    found: Moves = {}
    for key in ledger.keys() | folded.keys() | bases.keys():
        if key.period_start_us not in starts:
            continue
        base = _less(ledger.get(key, _NOTHING), folded.get(key, _NOTHING))
        if base != bases.get(key, _NOTHING):
            found[key] = base
    return found


def _less(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] - other[0], one[1] - other[1]


def differences(budget: Budget, ledger: Moves, bases: Moves, changed: Moves) -> list[str]:
    """Where what is kept of a budget is not what the ledger says, in words. `changed` is what `bases_of` found."""
    lines = list(_lines(budget, ledger, bases, changed))
    if len(lines) <= MOST_NAMED:
        return lines
    return [*lines[:MOST_NAMED], f"{budget.budget_id}: and {len(lines) - MOST_NAMED} more sums"]


def _lines(budget: Budget, ledger: Moves, bases: Moves, changed: Moves) -> Iterator[str]:
    for key, base in sorted(changed.items()):
        true = ledger.get(key, _NOTHING)
        off = _less(bases.get(key, _NOTHING), base)
        period = budget.periods.at(from_us(key.period_start_us))
        label = "" if period is None else budget.periods.label(period)
        told = f"{budget.budget_id} in {label}, UTC day {from_us(key.day * DAY_US):%Y-%m-%d}"
        yield (
            f"{told}: {format_e10(true[0] + off[0])} {key.currency or 'unpriced'} of {true[1] + off[1]} requests "
            f"where the ledger has {format_e10(true[0])} of {true[1]}"
        )
