"""Alerts: what people are told of a budget's standing, each thing once a period.

A threshold fires when it is reached, the lowest first; a forecast when the pace of a period leads beyond the limit. A
threshold that is no longer reached, because costs were corrected, has recovered; reached again, it stays silent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from cost_ops.domain.budget_periods import Periods
from cost_ops.domain.budget_status import BudgetStatus
from cost_ops.domain.budgets import Budget
from cost_ops.domain.periods import TimeRange, from_us

LATE = timedelta(days=3)
"""How long after its end a period is still looked at: usage comes late, and is priced again."""

SETTLING = timedelta(minutes=1)
"""How long nothing recovers after a budget was changed: what it counts anew may not be summed up yet."""

ANSWERABLE = timedelta(days=10)
"""How old an alert may be that is still escalated: a week is the longest that a budget waits."""

FULL = Decimal(1)
"""What a forecast is about: the whole limit."""


class AlertKind(StrEnum):
    """What an alert is about."""

    THRESHOLD = "threshold"
    FORECAST = "forecast"


class AlertStatus(StrEnum):
    """How an alert stands: recovered comes before acknowledged."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """What is known of an alert where it is decided whether another is due."""

    alert_id: str
    budget_id: str
    period_start: datetime
    kind: AlertKind
    threshold: Decimal
    fired_at: datetime
    recovered_at: datetime | None = None
    acknowledged_at: datetime | None = None
    escalated_at: datetime | None = None

    @property
    def status(self) -> AlertStatus:
        """How it stands."""
        if self.recovered_at is not None:
            return AlertStatus.RECOVERED
        return AlertStatus.OPEN if self.acknowledged_at is None else AlertStatus.ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Alert(FiredAlert):
    """An alert as it is kept. Amounts in 1e-10 units of `currency`, as they were when it fired.

    `detail` is the data of the event that told of it; `comment` is what was said when it was acknowledged.
    """

    organization_id: str = ""
    spend_e10: int = 0
    limit_e10: int = 0
    currency: str = "USD"
    detail: Mapping[str, Any] = field(default_factory=dict)
    acknowledged_by: str | None = None
    comment: str | None = None


class DueKind(StrEnum):
    """What is to be told."""

    THRESHOLD = "threshold"
    FORECAST = "forecast"
    RECOVERED = "recovered"


class Due(NamedTuple):
    """Something to be told of a budget in a period; `alert_id` is the alert that has recovered."""

    kind: DueKind
    threshold: Decimal
    alert_id: str | None = None


def due(status: BudgetStatus, fired: Iterable[FiredAlert]) -> list[Due]:
    """What is to be told of a standing, in order, given what has fired in its period.

    Nothing of a period that is not looked at: see `lateness`.
    """
    late = lateness(status.budget, status.period, status.as_of)
    if late is None:
        return []
    known = {(one.kind, one.threshold): one for one in fired}
    found = [
        Due(DueKind.THRESHOLD, threshold)
        for threshold in sorted(status.budget.thresholds)
        if (AlertKind.THRESHOLD, threshold) not in known and status.reached(threshold)
    ]
    if not late and (AlertKind.FORECAST, FULL) not in known and is_heading_over(status):
        found.append(Due(DueKind.FORECAST, FULL))
    return found + _recovered(status, known.values())


def _recovered(status: BudgetStatus, fired: Iterable[FiredAlert]) -> list[Due]:
    changed_at = status.budget.updated_at or status.budget.created_at
    if status.as_of < changed_at + SETTLING:
        return []
    gone = [
        one
        for one in fired
        if one.kind is AlertKind.THRESHOLD and one.recovered_at is None and not status.reached(one.threshold)
    ]
    gone.sort(key=lambda one: one.threshold, reverse=True)
    return [Due(DueKind.RECOVERED, one.threshold, one.alert_id) for one in gone]


def is_heading_over(status: BudgetStatus) -> bool:
    """Whether people want to know of the pace, and it leads beyond a limit that is not reached yet."""
    if not status.budget.forecast_alerts or status.reached(FULL) or status.pace is None:
        return False
    return status.pace.projected_e10 > status.limit_e10


def counted_part(budget: Budget, period: TimeRange) -> TimeRange | None:
    """The part of a period in which a budget counts; None where there is none."""
    start = max(period.start, budget.counted_from)
    if budget.effective_from is not None:
        start = max(start, budget.effective_from)
    end = period.end if budget.effective_to is None else min(period.end, budget.effective_to)
    return TimeRange(start, end) if start < end else None


def lateness(budget: Budget, period: TimeRange, now: datetime) -> bool | None:
    """Whether a period is over; None where nobody looks at it: it has not begun, or is over for `LATE` and longer."""
    part = counted_part(budget, period)
    if part is None or budget.ended_at is not None or now < part.start or now >= part.end + LATE:
        return None
    return now >= part.end


class Looked(NamedTuple):
    """The periods of a budget that are looked at: the one that holds the present, and the first that is not too old.

    The present lies in none before and after a budget that is for one time only.
    """

    current: TimeRange | None
    earliest: TimeRange | None


def looked_at(periods: Periods, now: datetime) -> Looked:
    """The last and the first period to look at; those in between lie between them."""
    current = periods.at(now)
    return Looked(current, periods.at(now - LATE) or current)


def periods_of(budget: Budget, looked: Looked, starts_us: Collection[int], now: datetime) -> list[TimeRange]:
    """The periods with these starts (microseconds) that are looked at, the earliest first; always the current one."""
    if looked.earliest is None:
        return []
    by_start = {one.start_us: one for one in looked if one is not None}
    first = looked.earliest.start_us
    wanted = {start for start in starts_us if start >= first} | ({looked.current.start_us} if looked.current else set())
    found = [by_start.get(start) or budget.periods.at(from_us(start)) for start in sorted(wanted)]
    return [one for one in found if one is not None and lateness(budget, one, now) is not None]


def is_silent(budget: Budget, now: datetime) -> bool:
    """Whether nobody is to be told of a budget's alerts."""
    return budget.silenced_until is not None and now < budget.silenced_until


def to_escalate(budget: Budget, fired: Iterable[FiredAlert], now: datetime) -> list[FiredAlert]:
    """The alerts that nobody has answered for as long as a budget has people answer, the lowest threshold first."""
    if budget.escalate_after_minutes is None or budget.ended_at is not None or is_silent(budget, now):
        return []
    patience = timedelta(minutes=budget.escalate_after_minutes)
    open_ones = [one for one in fired if one.status is AlertStatus.OPEN and one.escalated_at is None]
    waited = [one for one in open_ones if now >= one.fired_at + patience]
    return sorted(waited, key=lambda one: (one.period_start, one.threshold, one.kind))


def answered_with(alert: FiredAlert, others: Sequence[FiredAlert]) -> list[FiredAlert]:
    """The alerts that are answered with one: itself, and where it is of a threshold, what leads up to it in the period:
    open ones of lower thresholds, and of the forecast.
    """
    lower = [
        one
        for one in others
        if alert.kind is AlertKind.THRESHOLD
        and one.alert_id != alert.alert_id
        and (one.budget_id, one.period_start) == (alert.budget_id, alert.period_start)
        and one.status is AlertStatus.OPEN
        and (one.kind is AlertKind.FORECAST or one.threshold < alert.threshold)
    ]
    return [alert, *sorted(lower, key=lambda one: one.threshold)]
