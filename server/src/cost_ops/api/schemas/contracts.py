"""Contracts in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.money import format_decimal
from cost_ops.domain.multipliers import meters_to_json


class ContractView(Struct):
    """One contract, valid in `[effective_date, end_date)`; null is no end."""

    contract_id: str
    organization_id: str
    kind: Annotated[str, Meta(description="discount or margin")]
    percent: Annotated[str, Meta(description="exact, as text", examples=["10"])]
    provider: str
    model_id: str
    meters: Annotated[str | list[str], Meta(description="tokens, all, or names of meters")]
    effective_date: datetime | None
    end_date: datetime | None
    note: str
    created_at: datetime | None


class ContractOne(Struct):
    """One contract."""

    data: ContractView


class ContractList(Struct):
    """Contracts by organisation and age."""

    data: list[ContractView]


def contract_view(contract: Contract) -> ContractView:
    """A contract in JSON."""
    return ContractView(
        contract_id=contract.contract_id,
        organization_id=contract.organization_id,
        kind=contract.kind.value,
        percent=format_decimal(contract.percent),
        provider=contract.provider,
        model_id=contract.model_id,
        meters=meters_to_json(contract.meters),
        effective_date=contract.effective_from,
        end_date=contract.effective_to,
        note=contract.note,
        created_at=contract.created_at,
    )


NEW_CONTRACT: Mapping[str, Any] = {
    "type": "object",
    "required": ["kind", "percent"],
    "additionalProperties": False,
    "properties": {
        "organization_id": {
            "type": ["string", "null"],
            "description": "whose contract it is; required with an admin key",
        },
        "kind": {"type": "string", "enum": [str(kind) for kind in Kind]},
        "percent": {
            "type": ["number", "string"],
            "description": "off (discount, at most 100) or on top (margin, at most 1000); exact, at most 10 decimals",
            "examples": ["10", 12.5],
        },
        "provider": {"type": ["string", "null"], "minLength": 1, "maxLength": 256, "default": "*"},
        "model_id": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 256,
            "default": "*",
            "description": "a model id, or a pattern in which * stands for any characters",
        },
        "meters": {
            "type": ["string", "array", "null"],
            "items": {"type": "string"},
            "minItems": 1,
            "description": "tokens, all, or a list of meters",
            "default": "all",
        },
        "effective_date": {"type": ["string", "null"], "format": "date-time", "description": "now by default"},
        "end_date": {"type": ["string", "null"], "format": "date-time"},
        "note": {"type": ["string", "null"], "maxLength": 256, "description": "why; explain shows it"},
    },
}
"""The body of POST /contracts."""
