"""A budget in a period as people read it: its state in a word, its thresholds, and what was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cost_ops.domain.alerts import AlertKind, FiredAlert
from cost_ops.domain.budget_status import BudgetStatus
from cost_ops.domain.money import round_half_even
from cost_ops.domain.periods import DAY_US, MICROSECOND

_TENTH_OF_A_DAY = DAY_US // 10


class State(StrEnum):
    """How it stands, the best first."""

    OK = "ok"
    WARNING = "warning"
    EXCEEDED = "exceeded"
    NOT_IN_FORCE = "not_in_force"


class ThresholdStanding(NamedTuple):
    """A threshold: the amount at which it is reached, whether it is, and what became of its alert in this period."""

    threshold: Decimal
    amount_e10: int
    reached: bool
    fired: FiredAlert | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in a period. `fired` are the alerts of the period; `depth`: how many budgets are above it.

    `in_force`: whether it counts the usage of now.
    """

    status: BudgetStatus
    in_force: bool
    fired: Sequence[FiredAlert] = ()
    depth: int = 0

    @property
    def state(self) -> State:
        """`warning` from the first threshold on; `exceeded` where the whole limit is spent."""
        status = self.status
        if not self.in_force and status.period.end > status.as_of:
            return State.NOT_IN_FORCE
        if status.spent_e10 > 0 and status.spent_e10 >= status.limit_e10:
            return State.EXCEEDED
        return State.WARNING if any(one.reached for one in self.thresholds) else State.OK

    @property
    def thresholds(self) -> list[ThresholdStanding]:
        """All of them, rising."""
        fired = {one.threshold: one for one in self.fired if one.kind is AlertKind.THRESHOLD}
        return [
            ThresholdStanding(one, amount_at(self.status.limit_e10, one), self.status.reached(one), fired.get(one))
            for one in self.status.budget.thresholds
        ]

    @property
    def days_left(self) -> Decimal:
        """Days until the period's end, cut to tenths."""
        return Decimal(self.status.time_left // MICROSECOND // _TENTH_OF_A_DAY).scaleb(-1)

    @property
    def projected_exceeded_at(self) -> datetime | None:
        """When the limit is reached at the present rate; None where it is not within the period, or not known."""
        return None if self.status.pace is None else self.status.pace.exceeded_at


def amount_at(limit_e10: int, threshold: Decimal) -> int:
    """A threshold's part of a limit, in 1e-10 units."""
    top, bottom = threshold.as_integer_ratio()
    return round_half_even(limit_e10 * top, bottom)


def percent(part: Decimal) -> Decimal:
    """A part with 4 decimals as a percentage with 2."""
    return part.scaleb(2)
