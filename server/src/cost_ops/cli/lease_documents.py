"""Leases as documents in the shapes of the HTTP API."""

from __future__ import annotations

from cost_ops.cli.documents import Document, amount, instant
from cost_ops.domain.errors import Conflict
from cost_ops.domain.leases import Lease, LeaseStatus
from cost_ops.domain.money import format_e10
from cost_ops.services.leases import Refused
from cost_ops.services.usage import RecordedUsage


def lease_document(lease: Lease) -> Document:
    """A lease."""
    return {
        "lease_id": lease.lease_id,
        "organization_id": lease.organization_id,
        "status": str(lease.status),
        "amount": amount(lease.amount_e10),
        "currency": lease.currency,
        "created_at": instant(lease.created_at),
        "expires_at": instant(lease.expires_at),
        "holds": [
            {
                "budget_id": held.budget_id,
                "name": held.name,
                "period": held.period,
                "amount": amount(held.amount_e10),
                "currency": held.currency,
            }
            for held in lease.holds
        ],
        "usage": dict(lease.usage),
        "usage_id": lease.usage_id,
        "settled_cost": amount(lease.settled_e10),
    }


def settled_document(recorded: RecordedUsage, lease: Lease) -> Document:
    """A recorded usage and its lease."""
    over = None
    if recorded.cost_e10 is not None and recorded.currency == lease.currency:
        over = max(0, recorded.cost_e10 - lease.amount_e10)
    return {
        "usage_id": recorded.usage_id,
        "organization_id": recorded.organization_id,
        "status": str(recorded.status),
        "cost": amount(recorded.cost_e10),
        "currency": recorded.currency,
        "lease": {
            "lease_id": lease.lease_id,
            "amount": amount(lease.amount_e10),
            "currency": lease.currency,
            "late": lease.status is LeaseStatus.EXPIRED,
            "over_lease": amount(over),
        },
    }


def refusal(refused: Refused) -> Conflict:
    """Why there is no lease."""
    stands = refused.decision.refusing[0].status
    left, asked = format_e10(max(0, stands.available_e10)), format_e10(refused.amount_e10)
    return Conflict(
        f"Budget {stands.budget.name!r} has {left} {stands.budget.currency} left in {stands.label}, "
        f"{asked} {refused.currency} was asked for"
    )
