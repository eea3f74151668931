"""Leases in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import MaybeMoney, Money, MoneyWriter
from cost_ops.api.pages import Pagination
from cost_ops.api.schemas.usage import CostParts
from cost_ops.domain.lease_requests import FIELDS
from cost_ops.domain.leases import Decision, Lease, Level
from cost_ops.domain.submitted import Submitted


class LeaseLevelView(Struct):
    """A budget that a lease holds a part of, as it stood before. `available` is neither spent nor held."""

    budget_id: str
    name: str
    enforcement: str
    period: str
    currency: str
    amount: Annotated[MaybeMoney, Meta(description="what is held of it; null without an exchange rate")]
    limit: Money
    spent: Money
    held: Money
    available: Money
    fits: bool


class HeldView(Struct):
    """What a lease holds of a budget."""

    budget_id: str
    name: str
    period: str
    amount: Money
    currency: str


class LeaseView(Struct):
    """A lease. `warnings` names soft budgets that it goes beyond."""

    lease_id: Annotated[str | None, Meta(description="null where budgets could not be asked (`checked` is false)")]
    organization_id: str
    status: Annotated[str, Meta(description="held, settled, released, expired; unchecked where there is none")]
    amount: MaybeMoney
    currency: str | None
    created_at: datetime | None
    expires_at: datetime | None
    holds: list[HeldView]
    budgets: list[LeaseLevelView]
    warnings: list[str]
    usage: dict[str, Any]
    usage_id: str | None = None
    settled_cost: MaybeMoney | None = None
    checked: bool = True


class LeaseAnswer(Struct):
    """A lease."""

    data: LeaseView


class LeasePage(Struct):
    """A page of leases."""

    data: list[LeaseView]
    pagination: Pagination


class SettledLeaseView(Struct):
    """What became of the lease. `late`: it had run out; `over_lease`: how much more the call cost than was held."""

    lease_id: str
    amount: Money
    currency: str
    late: bool
    over_lease: MaybeMoney


class SettledUsageView(Struct):
    """The recorded usage, as POST /usage answers, and its lease."""

    usage_id: str
    organization_id: str
    status: str
    cost: CostParts | None
    currency: str | None
    processed_at: datetime
    lease: SettledLeaseView


class SettledUsageAnswer(Struct):
    """The recorded usage and its lease; beside `data` what simple clients look for."""

    data: SettledUsageView
    usage_id: str
    estimated_cost: MaybeMoney


RESERVATION: Mapping[str, Any] = {
    "type": "object",
    "required": ["organization_id"],
    "additionalProperties": False,
    "description": "what the call will be, and how much it may cost: an amount, or tokens that are priced",
    "properties": {
        **{name: {} for name in FIELDS},
        "organization_id": {"type": "string", "examples": ["org-123"]},
        "amount": {"type": ["number", "string", "null"], "examples": [0.05]},
        "ttl_seconds": {"type": ["integer", "null"], "minimum": 1, "maximum": 86_400},
        "tags": {"type": ["object", "array", "null"]},
    },
}
SETTLEMENT: Mapping[str, Any] = {
    "type": "object",
    "required": ["lease_id"],
    "additionalProperties": False,
    "properties": {
        "lease_id": {"type": "string", "minLength": 1, "maxLength": 64},
        **{field.name: {} for field in fields(Submitted)},
    },
    "description": "lease_id, and a usage record as POST /usage takes it; what it leaves out is the lease's",
}
RELEASE: Mapping[str, Any] = {
    "type": "object",
    "required": ["lease_id"],
    "additionalProperties": False,
    "properties": {"lease_id": {"type": "string"}, "organization_id": {"type": ["string", "null"]}},
}


def level_view(level: Level, money: MoneyWriter) -> LeaseLevelView:
    """How a budget stood before a lease."""
    stands = level.status
    return LeaseLevelView(
        budget_id=stands.budget.budget_id,
        name=stands.budget.name,
        enforcement=str(stands.budget.enforcement),
        period=stands.label,
        currency=stands.budget.currency,
        amount=money(level.amount_e10),
        limit=money(stands.limit_e10),
        spent=money(stands.spent_e10),
        held=money(stands.held_e10),
        available=money(stands.available_e10),
        fits=level.fits,
    )


def lease_view(lease: Lease, money: MoneyWriter, decision: Decision | None = None) -> LeaseView:
    """A lease, and how its budgets stood where that was just looked at."""
    levels = () if decision is None else decision.levels
    return LeaseView(
        lease_id=lease.lease_id,
        organization_id=lease.organization_id,
        status=str(lease.status),
        amount=money(lease.amount_e10),
        currency=lease.currency,
        created_at=lease.created_at,
        expires_at=lease.expires_at,
        holds=[HeldView(h.budget_id, h.name, h.period, money(h.amount_e10), h.currency) for h in lease.holds],
        budgets=[level_view(level, money) for level in levels],
        warnings=[] if decision is None else [_warning(level) for level in decision.warnings],
        usage=dict(lease.usage),
        usage_id=lease.usage_id,
        settled_cost=money(lease.settled_e10),
    )


def _warning(level: Level) -> str:
    stands = level.status
    if level.amount_e10 is None:
        return f"budget {stands.budget.name!r} has no exchange rate for this amount: nothing is held of it"
    return f"budget {stands.budget.name!r} is exceeded in {stands.label}; it is soft, so the call may go on"
