"""A lease as a row, and back."""

from __future__ import annotations

from typing import Any

from cost_ops.domain.leases import Held, Lease, LeaseStatus
from cost_ops.domain.periods import from_us, to_us


def lease_of(row: Any) -> Lease:
    """The lease in a row."""
    return Lease(
        row.lease_id,
        row.organization_id,
        row.amount_e10,
        row.currency,
        row.usage,
        tuple(Held(*one) for one in row.holds),
        from_us(row.created_at),
        from_us(row.expires_at),
        LeaseStatus(row.status),
        row.key,
        row.request_hash,
        None if row.closed_at is None else from_us(row.closed_at),
        row.usage_id,
        row.settled_e10,
        row.settled_currency,
    )


def values_of(lease: Lease) -> dict[str, Any]:
    """The values of a new lease's row."""
    return {
        "lease_id": lease.lease_id,
        "organization_id": lease.organization_id,
        "key": lease.key,
        "request_hash": lease.request_hash,
        "status": str(lease.status),
        "amount_e10": lease.amount_e10,
        "currency": lease.currency,
        "usage": dict(lease.usage),
        "holds": [list(one) for one in lease.holds],
        "created_at": to_us(lease.created_at),
        "expires_at": to_us(lease.expires_at),
    }
