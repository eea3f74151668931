"""One look at the budgets of an organisation: what is known of them, and what is due of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from cost_ops.domain.alerts import FULL, AlertKind, AlertStatus, Due, FiredAlert, Looked, due, looked_at, periods_of
from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budget_periods import Periods
from cost_ops.domain.budget_status import BudgetStatus, Spends, spends_by_number
from cost_ops.domain.budgets import Budget, earliest_needed
from cost_ops.domain.exchange import RateTable
from cost_ops.domain.periods import TimeRange, to_us

Stands = Callable[[Budget, TimeRange, Spends, int, datetime], BudgetStatus]
"""How a budget stands in a period, given what is spent by period and held: `standing_of`, or with its pace."""

Held = Mapping[tuple[int, int], int]
"""(budget number, period start in microseconds) → what is held, in 1e-10 units."""


class Watched(NamedTuple):
    """A budget, the periods of it that are looked at, and since when (microseconds) its spend is needed for that."""

    budget: Budget
    looked: Looked
    needed_us: int

    @property
    def since(self) -> datetime:
        """The start of the first period that is looked at."""
        return self.budget.counted_from if self.looked.earliest is None else self.looked.earliest.start


class Found(NamedTuple):
    """Something that is due, and how the budget stands."""

    status: BudgetStatus
    due: Due


@dataclass(slots=True)
class Look:
    """What is known of budgets at an instant: `fired` by budget id, and what is spent."""

    as_of: datetime
    watched: list[Watched]
    fired: dict[str, list[FiredAlert]] = field(default_factory=dict)
    moves: Moves = field(default_factory=dict)

    @classmethod
    def at(cls, budgets: Iterable[Budget], now: datetime) -> Look:
        """A look at budgets of which nothing is known yet."""
        seen: dict[Periods, Looked] = {}
        watched = []
        for budget in budgets:
            looked = seen.get(budget.periods)
            if looked is None:
                looked = seen[budget.periods] = looked_at(budget.periods, now)
            since = now if looked.earliest is None else earliest_needed(budget, looked.earliest)
            watched.append(Watched(budget, looked, to_us(since)))
        return cls(now, watched)

    def groups(self) -> list[list[Watched]]:
        """The budgets by the length of their periods: those of one group need about as much of the past."""
        found: dict[str, list[Watched]] = {}
        for one in self.watched:
            found.setdefault(one.budget.periods.unit, []).append(one)
        return list(found.values())

    def know(self, fired: Iterable[FiredAlert]) -> None:
        """Alerts that have fired."""
        for alert in fired:
            self.fired.setdefault(alert.budget_id, []).append(alert)

    def found(self, table: RateTable, stands: Stands, held: Held | None = None) -> Iterator[Found]:
        """What is due, in order for each budget and period."""
        spends = spends_by_number(self.moves, [one.budget for one in self.watched], table)
        for one in self.watched:
            budget, fired = one.budget, self.fired.get(one.budget.budget_id, ())
            starts = {*spends[budget.number], *(to_us(alert.period_start) for alert in fired)}
            for period in periods_of(budget, one.looked, starts, self.as_of):
                amount_e10 = (held or {}).get((budget.number, period.start_us), 0)
                status = stands(budget, period, spends[budget.number], amount_e10, self.as_of)
                before = [alert for alert in fired if alert.period_start == period.start]
                yield from (Found(status, what) for what in due(status, before))

    def pacing(self) -> list[Budget]:
        """The budgets whose pace could have something to tell: the days of their spend are worth reading."""
        spending = {(key.number, key.period_start_us) for key in self.moves}
        found = []
        for one in self.watched:
            current, budget = one.looked.current, one.budget
            if current is None or not budget.forecast_alerts or (budget.number, current.start_us) not in spending:
                continue
            fired = [alert for alert in self.fired.get(budget.budget_id, ()) if alert.period_start == current.start]
            told = any(alert.kind is AlertKind.FORECAST for alert in fired)
            full = any(alert.threshold == FULL and alert.status is not AlertStatus.RECOVERED for alert in fired)
            if not told and not full:
                found.append(budget)
        return found
