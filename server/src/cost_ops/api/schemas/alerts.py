"""Alerts of budgets in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import Money, MoneyWriter, decimal_writer
from cost_ops.api.pages import Pagination
from cost_ops.domain.alerts import Alert
from cost_ops.domain.budgets import Budget
from cost_ops.domain.money import format_decimal

ACKNOWLEDGEMENT: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "comment": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 256,
            "description": "what is done about it",
        }
    },
}
"""The body of acknowledging an alert."""

SILENCE: Mapping[str, Any] = {
    "type": "object",
    "description": "Either `until` or `minutes`.",
    "additionalProperties": False,
    "properties": {
        "until": {"type": ["string", "null"], "format": "date-time", "description": "RFC 3339 with an offset"},
        "minutes": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 527_040,
            "description": "from now; at most 366 days",
        },
        "reason": {"type": ["string", "null"], "minLength": 1, "maxLength": 256, "description": "for the audit trail"},
    },
}
"""The body of silencing a budget."""


class AlertView(Struct):
    """An alert, its figures as they were when it fired."""

    alert_id: str
    budget_id: str
    budget_name: str | None
    kind: Annotated[str, Meta(description="threshold or forecast")]
    threshold: Annotated[Money, Meta(description="the part of the limit, such as 0.75; 1 for a forecast")]
    status: Annotated[str, Meta(description="open, acknowledged or recovered")]
    fired_at: datetime
    period_start: datetime
    period_end: str | None
    period_label: str | None
    current_spend: Money
    limit: Money
    currency: str
    percent_used: Annotated[Money, Meta(description="cut to two decimals, never rounded up")]
    late: Annotated[bool, Meta(description="the period was over: usage came late, or was priced again")]
    silenced: Annotated[bool, Meta(description="nobody was told")]
    recovered_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    comment: str | None
    escalated_at: datetime | None


class AlertOne(Struct):
    """One alert."""

    data: AlertView


class AlertPage(Struct):
    """A page of alerts, newest first."""

    data: list[AlertView]
    pagination: Pagination


class SilenceView(Struct):
    """Until when nobody is told of a budget's alerts; null: everybody is."""

    budget_id: str
    silenced_until: datetime | None


class SilenceOne(Struct):
    """The silence of one budget."""

    data: SilenceView


def alert_view(alert: Alert, money: MoneyWriter) -> AlertView:
    """An alert in JSON."""
    told = alert.detail
    return AlertView(
        alert_id=alert.alert_id,
        budget_id=alert.budget_id,
        budget_name=told.get("budget_name"),
        kind=str(alert.kind),
        threshold=decimal_writer(format_decimal(alert.threshold), money),
        status=str(alert.status),
        fired_at=alert.fired_at,
        period_start=alert.period_start,
        period_end=told.get("period_end"),
        period_label=told.get("period_label"),
        current_spend=money(alert.spend_e10),
        limit=money(alert.limit_e10),
        currency=alert.currency,
        percent_used=decimal_writer(format_decimal(told.get("percent_used", Decimal(0))), money),
        late=bool(told.get("late")),
        silenced=bool(told.get("silenced")),
        recovered_at=alert.recovered_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        comment=alert.comment,
        escalated_at=alert.escalated_at,
    )


def silence_view(budget: Budget) -> SilenceView:
    """A budget's silence in JSON."""
    return SilenceView(budget.budget_id, budget.silenced_until)
