"""Contracts of organisations: adding, listing, ending. They count for usage that is priced from then on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.access import ADMIN, authorize
from cost_ops.domain.audit import Action, AuditEvent
from cost_ops.domain.contracts import Contract, Kind, check_tie, contract_faults, parse_contract_id
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.meters import RATE_METERS
from cost_ops.domain.money import format_decimal
from cost_ops.domain.multipliers import meters_to_json
from cost_ops.domain.periods import format_instant
from cost_ops.domain.prices import WILDCARD
from cost_ops.domain.text import text_fault
from cost_ops.domain.volumes import Tier, volume_to_json
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class NewContract:
    """A contract as someone asks for it. Without `effective_from` it holds from now on."""

    kind: Kind
    percent: Decimal
    provider: str = WILDCARD
    model_id: str = WILDCARD
    meters: frozenset[str] = RATE_METERS
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    note: str = ""
    tiers: tuple[Tier, ...] = ()


def add(ctx: Context, organization_id: str | None, new: NewContract) -> Contract:
    """Store a contract of an organisation. A margin is the installation's to set, a discount also its organisation's.

    Raises Conflict where another one is as specific at the same time, InvalidInput, Forbidden.
    """
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    if bound is None:
        raise invalid("organization_id", "missing_required_field", "organization_id is required: whose contract it is")
    _may_set(ctx, new.kind)
    now = ctx.clock()
    contract = Contract(
        bound,
        new.kind,
        new.percent,
        ctx.books.current().names.canonical(new.provider),
        new.model_id.strip(),
        new.meters,
        new.effective_from or now,
        new.effective_to,
        new.note,
        tiers=new.tiers,
    )
    if problems := [*_text_faults(contract), *contract_faults(contract)]:
        raise InvalidInput(problems)
    with ctx.storage.ledger(bound) as ledger:
        ledger.prices.bump_version()  # first: it serialises writers, so that no two see the same contracts
        check_tie(contract, ledger.contracts.list())
        added = ledger.contracts.add(contract, now)
        ledger.audit.add(_event(ctx, Action.CONTRACT_ADDED, added))
    return added


def _percent_or_volume(contract: Contract) -> dict[str, Any]:
    """What it takes off or adds, for people: a percentage, or tiers."""
    if contract.tiers:
        return {"volume": volume_to_json(contract.tiers)}
    return {"percent": format_decimal(contract.percent)}


def _event(ctx: Context, action: Action, contract: Contract) -> AuditEvent:
    start, end = contract.effective_from, contract.effective_to
    return ctx.event(
        action,
        contract.contract_id,
        organization_id=contract.organization_id,
        detail={
            "kind": contract.kind.value,
            **_percent_or_volume(contract),
            "provider": contract.provider,
            "model_id": contract.model_id,
            "meters": meters_to_json(contract.meters),
            "effective_date": None if start is None else format_instant(start),
            "end_date": None if end is None else format_instant(end),
        },
    )


def _text_faults(contract: Contract) -> list[Problem]:
    found = []
    for name, value in (("provider", contract.provider), ("model_id", contract.model_id), ("note", contract.note)):
        if not value and name != "note":
            found.append(Problem(name, "empty", f"{name} must not be empty; * stands for all"))
        elif fault := text_fault(value):
            found.append(Problem(name, fault[0], f"{name} {fault[1]}"))
    return found


def _may_set(ctx: Context, kind: Kind) -> None:
    """A margin is what the installation's owner adds: the organisation it is for cannot take it away."""
    if kind is Kind.MARGIN and not ctx.principal.owner:
        raise Forbidden(ADMIN)


def list_contracts(ctx: Context, organization_id: str | None, *, current: bool = False) -> list[Contract]:
    """Contracts of an organisation, or of all where an owner names none; `current`: only those valid now."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    if bound is None:
        with ctx.storage.installation() as installation:
            found = installation.contracts.list()
    else:
        with ctx.storage.ledger(bound) as ledger:
            found = ledger.contracts.list()
    now = ctx.clock()
    return [c for c in found if not current or c.valid_at(now)]


def end(ctx: Context, organization_id: str | None, contract_id: str, at: datetime | None = None) -> Contract:
    """End a contract now or at `at`; what was priced under it stays as it is. Raises NotFound, Forbidden."""
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    number = parse_contract_id(contract_id)
    instant = at or ctx.clock()
    with ctx.storage.installation() as installation:
        installation.prices.bump_version()
        found = installation.contracts.get(number) if number is not None else None
        if found is None or (bound is not None and found.organization_id != bound):
            raise NotFound(f"No contract with id {contract_id[:64]!r}")
        _may_set(ctx, found.kind)
        if found.effective_to is not None and found.effective_to <= instant:
            return found
        if found.effective_from is not None and instant <= found.effective_from:
            instant = found.effective_from
        installation.contracts.end(found.number or 0, instant)
        ended = replace(found, effective_to=instant)
        installation.audit.add(_event(ctx, Action.CONTRACT_ENDED, ended))
    return ended
