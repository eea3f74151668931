"""Contracts as documents in the shapes of the HTTP API."""

from __future__ import annotations

from cost_ops.cli.documents import Document, instant
from cost_ops.domain.contracts import Contract
from cost_ops.domain.money import format_decimal
from cost_ops.domain.multipliers import meters_to_json
from cost_ops.domain.volumes import ContractMonth, month_text, tier_to_json, volume_to_json
from cost_ops.services.settling import Settled


def contract_document(contract: Contract) -> Document:
    """A contract."""
    return {
        "contract_id": contract.contract_id,
        "organization_id": contract.organization_id,
        "kind": contract.kind.value,
        "percent": None if contract.tiers else format_decimal(contract.percent),
        "provider": contract.provider,
        "model_id": contract.model_id,
        "meters": meters_to_json(contract.meters),
        "effective_date": instant(contract.effective_from),
        "end_date": instant(contract.effective_to),
        "note": contract.note,
        "created_at": instant(contract.created_at),
        "volume": volume_to_json(contract.tiers) if contract.tiers else None,
        "months": [_month_document(contract, month) for month in contract.months] if contract.tiers else None,
    }


def _month_document(contract: Contract, known: ContractMonth) -> Document:
    return {
        "month": month_text(known.month),
        "volume": known.volume,
        "tier": tier_to_json(contract.tiers[known.tier]),
        "settled": known.settled,
    }


def settled_document(found: Settled) -> Document:
    """A month of a contract that was settled."""
    contract, before, after, _ = found.month
    return {
        "contract_id": contract.contract_id,
        "organization_id": contract.organization_id,
        "before": None if before is None else _month_document(contract, before),
        "after": _month_document(contract, after),
        "superseded_records": found.superseded,
    }
