"""How a budget stands in a period: its limit, what is spent and held of it, and where it is heading.

Currencies are converted as everywhere: the sum of a UTC day in a currency by that day's rate, rounded once. What has no
rate, and usage without a price, is in no sum: it is named beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budgets import Budget, carried
from cost_ops.domain.exchange import RateTable
from cost_ops.domain.money import round_half_even
from cost_ops.domain.periods import DAY_US, TimeRange, from_us, to_us

PACE_DAYS = 7
"""How many UTC days, today included, tell how fast is spent."""

_LEAST_SHARE = 20
"""A rate is told once a twentieth of the period, or a day, has gone by."""


@dataclass(frozen=True, slots=True)
class PeriodSpend:
    """What a budget's usage of one period cost. `by_day` is by UTC day since 1970, in the budget's currency."""

    cost_e10: int = 0
    unpriced_requests: int = 0
    unconverted: tuple[tuple[str, int], ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()


NOTHING = PeriodSpend()
Spends = Mapping[int, PeriodSpend]
"""A period's start in microseconds → what was spent in it."""


def spends_by_number(moves: Moves, budgets: Iterable[Budget], table: RateTable) -> dict[int, dict[int, PeriodSpend]]:
    """A budget's number → what was spent of it, by period."""
    by_number = {budget.number: budget for budget in budgets}
    found: dict[int, dict[int, _Summing]] = {number: {} for number in by_number}
    for key, (cost_e10, requests) in moves.items():
        summing = found[key.number].setdefault(key.period_start_us, _Summing(by_number[key.number].currency, table))
        summing.add(key.day, key.currency, cost_e10, requests)
    return {number: {start: one.done() for start, one in periods.items()} for number, periods in found.items()}


class _Summing:
    """The sums of one period, growing."""

    def __init__(self, currency: str, table: RateTable) -> None:
        self.currency, self.table = currency, table
        self.cost_e10 = self.unpriced = 0
        self.by_day: dict[int, int] = {}
        self.unconverted: dict[str, int] = {}

    def add(self, day: int, currency: str, cost_e10: int, requests: int) -> None:
        if not currency:
            self.unpriced += requests
            return
        if currency != self.currency:
            rate = self.table.find(currency, self.currency, from_us(day * DAY_US).date())
            if rate is None:
                self.unconverted[currency] = self.unconverted.get(currency, 0) + cost_e10
                return
            cost_e10 = round_half_even(cost_e10 * rate.ratio.numerator, rate.ratio.denominator)
        self.cost_e10 += cost_e10
        self.by_day[day] = self.by_day.get(day, 0) + cost_e10

    def done(self) -> PeriodSpend:
        unconverted = tuple(sorted((c, cost) for c, cost in self.unconverted.items() if cost))
        return PeriodSpend(self.cost_e10, self.unpriced, unconverted, tuple(sorted(self.by_day.items())))


class Pace(NamedTuple):
    """How fast is spent: 1e-10 units a day, what that comes to by the period's end, and when the limit is reached."""

    per_day_e10: int
    projected_e10: int
    exceeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget in one of its periods, as of an instant. Amounts in 1e-10 units of the budget's currency."""

    budget: Budget
    period: TimeRange
    as_of: datetime
    planned_e10: int
    carried_e10: int
    spent_e10: int
    held_e10: int
    unpriced_requests: int = 0
    unconverted: tuple[tuple[str, int], ...] = ()
    pace: Pace | None = None

    @property
    def limit_e10(self) -> int:
        """What may be spent in the period: planned and carried over; never below nothing."""
        return max(0, self.planned_e10 + self.carried_e10)

    @property
    def available_e10(self) -> int:
        """What is neither spent nor held; negative where the budget is exceeded."""
        return self.limit_e10 - self.spent_e10 - self.held_e10

    @property
    def used(self) -> Decimal:
        """The part of the limit that is spent, cut (not rounded up) to 4 decimals: 0.7499 stays below 0.75."""
        return part_used(self.spent_e10, self.limit_e10)

    @property
    def label(self) -> str:
        """The period's name."""
        return self.budget.periods.label(self.period)

    def reached(self, threshold: Decimal) -> bool:
        """Whether a threshold's part of the limit is spent."""
        top, bottom = threshold.as_integer_ratio()
        return self.spent_e10 > 0 and self.spent_e10 * bottom >= self.limit_e10 * top

    @property
    def time_left(self) -> timedelta:
        """Until the period's end."""
        return max(timedelta(0), self.period.end - self.as_of)


def part_used(spent_e10: int, limit_e10: int) -> Decimal:
    """The part of a limit that is spent, cut to 4 decimals; of no limit all, once anything is spent."""
    if limit_e10 == 0:
        return Decimal(0) if spent_e10 <= 0 else Decimal(1)
    return Decimal(max(0, spent_e10) * 10_000 // limit_e10).scaleb(-4)


def status_of(budget: Budget, period: TimeRange, spends: Spends, held_e10: int, now: datetime) -> BudgetStatus:
    """How a budget stands in a period and where it is heading; `spends` are by day."""
    stands = standing_of(budget, period, spends, held_e10, now)
    pace = pace_of(budget, period, spends.get(period.start_us, NOTHING), stands.limit_e10, now)
    return replace(stands, pace=pace)


def standing_of(budget: Budget, period: TimeRange, spends: Spends, held_e10: int, now: datetime) -> BudgetStatus:
    """How a budget stands in a period: all but its pace."""
    spend = spends.get(period.start_us, NOTHING)
    return BudgetStatus(
        budget,
        period,
        now,
        budget.planned(period),
        carried(budget, period, lambda one: spends.get(one.start_us, NOTHING).cost_e10),
        spend.cost_e10,
        held_e10,
        spend.unpriced_requests,
        spend.unconverted,
    )


def pace_of(budget: Budget, period: TimeRange, spend: PeriodSpend, limit_e10: int, now: datetime) -> Pace | None:
    """The rate of the last days, carried on to the period's end; None where too little of the period has gone by.

    The rate is the spend of the last `PACE_DAYS` UTC days of the period, today included, over the time that they have
    had so far.
    """
    start = max(period.start, budget.counted_from)
    if budget.effective_from is not None:
        start = max(start, budget.effective_from)
    end = period.end if budget.effective_to is None else min(period.end, budget.effective_to)
    if now <= start or now >= end or not spend.by_day:
        return None
    now_us, start_us, end_us = to_us(now), to_us(start), to_us(end)
    gone_us = now_us - start_us
    if gone_us < DAY_US and gone_us * _LEAST_SHARE < end_us - start_us:
        return None
    first_day = now_us // DAY_US - PACE_DAYS + 1
    window_us = now_us - max(start_us, first_day * DAY_US)
    spent = sum(cost for day, cost in spend.by_day if first_day <= day <= now_us // DAY_US)
    if window_us <= 0 or spent < 0:
        return None
    projected = spend.cost_e10 + round_half_even(spent * (end_us - now_us), window_us)
    left = limit_e10 - spend.cost_e10
    exceeded_at = None
    if left <= 0:
        exceeded_at = now
    elif spent and left * window_us < spent * (end_us - now_us):
        exceeded_at = from_us(now_us + left * window_us // spent)
    return Pace(round_half_even(spent * DAY_US, window_us), projected, exceeded_at)
