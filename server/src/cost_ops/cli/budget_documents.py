"""Budgets as documents in the shapes of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cost_ops.cli.documents import Document, amount, instant
from cost_ops.domain.budget_periods import periods_json
from cost_ops.domain.budget_preview import PreviewedPeriod, count_crossings
from cost_ops.domain.budget_standing import Standing, ThresholdStanding, percent
from cost_ops.domain.budget_status import BudgetStatus
from cost_ops.domain.budgets import Budget
from cost_ops.domain.leases import Decision, Level
from cost_ops.domain.periods import TimeRange

_PERIOD_FIELDS = (
    "period", "timezone", "period_days", "anchor_date", "fiscal_year_start", "fiscal_pattern", "start_date", "end_date",
)  # fmt: skip


def budget_document(budget: Budget) -> Document:
    """A budget."""
    period, rollover = periods_json(budget.periods), budget.rollover
    return {
        "budget_id": budget.budget_id,
        "organization_id": budget.organization_id,
        "name": budget.name,
        "amount": amount(budget.amount_e10),
        "currency": budget.currency,
        **{name: period.get(name) for name in _PERIOD_FIELDS},
        "scope": _scope(budget),
        "alert_thresholds": list(budget.thresholds),
        "enforcement": str(budget.enforcement),
        "parent_id": budget.parent_id,
        "rollover": {
            "unused": rollover.unused,
            "overspent": rollover.overspent,
            "limit": amount(rollover.limit_e10),
        },
        "phases": [{"start_date": instant(phase.start), "amount": amount(phase.amount_e10)} for phase in budget.phases],
        "effective_from": instant(budget.effective_from),
        "effective_to": instant(budget.effective_to),
        "escalate_after_minutes": budget.escalate_after_minutes,
        "forecast_alerts": budget.forecast_alerts,
        "version": budget.version,
        "counted_from": instant(budget.counted_from),
        "created_at": instant(budget.created_at),
        "created_by": budget.created_by,
        "updated_at": instant(budget.updated_at),
        "silenced_until": instant(budget.silenced_until),
        "ended_at": instant(budget.ended_at),
    }


def _scope(budget: Budget) -> Document:
    return {dimension: sorted(values) for dimension, values in budget.scope.only}


def status_document(standing: Standing) -> Document:
    """How a budget stands."""
    status = standing.status
    budget, pace = status.budget, status.pace
    return {
        "budget_id": budget.budget_id,
        "organization_id": budget.organization_id,
        "name": budget.name,
        "parent_id": budget.parent_id,
        "depth": standing.depth,
        "scope": _scope(budget),
        "enforcement": str(budget.enforcement),
        "currency": budget.currency,
        "state": str(standing.state),
        "in_force": standing.in_force,
        **_span(status.label, status.period),
        "as_of": instant(status.as_of),
        "days_left": standing.days_left,
        "planned": amount(status.planned_e10),
        "carried_over": amount(status.carried_e10),
        "limit": amount(status.limit_e10),
        "spent": amount(status.spent_e10),
        "held": amount(status.held_e10),
        "available": amount(status.available_e10),
        "percent_used": percent(status.used),
        "rate_per_day": None if pace is None else amount(pace.per_day_e10),
        "projected_spend": None if pace is None else amount(pace.projected_e10),
        "projected_exceeded_at": instant(standing.projected_exceeded_at),
        "thresholds": [_threshold(one) for one in standing.thresholds],
        "unpriced_requests": status.unpriced_requests,
        "not_converted": _not_converted(status.unconverted),
    }


def _threshold(one: ThresholdStanding) -> Document:
    fired = one.fired
    return {
        "threshold": one.threshold,
        "amount": amount(one.amount_e10),
        "reached": one.reached,
        "alert_id": None if fired is None else fired.alert_id,
        "fired_at": None if fired is None else instant(fired.fired_at),
        "acknowledged_at": None if fired is None else instant(fired.acknowledged_at),
        "recovered_at": None if fired is None else instant(fired.recovered_at),
    }


def _span(label: str, period: TimeRange) -> Document:
    return {"period": label, "period_start": instant(period.start), "period_end": instant(period.end)}


def _not_converted(found: Iterable[tuple[str, int]]) -> list[Document]:
    return [{"currency": currency, "amount": amount(cost)} for currency, cost in found]


def past_document(status: BudgetStatus) -> Document:
    """A period of a budget."""
    return {
        **_span(status.label, status.period),
        "planned": amount(status.planned_e10),
        "carried_over": amount(status.carried_e10),
        "limit": amount(status.limit_e10),
        "spent": amount(status.spent_e10),
        "percent_used": percent(status.used),
        "unpriced_requests": status.unpriced_requests,
        "not_converted": _not_converted(status.unconverted),
    }


def preview_document(budget: Budget, periods: Sequence[PreviewedPeriod]) -> Document:
    """What a budget would have told."""
    return {
        "name": budget.name,
        "currency": budget.currency,
        "alerts": count_crossings(periods),
        "periods": [_previewed(one) for one in periods],
    }


def _previewed(one: PreviewedPeriod) -> Document:
    return {
        **_span(one.label, one.period),
        "planned": amount(one.planned_e10),
        "carried_over": amount(one.carried_e10),
        "limit": amount(one.limit_e10),
        "spent": amount(one.spend.cost_e10),
        "percent_used": percent(one.used),
        "unpriced_requests": one.spend.unpriced_requests,
        "not_converted": _not_converted(one.spend.unconverted),
        "crossed": [{"threshold": c.threshold, "on": c.day.isoformat()} for c in one.crossings],
    }


def check_document(decision: Decision, amount_e10: int, currency: str) -> Document:
    """What a reservation would say."""
    return {
        "allowed": decision.allowed,
        "amount": amount(amount_e10),
        "currency": currency,
        "budgets": [_level(level) for level in decision.levels],
    }


def _level(level: Level) -> dict[str, Any]:
    stands = level.status
    return {
        "budget_id": stands.budget.budget_id,
        "name": stands.budget.name,
        "enforcement": str(stands.budget.enforcement),
        "period": stands.label,
        "currency": stands.budget.currency,
        "amount": amount(level.amount_e10),
        "limit": amount(stands.limit_e10),
        "spent": amount(stands.spent_e10),
        "held": amount(stands.held_e10),
        "available": amount(stands.available_e10),
        "fits": level.fits,
        "refuses": level.refuses,
    }
