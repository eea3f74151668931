"""What events say of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.alerts import Alert, AlertKind, DueKind, is_silent, lateness
from cost_ops.domain.budget_status import BudgetStatus
from cost_ops.domain.money import decimal_from_e10, format_decimal
from cost_ops.domain.periods import format_instant

THRESHOLD_EXCEEDED = "budget.threshold_exceeded"
FORECAST_EXCEEDED = "budget.forecast_exceeded"
RECOVERED = "budget.recovered"
ESCALATED = "budget.escalated"
ACKNOWLEDGED = "budget.acknowledged"

EVENT_OF: Mapping[DueKind, str] = {
    DueKind.THRESHOLD: THRESHOLD_EXCEEDED,
    DueKind.FORECAST: FORECAST_EXCEEDED,
    DueKind.RECOVERED: RECOVERED,
}


def alert_data(status: BudgetStatus, alert_id: str, threshold: Decimal) -> dict[str, Any]:
    """What is told of a budget with a threshold in question: amounts are Decimals in the budget's currency, instants
    RFC 3339 text. Nothing is rounded up: `percent_used` has two decimals, cut.
    """
    budget, pace = status.budget, status.pace
    return {
        "budget_id": budget.budget_id,
        "threshold": threshold,
        "current_spend": _money(status.spent_e10),
        "alert_id": alert_id,
        "budget_name": budget.name,
        "limit": _money(status.limit_e10),
        "currency": budget.currency,
        "percent_used": plain(status.used * 100),
        "period_start": format_instant(status.period.start),
        "period_end": format_instant(status.period.end),
        "period_label": status.label,
        "timezone": budget.periods.zone,
        "held": _money(status.held_e10),
        "enforcement": str(budget.enforcement),
        "projected_spend": None if pace is None else _money(pace.projected_e10),
        "projected_exceeded_at": None if pace is None else _instant(pace.exceeded_at),
        "unpriced_requests": status.unpriced_requests,
        "late": lateness(budget, status.period, status.as_of) is True,
        "silenced": is_silent(budget, status.as_of),
        "scope": {dimension: sorted(values) for dimension, values in budget.scope.only},
        "url": None,
    }


def escalated_data(status: BudgetStatus, alert_id: str, threshold: Decimal, fired_at: datetime) -> dict[str, Any]:
    """What is told of an alert that nobody has answered: how the budget stands now, and since when."""
    return {**alert_data(status, alert_id, threshold), "fired_at": format_instant(fired_at)}


def acknowledged_data(alert: Alert, by: str, comment: str | None, now: datetime, *, silenced: bool) -> dict[str, Any]:
    """What is told of an alert that somebody answers: what it said, who it was, and what they said."""
    return {
        **alert.detail,
        "silenced": silenced,
        "fired_at": format_instant(alert.fired_at),
        "acknowledged_at": format_instant(now),
        "acknowledged_by": by,
        "comment": comment,
    }


def kind_of(due: DueKind) -> AlertKind:
    """The kind of the alert that is kept of something to be told."""
    return AlertKind.FORECAST if due is DueKind.FORECAST else AlertKind.THRESHOLD


def plain(number: Decimal) -> Decimal:
    """A number without zeros at its end."""
    return Decimal(format_decimal(number))


def _money(amount_e10: int) -> Decimal:
    return plain(decimal_from_e10(amount_e10))


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
