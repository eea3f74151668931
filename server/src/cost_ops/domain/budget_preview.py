"""What a budget would have said of the usage that is there: the day on which each threshold was crossed, by period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from cost_ops.domain.budget_status import NOTHING, PeriodSpend, Spends, part_used
from cost_ops.domain.budgets import Budget, carried
from cost_ops.domain.periods import DAY_US, TimeRange, from_us

LOOKED_BACK = timedelta(days=366)
MOST_PERIODS = 500
"""Periods of a preview at most: the latest."""


class Crossing(NamedTuple):
    """A threshold and the UTC day at whose end it was reached for the first time."""

    threshold: Decimal
    day: date


@dataclass(frozen=True, slots=True)
class PreviewedPeriod:
    """A period as it would have gone. Amounts in 1e-10 units of the budget's currency."""

    period: TimeRange
    label: str
    planned_e10: int
    carried_e10: int
    spend: PeriodSpend
    crossings: tuple[Crossing, ...]

    @property
    def limit_e10(self) -> int:
        """What might have been spent; never below nothing."""
        return max(0, self.planned_e10 + self.carried_e10)

    @property
    def used(self) -> Decimal:
        """The part of it that was spent."""
        return part_used(self.spend.cost_e10, self.limit_e10)


def count_crossings(periods: Iterable[PreviewedPeriod]) -> int:
    """How many alerts there would have been."""
    return sum(len(one.crossings) for one in periods)


def previewed(budget: Budget, periods: Iterable[TimeRange], spends: Spends) -> list[PreviewedPeriod]:
    """How each period would have gone, the first first."""
    found = []
    for period in periods:
        spend = spends.get(period.start_us, NOTHING)
        handed_on = carried(budget, period, lambda one: spends.get(one.start_us, NOTHING).cost_e10)
        planned = budget.planned(period)
        crossings = crossed(budget.thresholds, spend, max(0, planned + handed_on))
        label = budget.periods.label(period)
        found.append(PreviewedPeriod(period, label, planned, handed_on, spend, tuple(crossings)))
    return found


def crossed(thresholds: Iterable[Decimal], spend: PeriodSpend, limit_e10: int) -> list[Crossing]:
    """The thresholds that were reached, in order, each with its day."""
    waiting = sorted(thresholds)
    found: list[Crossing] = []
    so_far = 0
    for day, cost_e10 in spend.by_day:
        so_far += cost_e10
        while waiting and so_far > 0 and _reached(waiting[0], so_far, limit_e10):
            found.append(Crossing(waiting.pop(0), from_us(day * DAY_US).date()))
    return found


def _reached(threshold: Decimal, spent_e10: int, limit_e10: int) -> bool:
    top, bottom = threshold.as_integer_ratio()
    return spent_e10 * bottom >= limit_e10 * top
