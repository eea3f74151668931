"""Alerts as documents in the shapes of the HTTP API."""

from __future__ import annotations

from cost_ops.cli.documents import Document, instant
from cost_ops.domain.alert_events import plain
from cost_ops.domain.alerts import Alert
from cost_ops.domain.budgets import Budget
from cost_ops.domain.money import decimal_from_e10


def alert_document(alert: Alert) -> Document:
    """One alert."""
    told = alert.detail
    return {
        "alert_id": alert.alert_id,
        "budget_id": alert.budget_id,
        "budget_name": told.get("budget_name"),
        "kind": str(alert.kind),
        "threshold": alert.threshold,
        "status": str(alert.status),
        "fired_at": instant(alert.fired_at),
        "period_start": instant(alert.period_start),
        "period_end": told.get("period_end"),
        "period_label": told.get("period_label"),
        "current_spend": plain(decimal_from_e10(alert.spend_e10)),
        "limit": plain(decimal_from_e10(alert.limit_e10)),
        "currency": alert.currency,
        "percent_used": told.get("percent_used", plain(decimal_from_e10(0))),
        "late": bool(told.get("late")),
        "silenced": bool(told.get("silenced")),
        "recovered_at": instant(alert.recovered_at),
        "acknowledged_at": instant(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "comment": alert.comment,
        "escalated_at": instant(alert.escalated_at),
    }


def silence_document(budget: Budget) -> Document:
    """Until when nobody is told of a budget's alerts."""
    return {"budget_id": budget.budget_id, "silenced_until": instant(budget.silenced_until)}
