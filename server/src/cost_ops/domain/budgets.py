"""Budgets: how much may be spent, on what, in which periods; and what follows from that for one period.

A budget counts the ledger's costs inside its scope. Its limit for a period is what is planned for it, with what earlier
periods left over or overspent where the budget rolls over. A hard budget refuses reservations beyond its limit, a soft
one tells people only. Nothing here keeps usage out: what has happened is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from cost_ops.domain.budget_periods import Periods
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.scopes import EVERYTHING, Scope

DIMENSIONS = ("provider", "model", "project", "user", "team", "api_key")
"""What a budget may be about, beside `tag:KEY`."""

MOST_CARRIED = 24
"""Periods back from which something is carried over, at most."""

DEFAULT_THRESHOLDS = (Decimal("0.50"), Decimal("0.75"), Decimal("0.90"), Decimal("1.00"))


class Enforcement(StrEnum):
    """What happens at the limit: `soft` tells people, `hard` also refuses reservations beyond it."""

    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class Rollover:
    """What a period hands on to the next: what is `unused`, what was `overspent`; each at most `limit_e10`, if any."""

    unused: bool = False
    overspent: bool = False
    limit_e10: int | None = None

    def carry(self, left_e10: int) -> int:
        """What is handed on of what was left; negative where more was spent than planned."""
        if (left_e10 > 0 and not self.unused) or (left_e10 < 0 and not self.overspent):
            return 0
        if self.limit_e10 is None:
            return left_e10
        return max(-self.limit_e10, min(left_e10, self.limit_e10))


NO_ROLLOVER = Rollover()


@dataclass(frozen=True, slots=True)
class Phase:
    """An amount that is planned for the periods that begin at an instant or later, until the next phase."""

    start: datetime
    amount_e10: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget. Amounts are in 1e-10 units of `currency`.

    `number` is what its sums are kept under: a new one whenever it counts other usage, or in other periods. Usage
    before `counted_from` is in none of them.
    """

    budget_id: str
    organization_id: str
    name: str
    amount_e10: int
    currency: str
    periods: Periods
    created_at: datetime
    created_by: str
    counted_from: datetime
    scope: Scope = EVERYTHING
    thresholds: tuple[Decimal, ...] = DEFAULT_THRESHOLDS
    enforcement: Enforcement = Enforcement.SOFT
    parent_id: str | None = None
    rollover: Rollover = NO_ROLLOVER
    phases: tuple[Phase, ...] = ()
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    escalate_after_minutes: int | None = None
    forecast_alerts: bool = True
    number: int = 0
    version: int = 1
    updated_at: datetime | None = None
    silenced_until: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_hard(self) -> bool:
        """Whether reservations beyond the limit are refused."""
        return self.enforcement is Enforcement.HARD

    def period_at(self, instant: datetime) -> TimeRange | None:
        """The period that holds an instant; None where the budget is not in force then."""
        if (self.effective_from is not None and instant < self.effective_from) or (
            self.effective_to is not None and instant >= self.effective_to
        ):
            return None
        return self.periods.at(instant)

    def counts(self, instant: datetime) -> bool:
        """Whether usage of an instant is counted, if it lies in the scope."""
        return instant >= self.counted_from and self.period_at(instant) is not None

    def planned(self, period: TimeRange) -> int:
        """The amount for a period before anything is carried over: that of the last phase begun by its start."""
        begun = [phase.amount_e10 for phase in self.phases if phase.start <= period.start]
        return begun[-1] if begun else self.amount_e10

    def counts_the_same(self, other: Budget) -> bool:
        """Whether the sums of one are those of the other: same scope, same periods, same time in force."""
        return (self.scope, self.periods, self.effective_from, self.effective_to, self.currency) == (
            other.scope,
            other.periods,
            other.effective_from,
            other.effective_to,
            other.currency,
        )


def first_counted(budget_periods: Periods, effective_from: datetime | None, now: datetime) -> datetime:
    """From when a new budget counts: the start of the period it is made in, or that it is in force from before.

    At most `MOST_CARRIED` periods back, so that making a budget stays quick.
    """
    current = budget_periods.at(now)
    if current is None:
        return now if budget_periods.start is None else budget_periods.start
    period = current
    for _ in range(MOST_CARRIED):
        if effective_from is None or effective_from >= period.start:
            break
        before = budget_periods.before(period)
        if before is None:
            break
        period = before
    return period.start


def carried(budget: Budget, period: TimeRange, spent_of: Callable[[TimeRange], int]) -> int:
    """What earlier periods hand on to one, in 1e-10 units: each with what it was handed itself.

    `spent_of` tells what was spent in a period. Periods before the budget counted hand on nothing.
    """
    if budget.rollover == NO_ROLLOVER:
        return 0
    chain: list[TimeRange] = []
    earlier = budget.periods.before(period)
    while earlier is not None and earlier.start >= budget.counted_from and len(chain) < MOST_CARRIED:
        if budget.effective_from is not None and earlier.end <= budget.effective_from:
            break
        chain.append(earlier)
        earlier = budget.periods.before(earlier)
    handed_on = 0
    for one in reversed(chain):
        handed_on = budget.rollover.carry(budget.planned(one) + handed_on - spent_of(one))
    return handed_on


def earliest_needed(budget: Budget, period: TimeRange) -> datetime:
    """The start of the first period that the limit of `period` depends on."""
    if budget.rollover == NO_ROLLOVER:
        return period.start
    first = period
    for _ in range(MOST_CARRIED):
        before = budget.periods.before(first)
        if before is None or before.start < budget.counted_from:
            break
        first = before
    return first.start


def is_within(inner: Scope, outer: Scope) -> bool:
    """Whether all usage of one scope, which only allows, lies in another."""
    mine = dict(inner.only)
    return all(dimension in mine and mine[dimension] <= values for dimension, values in outer.only) and all(
        dimension in mine and not mine[dimension] & values for dimension, values in outer.never
    )


def ancestors(budget: Budget, by_id: Mapping[str, Budget]) -> list[Budget]:
    """The budgets above one, nearest first; a cycle ends where it closes."""
    found: list[Budget] = []
    seen = {budget.budget_id}
    at = budget.parent_id
    while at is not None and at in by_id and at not in seen:
        seen.add(at)
        found.append(by_id[at])
        at = by_id[at].parent_id
    return found
