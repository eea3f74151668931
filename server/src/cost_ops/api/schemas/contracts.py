"""Contracts in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.money import format_decimal
from cost_ops.domain.multipliers import meters_to_json
from cost_ops.domain.volumes import MAX_TIERS, MAX_TOKENS, ContractMonth, Tier, month_text, tier_to_json
from cost_ops.services.settling import Settled


class TierView(Struct, rename={"least": "from"}):
    """From so many tokens a month on, so much off."""

    least: Annotated[int, Meta(description="tokens, input and output together")]
    discount: Annotated[str, Meta(description="exact, as text; 0.10 is ten percent off", examples=["0.10"])]


class VolumeView(Struct):
    """Tiers: the one that a UTC calendar month reaches holds for all of its usage."""

    tiers: list[TierView]


class MonthView(Struct):
    """A month that was looked at. Its costs are estimates until it is settled."""

    month: Annotated[str, Meta(examples=["2026-11"])]
    volume: Annotated[int, Meta(description="tokens, input and output together")]
    tier: TierView
    settled: bool


class ContractView(Struct):
    """One contract, valid in `[effective_date, end_date)`; null is no end."""

    contract_id: str
    organization_id: str
    kind: Annotated[str, Meta(description="discount or margin")]
    percent: Annotated[str, Meta(description="exact, as text", examples=["10"])] | None
    provider: str
    model_id: str
    meters: Annotated[str | list[str], Meta(description="tokens, all, or names of meters")]
    effective_date: datetime | None
    end_date: datetime | None
    note: str
    created_at: datetime | None
    volume: Annotated[VolumeView | None, Meta(description="in place of percent")] = None
    months: list[MonthView] | None = None


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
        percent=None if contract.tiers else format_decimal(contract.percent),
        provider=contract.provider,
        model_id=contract.model_id,
        meters=meters_to_json(contract.meters),
        effective_date=contract.effective_from,
        end_date=contract.effective_to,
        note=contract.note,
        created_at=contract.created_at,
        volume=VolumeView([_tier(tier) for tier in contract.tiers]) if contract.tiers else None,
        months=[_month(contract, known) for known in contract.months] if contract.tiers else None,
    )


def _tier(tier: Tier) -> TierView:
    return TierView(tier.least, tier_to_json(tier)["discount"])


def _month(contract: Contract, known: ContractMonth) -> MonthView:
    return MonthView(month_text(known.month), known.volume, _tier(contract.tiers[known.tier]), known.settled)


class SettledView(Struct):
    """A month of a contract that was looked at: as it was before, if it was, and as it is now."""

    contract_id: str
    organization_id: str
    before: MonthView | None
    after: MonthView
    superseded_records: Annotated[int, Meta(description="costs of the month that are others now, of all contracts")]


class SettleView(Struct):
    """The months that were looked at, by organisation and contract."""

    dry_run: bool
    months: list[SettledView]


class SettleAnswer(Struct):
    """What settling did, or would do."""

    data: SettleView


def settled_view(found: Settled) -> SettledView:
    """A settled month in JSON."""
    contract, before, after, _ = found.month
    return SettledView(
        contract_id=contract.contract_id,
        organization_id=contract.organization_id,
        before=None if before is None else _month(contract, before),
        after=_month(contract, after),
        superseded_records=found.superseded,
    )


NEW_CONTRACT: Mapping[str, Any] = {
    "type": "object",
    "anyOf": [{"required": ["kind", "percent"]}, {"required": ["volume"]}],
    "additionalProperties": False,
    "properties": {
        "organization_id": {
            "type": ["string", "null"],
            "description": "whose contract it is; required with an admin key",
        },
        "kind": {"type": "string", "enum": [str(kind) for kind in Kind]},
        "percent": {
            "type": ["number", "string", "null"],
            "description": "off (discount, at most 100) or on top (margin, at most 1000); exact, at most 10 decimals",
            "examples": ["10", 12.5],
        },
        "volume": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "required": ["tiers"],
            "description": "in place of percent: the discount by the tokens of the whole UTC calendar month",
            "properties": {
                "tiers": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_TIERS,
                    "description": "the first from 0 tokens on, each from more than the one before it",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["from", "discount"],
                        "properties": {
                            "from": {"type": "integer", "minimum": 0, "maximum": MAX_TOKENS},
                            "discount": {
                                "type": ["number", "string"],
                                "description": "at least 0, less than 1; exact, at most 12 decimals",
                                "examples": ["0.10"],
                            },
                        },
                    },
                },
                "mode": {"type": "string", "enum": ["all_units"], "default": "all_units"},
                "timezone": {"type": "string", "enum": ["UTC"], "default": "UTC"},
            },
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

SETTLE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "organization_id": {"type": ["string", "null"], "description": "with an admin key: only this one, not all"},
        "month": {
            "type": ["string", "null"],
            "pattern": "^[0-9]{4}-[0-9]{2}$",
            "description": "only this one, settled or not; all that are not settled where it is left out",
            "examples": ["2026-11"],
        },
        "dry_run": {"type": ["boolean", "null"], "default": False, "description": "look, and change nothing"},
    },
}
"""The body of POST /contracts/settle."""
