"""Budgets in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from cost_ops.api.money import MaybeMoney, Money, MoneyWriter, decimal_writer
from cost_ops.api.pages import Pagination
from cost_ops.domain.budget_documents import (
    MAX_AMOUNT,
    MAX_PHASES,
    MAX_THRESHOLDS,
    MAX_VALUES,
)
from cost_ops.domain.budget_periods import MAX_DAYS, Unit, periods_json
from cost_ops.domain.budgets import DIMENSIONS, Budget, Enforcement
from cost_ops.domain.money import format_decimal
from cost_ops.domain.text import MAX_TAG_KEY

Exact = Annotated[
    Raw,
    Meta(
        description="An exact number, or a text with `?money=string`.",
        extra_json_schema={"type": ["number", "string"], "examples": [0.75, "0.75"]},
    ),
]
"""A field that holds a decimal, already written."""


class RolloverView(Struct):
    """What a period hands on to the next: unused, overspent, each at most `limit`."""

    unused: bool
    overspent: bool
    limit: MaybeMoney


class PhaseView(Struct):
    """An amount for the periods that begin at `start_date` or later."""

    start_date: datetime
    amount: Money


class BudgetView(Struct):
    """A budget. Of the fields of its period those are null that do not belong to it."""

    budget_id: str
    organization_id: str
    name: str
    amount: Money
    currency: str
    period: Annotated[str, Meta(examples=["monthly"])]
    timezone: str
    period_days: int | None
    anchor_date: str | None
    fiscal_year_start: str | None
    fiscal_pattern: str | None
    start_date: str | None
    end_date: str | None
    scope: Annotated[dict[str, list[str]], Meta(description="dimension → values; empty: the whole organization")]
    alert_thresholds: list[Exact]
    enforcement: Annotated[str, Meta(description="soft or hard")]
    parent_id: str | None
    rollover: RolloverView
    phases: list[PhaseView]
    effective_from: datetime | None
    effective_to: datetime | None
    escalate_after_minutes: int | None
    forecast_alerts: bool
    version: Annotated[int, Meta(description="counts its changes, from 1")]
    counted_from: Annotated[datetime, Meta(description="usage before this is in none of its sums")]
    created_at: datetime
    created_by: str
    updated_at: datetime | None
    silenced_until: datetime | None
    ended_at: datetime | None


class BudgetOne(Struct):
    """One budget."""

    data: BudgetView


class BudgetPage(Struct):
    """A page of budgets: by name, each followed by those below it."""

    data: list[BudgetView]
    pagination: Pagination


def exact(number: Decimal, money: MoneyWriter) -> Raw:
    """A decimal that is no amount, in the form that amounts have."""
    return decimal_writer(format_decimal(number), money)


def budget_view(budget: Budget, money: MoneyWriter) -> BudgetView:
    """A budget in JSON."""
    period, rollover = periods_json(budget.periods), budget.rollover
    return BudgetView(
        budget_id=budget.budget_id,
        organization_id=budget.organization_id,
        name=budget.name,
        amount=money(budget.amount_e10),
        currency=budget.currency,
        period=period["period"],
        timezone=period["timezone"],
        period_days=period.get("period_days"),
        anchor_date=period.get("anchor_date"),
        fiscal_year_start=period.get("fiscal_year_start"),
        fiscal_pattern=period.get("fiscal_pattern"),
        start_date=period.get("start_date"),
        end_date=period.get("end_date"),
        scope={dimension: sorted(values) for dimension, values in budget.scope.only},
        alert_thresholds=[exact(one, money) for one in budget.thresholds],
        enforcement=str(budget.enforcement),
        parent_id=budget.parent_id,
        rollover=RolloverView(rollover.unused, rollover.overspent, money(rollover.limit_e10)),
        phases=[PhaseView(phase.start, money(phase.amount_e10)) for phase in budget.phases],
        effective_from=budget.effective_from,
        effective_to=budget.effective_to,
        escalate_after_minutes=budget.escalate_after_minutes,
        forecast_alerts=budget.forecast_alerts,
        version=budget.version,
        counted_from=budget.counted_from,
        created_at=budget.created_at,
        created_by=budget.created_by,
        updated_at=budget.updated_at,
        silenced_until=budget.silenced_until,
        ended_at=budget.ended_at,
    )


_DECIMAL = ["number", "string"]
_AMOUNT = {
    "type": _DECIMAL,
    "description": f"above 0, at most {MAX_AMOUNT:,}; exact, at most 10 decimals",
    "examples": [5000.00, "5000"],
}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_DATE = {"type": ["string", "null"], "format": "date"}
_VALUES = {
    "type": ["string", "array"],
    "minLength": 1,
    "minItems": 1,
    "maxItems": MAX_VALUES,
    "items": {"type": "string", "minLength": 1},
}
_FIELDS: Mapping[str, Any] = {
    "organization_id": {"type": ["string", "null"], "description": "whose budget it is; required with an admin key"},
    "name": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": 120,
        "description": "unlike that of all others; made from period and scope where it is left out",
    },
    "amount": _AMOUNT,
    "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$", "default": "USD"},
    "period": {
        "type": ["string", "null"],
        "description": f"{', '.join(Unit)}, or a length such as `14 days`",
        "default": "monthly",
        "examples": ["monthly", "14 days"],
    },
    "timezone": {"type": ["string", "null"], "description": "IANA zone of the periods", "default": "UTC"},
    "period_days": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_DAYS, "description": "with period days"},
    "anchor_date": {**_DATE, "description": "the first day of some period of days; its weekday begins weeks"},
    "fiscal_year_start": {"type": ["string", "null"], "description": "MM-DD", "examples": ["04-01"]},
    "fiscal_pattern": {"type": ["string", "null"], "description": "weeks of the months of a quarter: 4-4-5"},
    "start_date": {**_TIME, "description": "with period once"},
    "end_date": {**_TIME, "description": "with period once; not included"},
    "scope": {
        "type": ["object", "null"],
        "description": f"what it is about: {', '.join(DIMENSIONS)}, tag:KEY; all of them must hold, of a list one",
        "additionalProperties": False,
        "properties": dict.fromkeys(DIMENSIONS, _VALUES),
        "patternProperties": {f"^tag:.{{1,{MAX_TAG_KEY}}}$": _VALUES},
        "examples": [{"project": "search", "model": ["gpt-4o", "gpt-4o-mini"], "tag:env": "prod"}],
    },
    "alert_thresholds": {
        "type": ["array", "null"],
        "maxItems": MAX_THRESHOLDS,
        "items": {"type": _DECIMAL},
        "description": "parts of the limit, rising, above 0 and at most 1, with at most 4 decimals",
        "default": [0.50, 0.75, 0.90, 1],
    },
    "enforcement": {
        "type": ["string", "null"],
        "enum": [*(str(one) for one in Enforcement), None],
        "default": "soft",
        "description": "soft tells people; hard also refuses reservations beyond the limit",
    },
    "parent_id": {"type": ["string", "null"], "maxLength": 64, "description": "the budget above, whose scope holds it"},
    "rollover": {
        "type": ["string", "object", "null"],
        "description": "none, unused, overspent, both, or an object",
        "additionalProperties": False,
        "properties": {
            "unused": {"type": "boolean"},
            "overspent": {"type": "boolean"},
            "limit": {"type": [*_DECIMAL, "null"]},
        },
        "default": "none",
    },
    "phases": {
        "type": ["array", "null"],
        "maxItems": MAX_PHASES,
        "items": {
            "type": "object",
            "required": ["start_date", "amount"],
            "properties": {"start_date": {"type": "string", "format": "date-time"}, "amount": _AMOUNT},
        },
        "description": "other amounts for periods that begin at a time or later, in order",
    },
    "effective_from": {**_TIME, "description": "usage before is not counted"},
    "effective_to": {**_TIME, "description": "nor usage from then on"},
    "escalate_after_minutes": {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "tell the next in line where nobody has acknowledged an alert by then",
    },
    "forecast_alerts": {
        "type": ["boolean", "null"],
        "default": True,
        "description": "tell where the present rate leads beyond the limit",
    },
}
NEW_BUDGET: Mapping[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "additionalProperties": False,
    "properties": _FIELDS,
}
"""The body of POST /budgets."""

CHANGED_BUDGET: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "description": "fields to put in place of the budget's own; null takes one back to its default",
    "properties": {
        **_FIELDS,
        "version": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "the version that is changed: 409 where it is another by now",
        },
    },
}
"""The body of PATCH /budgets/{budget_id}."""
