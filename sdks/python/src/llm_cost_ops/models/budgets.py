"""Budgets, leases of them, and alerts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from llm_cost_ops.models.base import Model
from llm_cost_ops.models.usage import Submitted


class Budget(Model):
    """What may be spent in a period."""

    budget_id: str
    organization_id: str
    name: str
    amount: Decimal
    currency: str
    period: str
    timezone: str
    scope: dict[str, Any]
    alert_thresholds: list[Decimal]
    enforcement: str
    """`soft` tells people; `hard` also refuses reservations beyond the limit."""
    parent_id: Optional[str]
    effective_from: Optional[datetime]
    effective_to: Optional[datetime]
    forecast_alerts: bool
    version: int
    counted_from: Optional[datetime]
    silenced_until: Optional[datetime]
    ended_at: Optional[datetime]


class Threshold(Model):
    """A part of a limit at which people are told."""

    threshold: Decimal
    amount: Decimal
    reached: bool
    alert_id: Optional[str]
    fired_at: Optional[datetime]
    acknowledged_at: Optional[datetime]
    recovered_at: Optional[datetime]


class BudgetPeriod(Model):
    """A period of a budget."""

    period: str
    period_start: Optional[datetime]
    period_end: Optional[datetime]
    planned: Optional[Decimal]
    carried_over: Optional[Decimal]
    limit: Decimal
    spent: Decimal
    percent_used: Optional[Decimal]


class BudgetStatus(Model):
    """How a budget stands."""

    budget_id: str
    name: str
    depth: Optional[int]
    currency: str
    enforcement: Optional[str]
    state: str
    """`ok`, `warning`, `exceeded` or `not_in_force`."""
    in_force: Optional[bool]
    period: Optional[str]
    period_start: Optional[datetime]
    period_end: Optional[datetime]
    planned: Optional[Decimal]
    carried_over: Optional[Decimal]
    limit: Optional[Decimal]
    spent: Optional[Decimal]
    held: Optional[Decimal]
    """By leases that are open."""
    available: Optional[Decimal]
    percent_used: Optional[Decimal]
    projected_spend: Optional[Decimal]
    projected_exceeded_at: Optional[datetime]
    thresholds: Optional[list[Threshold]]
    unpriced_requests: Optional[int]
    children: Optional[list[BudgetStatus]]
    """Of `status(budget_id)`: those right below it."""


class BudgetPreview(Model):
    """What a budget would have told of the last 366 days."""

    name: str
    currency: str
    alerts: int
    periods: list[Model]


class BudgetRoom(Model):
    """A budget that a call counts for, and whether the call fits."""

    budget_id: Optional[str]
    name: str
    currency: Optional[str]
    enforcement: Optional[str]
    amount: Optional[Decimal]
    limit: Optional[Decimal]
    spent: Optional[Decimal]
    held: Optional[Decimal]
    available: Optional[Decimal]
    fits: Optional[bool]
    refuses: Optional[bool]


class BudgetCheck(Model):
    """Whether a reservation would be granted now; nothing is held."""

    allowed: bool
    amount: Optional[Decimal]
    currency: Optional[str]
    budgets: list[BudgetRoom]


class Hold(Model):
    """What a lease holds of one budget."""

    budget_id: Optional[str]
    name: str
    period: Optional[str]
    amount: Optional[Decimal]
    currency: Optional[str]


class Lease(Model):
    """What is held for a call that is about to be made. `lease_id` is None where nothing could be checked."""

    lease_id: Optional[str]
    organization_id: Optional[str]
    status: str
    """`held`, `settled`, `released` or `expired`."""
    amount: Optional[Decimal]
    currency: Optional[str]
    created_at: Optional[datetime]
    expires_at: Optional[datetime]
    holds: Optional[list[Hold]]
    budgets: Optional[list[BudgetRoom]]
    """How they stood before."""
    warnings: Optional[list[Any]]
    """Soft budgets without room."""
    checked: Optional[bool]
    settled_cost: Optional[Decimal]
    usage_id: Optional[str]


class SettledLease(Model):
    """What became of a lease: `over_lease` is how much more the call cost than was held."""

    lease_id: str
    amount: Decimal
    currency: str
    late: bool
    over_lease: Optional[Decimal]


class Settled(Submitted):
    """The record of a call whose lease is over."""

    lease: SettledLease


class Silence(Model):
    """Until when nobody is told of a budget."""

    budget_id: Optional[str]
    silenced_until: Optional[datetime]


class Alert(Model):
    """A threshold that was reached, or a forecast of it."""

    alert_id: str
    budget_id: str
    budget_name: str
    kind: str
    threshold: Optional[Decimal]
    status: str
    """`open`, `acknowledged` or `recovered`."""
    fired_at: datetime
    period_label: Optional[str]
    limit: Optional[Decimal]
    currency: Optional[str]
    late: bool
    silenced: bool
    recovered_at: Optional[datetime]
    acknowledged_at: Optional[datetime]
    escalated_at: Optional[datetime]
    comment: Optional[str]
