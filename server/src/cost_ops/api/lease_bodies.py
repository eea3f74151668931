"""Bodies about leases: what is asked for, what settles, what is given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cost_ops.api.decoding import read_value
from cost_ops.api.fields import Fields
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.lease_requests import LeaseRequest, read_lease_request, settled_fields, settled_intake
from cost_ops.domain.leases import Lease
from cost_ops.domain.submission import Intake
from cost_ops.domain.usage import UsageSubmission
from cost_ops.services import leases


def read_request(
    document: Any, intake: Intake, principal: Principal, ttl: timedelta, budget_id: str | None = None
) -> LeaseRequest:
    """A request for a lease, as its principal may make it. Raises InvalidInput, Forbidden, NotFound."""
    intake = replace(intake, organization_id=principal.organization_id)
    request = read_lease_request(document, intake, default_ttl=ttl, budget_id=budget_id)
    return leases.placed(principal, request)


def lease_id_of(document: Any) -> str:
    """The lease that a body names. Raises InvalidInput."""
    if not isinstance(document, Mapping):
        raise invalid("", "invalid_type", "the body must be a JSON object that names its lease_id")
    lease_id = document.get("lease_id")
    if not isinstance(lease_id, str) or not lease_id or len(lease_id) > 64:
        raise invalid("lease_id", "missing_required_field", "lease_id is required: the one that reserving answered")
    return lease_id


def released_lease(document: Any) -> tuple[str, str | None]:
    """The lease that is given back, and the organisation that is named. Raises InvalidInput with every problem."""
    fields = Fields(document, ("lease_id", "organization_id"), what="a release")
    lease_id, organization_id = fields.text("lease_id", required=True), fields.text("organization_id")
    fields.done()
    return lease_id or "", organization_id


def settled_submission(document: Mapping[str, Any], lease: Lease, intake: Intake) -> UsageSubmission:
    """The usage of a settlement. Raises InvalidInput."""
    return read_value(settled_fields(document, lease), settled_intake(lease, intake))


def check_of_budget(lease: Lease, budget_id: str) -> None:
    """Raises NotFound where a lease holds nothing of a budget."""
    if all(held.budget_id != budget_id for held in lease.holds):
        raise NotFound(f"No lease {lease.lease_id!r} of budget {budget_id[:64]!r}")
