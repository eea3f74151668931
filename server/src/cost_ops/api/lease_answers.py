"""Answers about leases: granted, refused, settled."""

from __future__ import annotations

from cost_ops.api.errors import encoded
from cost_ops.api.ingest_answers import usage_answer
from cost_ops.api.money import MoneyWriter, as_number
from cost_ops.api.schemas.leases import LeaseLevelView, SettledLeaseView, lease_view, level_view
from cost_ops.domain.access import Principal
from cost_ops.domain.budgets import is_within
from cost_ops.domain.errors import Conflict
from cost_ops.domain.lease_requests import LeaseRequest
from cost_ops.domain.leases import Decision, Lease, LeaseStatus
from cost_ops.domain.money import format_e10
from cost_ops.services.leases import READ, Granted, Refused
from cost_ops.services.usage import RecordedUsage


def granted_answer(granted: Granted, principal: Principal, money: MoneyWriter) -> bytes:
    """A lease, with the budgets that it holds a part of as they stood before, as far as the caller may read them."""
    return encoded({"data": lease_view(granted.lease, money, _seen(granted.decision, principal))})


def refusal(refused: Refused, principal: Principal) -> Conflict:
    """Why there is no lease: each budget without room, and how much is left of it, as far as the caller may read it."""
    seen = _seen(refused.decision, principal).refusing
    if not seen:
        message = "A budget of the organization has no room for this call; this credential may not read which"
        return Conflict(message, reason="budget_exceeded", budgets=[])
    levels: list[LeaseLevelView] = [level_view(level, as_number) for level in seen]
    first = seen[0]
    stands = first.status
    if first.certain:
        left, asked = format_e10(max(0, stands.available_e10)), format_e10(refused.amount_e10)
        why = f"has {left} {stands.budget.currency} left in {stands.label}, {asked} {refused.currency} was asked for"
        reason = "budget_exceeded"
    else:
        currencies = sorted({refused.currency, *(currency for currency, _ in stands.unconverted)})
        why = f"cannot be checked: there is no exchange rate from {', '.join(currencies)} to {stands.budget.currency}"
        reason = "no_exchange_rate"
    return Conflict(f"Budget {stands.budget.name!r} {why}", reason=reason, budgets=levels)


def _seen(decision: Decision, principal: Principal) -> Decision:
    """The part of a decision that is about budgets which the caller may read."""
    if not principal.may(READ):
        return Decision(())
    scope = principal.scope_of(READ)
    return Decision(tuple(level for level in decision.levels if is_within(level.status.budget.scope, scope)))


def unchecked_answer(request: LeaseRequest) -> bytes:
    """What a call is told where budgets cannot be asked, and the settings say that it goes on."""
    return encoded(
        {
            "data": {
                "lease_id": None,
                "organization_id": request.organization_id,
                "status": "unchecked",
                "checked": False,
                "budgets": [],
            }
        }
    )


def settled_answer(recorded: RecordedUsage, lease: Lease, money: MoneyWriter) -> bytes:
    """The body of a recorded usage, as POST /usage has it, with what became of the lease."""
    over = None
    if recorded.cost_e10 is not None and recorded.currency == lease.currency:
        over = max(0, recorded.cost_e10 - lease.amount_e10)
    settled = SettledLeaseView(
        lease_id=lease.lease_id,
        amount=money(lease.amount_e10),
        currency=lease.currency,
        late=lease.status is LeaseStatus.EXPIRED,
        over_lease=money(over),
    )
    return usage_answer(recorded, money, f',"lease":{encoded(settled).decode()}')
