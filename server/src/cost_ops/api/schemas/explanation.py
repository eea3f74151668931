"""The proof of an amount in JSON: payload field → bucket → price → line → amount."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import MaybeMoney, Money, MoneyWriter, decimal_writer
from cost_ops.api.schemas.pricing import PriceView
from cost_ops.api.schemas.usage import Amount, UsageView, quantity_view, usage_view
from cost_ops.domain.money import format_decimal
from cost_ops.domain.price_choice import Considered
from cost_ops.domain.proof import ProvedLine
from cost_ops.domain.usage import Quantities
from cost_ops.interfaces.storage import CostVersion
from cost_ops.services.explain import ExplainedStep, Explanation


class PayloadField(Struct):
    """One number of the provider's payload, and the bucket that it, or what remained of it, went to."""

    path: str
    quantity: Amount
    meter: str | None
    note: str


class DiscrepancyView(Struct):
    """Where the provider's own numbers contradict each other: what it states, what its parts add up to."""

    rule: str
    stated: int
    counted: int
    message: str


class ConsideredPrice(Struct):
    """A price that could have held, in the order in which they are asked."""

    price_id: str
    provider: str
    model_id: str
    layer: str
    source: str
    effective_date: datetime | None
    end_date: datetime | None
    found_by: str
    won: bool
    verdict: str


class StepView(Struct):
    """A step of a response that ran several, each priced by its own model."""

    model_id: str
    kind: str
    quantities: dict[str, Amount]
    price_id: str | None


class CostLine(Struct):
    """One line of a cost: `paid_quantity` × `rate_price` × factors / `rate_per` is `exact_amount`, rounded once."""

    meter: str
    quantity: Amount
    paid_quantity: Amount
    priced_as: Annotated[str, Meta(description="the meter whose rate was used: its own, or a fallback's")]
    rate_price: Amount
    rate_per: int
    included: int
    conditions: dict[str, Any]
    factors: list[dict[str, Any]]
    exact_amount: Amount
    amount: Money
    reasons: list[str]


class VersionView(Struct):
    """One cost that the record has had; version 0 is the first."""

    version: int
    status: str
    cost: MaybeMoney
    currency: str | None
    price_id: str | None
    reason: str
    run: int | None
    created_at: datetime


class ExplanationView(Struct):
    """Everything behind a record's amount."""

    usage: UsageView
    shape: str | None
    fields: list[PayloadField]
    discrepancies: list[DiscrepancyView]
    price: PriceView | None
    found_by: str | None
    considered: list[ConsideredPrice]
    context_tokens: int
    steps: list[StepView]
    lines: list[CostLine]
    recomputed_cost: MaybeMoney
    missing_meters: list[str]
    agrees: bool
    reason: str
    versions: list[VersionView]
    list_cost: Annotated[
        MaybeMoney, Meta(description="without the organisation's contracts, where one changed the price")
    ]


class ExplanationAnswer(Struct):
    """The proof of one amount."""

    data: ExplanationView


def explanation_view(found: Explanation, price: PriceView | None, money: MoneyWriter) -> ExplanationView:
    """The proof in JSON; `price` is the price it points at, in JSON already."""
    stored_lines = [proved.line for proved in found.lines] if found.price is not None else ()
    return ExplanationView(
        usage=usage_view(found.record, stored_lines, money),
        shape=(found.record.evidence or {}).get("shape"),
        fields=[PayloadField(f.path, quantity_view(f.quantity, money), f.meter, f.note) for f in found.fields],
        discrepancies=[_discrepancy(one) for one in found.discrepancies],
        price=price,
        found_by=found.found_by,
        considered=[_considered(one) for one in found.considered],
        context_tokens=found.context_tokens,
        steps=[_step(step, money) for step in found.steps],
        lines=[line_view(line, money) for line in found.lines],
        recomputed_cost=money(found.recomputed_e10),
        missing_meters=list(found.missing_meters),
        agrees=found.agrees,
        reason=found.reason,
        versions=[_version(version, money) for version in found.versions],
        list_cost=money(found.list_cost_e10),
    )


def _discrepancy(found: Mapping[str, Any]) -> DiscrepancyView:
    return DiscrepancyView(found["rule"], found["stated"], found["counted"], found["message"])


def _considered(one: Considered) -> ConsideredPrice:
    price = one.price
    return ConsideredPrice(
        price.price_id,
        price.provider,
        price.model_id,
        price.layer.value,
        price.source,
        price.effective_from,
        price.effective_to,
        one.found_by,
        one.won,
        one.verdict,
    )


def _quantities(quantities: Quantities, money: MoneyWriter) -> dict[str, Amount]:
    return {meter: quantity_view(quantity, money) for meter, quantity in quantities.items()}


def _step(step: ExplainedStep, money: MoneyWriter) -> StepView:
    price_id = None if step.price is None else step.price.price_id
    return StepView(step.model_id, step.kind, _quantities(step.quantities, money), price_id)


def line_view(proved: ProvedLine, money: MoneyWriter) -> CostLine:
    """One line of a cost, with its product."""
    line, rate = proved.line, proved.line.rate.rate
    return CostLine(
        meter=line.meter,
        quantity=quantity_view(line.quantity, money),
        paid_quantity=quantity_view(proved.paid_quantity, money),
        priced_as=rate.meter,
        rate_price=decimal_writer(format_decimal(rate.price), money),
        rate_per=rate.per,
        included=rate.included,
        conditions=rate.when.to_json(),
        factors=[factor.to_json() for factor in line.rate.factors],
        exact_amount=decimal_writer(format_decimal(proved.exact), money),
        amount=money(line.amount_e10),
        reasons=list(proved.reasons),
    )


def _version(version: CostVersion, money: MoneyWriter) -> VersionView:
    return VersionView(
        version.version,
        version.status,
        money(version.cost_e10),
        version.currency,
        None if version.price_number is None else f"price-{version.price_number}",
        version.reason,
        version.run,
        version.created_at,
    )
