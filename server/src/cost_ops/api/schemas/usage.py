"""Usage in JSON: what is submitted, what is answered, what is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.money import NULL, MaybeMoney, Money, MoneyWriter, decimal_writer
from cost_ops.api.pages import Pagination
from cost_ops.domain.charging import Line
from cost_ops.domain.meters import INPUT_METERS, METERS, OUTPUT_METERS, Side
from cost_ops.domain.money import format_decimal
from cost_ops.domain.usage import Quantity, UsageRecord, cached_tokens, token_totals

Amount = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": ["number", "string"]})]
"""An exact number: a quantity, a rate."""


class CostParts(Struct):
    """What a record cost. `cache_cost` (cache reads and writes) is part of `input_cost`; the parts add up to the total.

    Parts are null where the total is not ours to split: the provider reported it.
    """

    total_cost: Money
    input_cost: MaybeMoney
    output_cost: MaybeMoney
    cache_cost: MaybeMoney
    other_cost: MaybeMoney


class Recorded(Struct):
    """A recorded usage. `cost` and `currency` are null where the model has no price yet (`status` is `unpriced`)."""

    usage_id: str
    organization_id: str
    status: str
    cost: CostParts | None
    currency: str | None
    processed_at: datetime


class UsageAnswer(Struct):
    """The answer to one submitted record; `usage_id` and `estimated_cost` are repeated flat for simple clients."""

    data: Recorded
    usage_id: str
    estimated_cost: MaybeMoney


class Refused(Struct):
    """Why a record of a batch was not taken."""

    code: str
    message: str
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    retry_after: int | msgspec.UnsetType = msgspec.UNSET


class BatchResult(Struct):
    """One record of a batch: recorded (or had been), or refused with an error. `cost` is the total, null if unknown.

    With `details` it also names the provider, the model and the tokens, as the record was understood.
    """

    index: int
    usage_id: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    cost: MaybeMoney | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType | None = msgspec.UNSET
    replayed: bool | msgspec.UnsetType = msgspec.UNSET
    provider: str | msgspec.UnsetType = msgspec.UNSET
    model_id: str | msgspec.UnsetType = msgspec.UNSET
    input_tokens: int | msgspec.UnsetType = msgspec.UNSET
    output_tokens: int | msgspec.UnsetType = msgspec.UNSET
    error: Refused | msgspec.UnsetType = msgspec.UNSET


class BatchResults(Struct):
    """A batch's outcome, one result per record, in order. `accepted` counts new records."""

    accepted: int
    replayed: int
    rejected: int
    results: list[BatchResult]


class BatchAnswer(Struct):
    """The answer to a batch."""

    data: BatchResults


class UsageView(Struct):
    """A stored record with its current cost."""

    usage_id: str
    organization_id: str
    timestamp: datetime
    received_at: datetime
    provider: str
    model_id: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int
    quantities: dict[str, Amount]
    status: str
    cost: CostParts | None
    currency: str | None
    price_id: str | None
    project_id: str | None
    user_id: str | None
    team_id: str | None
    session_id: str | None
    service_tier: str | None
    processing: str | None
    region: str | None
    latency_ms: int | None
    reported_cost: MaybeMoney
    estimated: bool
    requested_model_id: str | None
    response_id: str | None
    discrepant: Annotated[bool, Meta(description="the provider's own numbers contradict each other; see explain")]
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]


class UsagePage(Struct):
    """A page of records, newest first."""

    data: list[UsageView]
    pagination: Pagination


class RevisedView(UsageView):
    """A stored record with its current cost, and how often it was corrected."""

    revision: int


class UsageOne(Struct):
    """One stored record."""

    data: RevisedView


_CACHE_METERS = frozenset(name for name in METERS if "_cache_" in name)
_OTHER = frozenset(name for name, meter in METERS.items() if meter.side is Side.COUNTER)


def split(lines: Sequence[Line], cost_e10: int) -> tuple[int, int, int, int] | None:
    """(input, output, cache, other) of a cost, cache being part of input; None where the lines are not its parts."""
    whole_input = output = cache = other = 0
    for meter, _, _, amount in lines:
        if meter in INPUT_METERS:
            whole_input += amount
            if meter in _CACHE_METERS:
                cache += amount
        elif meter in OUTPUT_METERS:
            output += amount
        else:
            other += amount
    return (whole_input, output, cache, other) if whole_input + output + other == cost_e10 else None


def cost_parts(lines: Sequence[Line], cost_e10: int | None, money: MoneyWriter) -> CostParts | None:
    """A cost in JSON; None where it is not known."""
    if cost_e10 is None:
        return None
    parts = split(lines, cost_e10)
    if parts is None:
        return CostParts(money(cost_e10), NULL, NULL, NULL, NULL)
    return CostParts(money(cost_e10), *(money(part) for part in parts))


def usage_view(record: UsageRecord, lines: Sequence[Line], money: MoneyWriter) -> UsageView:
    """A stored record in JSON."""
    quantities, evidence = record.quantities, record.evidence or {}
    whole_input, output = token_totals(quantities)
    return UsageView(
        usage_id=record.usage_id,
        organization_id=record.organization_id,
        timestamp=record.timestamp,
        received_at=record.received_at,
        provider=record.provider,
        model_id=record.model_id,
        input_tokens=whole_input,
        output_tokens=output,
        total_tokens=whole_input + output,
        cached_tokens=cached_tokens(quantities),
        quantities={meter: quantity_view(quantity, money) for meter, quantity in quantities.items()},
        status=str(record.status),
        cost=cost_parts(lines, record.cost_e10, money),
        currency=record.currency,
        price_id=None if record.price_id is None else f"price-{record.price_id}",
        project_id=record.project_id,
        user_id=record.user_id,
        team_id=record.team_id,
        session_id=record.session_id,
        service_tier=record.service_tier,
        processing=record.processing,
        region=record.region,
        latency_ms=record.latency_ms,
        reported_cost=money(record.reported_cost_e10),
        estimated=record.estimated,
        requested_model_id=evidence.get("requested_model_id"),
        response_id=evidence.get("response_id"),
        discrepant=bool(evidence.get("discrepancies")),
        tags=record.tags,
        metadata=record.metadata,
    )


def revised_view(record: UsageRecord, lines: Sequence[Line], money: MoneyWriter, revision: int) -> RevisedView:
    """A stored record in JSON, with how often it was corrected."""
    view = usage_view(record, lines, money)
    return RevisedView(**{name: getattr(view, name) for name in UsageView.__struct_fields__}, revision=revision)


def quantity_view(quantity: Quantity, money: MoneyWriter) -> msgspec.Raw:
    """A quantity in JSON, exact."""
    if isinstance(quantity, int):
        return msgspec.Raw(b"%d" % quantity)
    return decimal_writer(format_decimal(quantity), money)
