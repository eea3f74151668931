"""Prices in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.money import NULL, Money, MoneyWriter, decimal_writer
from cost_ops.api.pages import Pagination
from cost_ops.domain.meters import MILLION
from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import from_us
from cost_ops.domain.pricebook import Segment
from cost_ops.domain.prices import FLAT_METERS, Price
from cost_ops.services.unpriced import Unpriced

UnitPrice = Annotated[
    msgspec.Raw,
    Meta(
        description="exact; null where there is no plain rate",
        extra_json_schema={"type": ["number", "string", "null"], "examples": [0.01]},
    ),
]


class PriceView(Struct):
    """One price, valid in `[effective_date, end_date)`; null is the beginning of time, or no end."""

    price_id: str
    id: str
    provider: str
    model_id: str
    currency: str
    effective_date: datetime | None
    end_date: datetime | None
    source: str
    confidence: Annotated[
        str | None, Meta(description="confirmed or provisional; null where one source, or a person, stated it")
    ]
    detail: Annotated[
        dict[str, Any] | None, Meta(description="the sources with their pages, and how sure the dates are")
    ]
    layer: Annotated[str, Meta(description="organization, installation, catalog or default: who it belongs to")]
    organization_id: str | None
    rates: list[dict[str, Any]]
    multipliers: Annotated[list[dict[str, Any]], Meta(description="factors on the rates, each with its conditions")]
    base_price_id: Annotated[str | None, Meta(description="the price that contracts made this one of")]
    input_price_per_1k: UnitPrice
    output_price_per_1k: UnitPrice
    cached_input_price_per_1k: UnitPrice
    input_price_per_million: UnitPrice
    output_price_per_million: UnitPrice
    cached_input_price_per_million: UnitPrice
    created_at: datetime | None


class PriceOne(Struct):
    """One price."""

    data: PriceView


class PriceAdded(Struct):
    """A new price, the one that ends where it begins, and how many waiting records it priced."""

    data: PriceView
    ended_price_id: str | None
    priced_records: int


class PricePage(Struct):
    """A page of prices."""

    data: list[PriceView]
    pagination: Pagination


class EffectivePrice(Struct):
    """The price that a call at `timestamp` would have, how its model was found, and for how long it holds."""

    timestamp: datetime
    found_by: str
    holds_from: datetime | None
    holds_to: datetime | None
    price: PriceView


class EffectiveAnswer(Struct):
    """The effective price."""

    data: EffectivePrice


class PriceStep(Struct):
    """A stretch of time with the price that holds in it; null is the beginning of time, or no end."""

    holds_from: datetime | None
    holds_to: datetime | None
    found_by: str
    price: PriceView


class PriceHistory(Struct):
    """The prices of a model over time, oldest first."""

    data: list[PriceStep]


class EstimateView(Struct):
    """Between what unpriced usage may lie: an estimate from comparable models, in no total."""

    lowest: Money
    highest: Money
    currency: str
    basis: Annotated[str, Meta(description="which models it is taken from")]
    models: int


class UnpricedView(Struct):
    """Usage of a model that has no known price."""

    organization_id: str
    provider: str
    model_id: str
    requests: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime
    estimate: EstimateView | None
    similar: Annotated[list[str], Meta(description="names like this one that have a price")]


class UnpricedAnswer(Struct):
    """All usage without a price, by model."""

    data: list[UnpricedView]


def _unit_price(price: Price, prefix: str, units: int, money: MoneyWriter) -> msgspec.Raw:
    """The price of so many units of a meter, where it has a plain rate without an allowance."""
    rate = price.plain_rate(FLAT_METERS[prefix])
    if rate is None or rate.included:
        return NULL
    return decimal_writer(format_decimal(rate.price_per_million * units / MILLION), money)


def price_view(price: Price, money: MoneyWriter) -> PriceView:
    """A price in JSON, in both units."""
    flat = {
        f"{prefix}_price_{unit}": _unit_price(price, prefix, units, money)
        for unit, units in (("per_1k", 1000), ("per_million", MILLION))
        for prefix in ("input", "output", "cached_input")
    }
    return PriceView(
        price_id=price.price_id,
        id=price.price_id,
        provider=price.provider,
        model_id=price.model_id,
        currency=price.currency,
        effective_date=price.effective_from,
        end_date=price.effective_to,
        source=price.source,
        confidence=price.confidence,
        detail=None if price.detail is None else dict(price.detail),
        layer=str(price.layer),
        organization_id=price.organization_id,
        rates=[rate.to_json() for rate in price.rates],
        multipliers=[factor.to_json() for factor in price.multipliers],
        base_price_id=None if price.base_number is None else f"price-{price.base_number}",
        created_at=price.created_at,
        **flat,
    )


_LIMIT_US = 2**61


def effective_view(segment: Segment, at: datetime, money: MoneyWriter) -> EffectivePrice:
    """The price found for an instant."""
    return EffectivePrice(
        timestamp=at,
        found_by=segment.found_by,
        holds_from=from_us(segment.start_us) if segment.start_us > -_LIMIT_US else None,
        holds_to=from_us(segment.end_us) if segment.end_us < _LIMIT_US else None,
        price=price_view(segment.price.price, money),
    )


def step_view(segment: Segment, money: MoneyWriter) -> PriceStep:
    """A stretch of time in JSON."""
    start, end = segment.bounds
    return PriceStep(start, end, segment.found_by, price_view(segment.price.price, money))


def unpriced_view(found: Unpriced, money: MoneyWriter) -> UnpricedView:
    """A model without a price in JSON."""
    model, band = found.model, found.estimate
    estimate = None
    if band is not None:
        lowest, highest = money(band.lowest_e10), money(band.highest_e10)
        estimate = EstimateView(lowest, highest, band.currency, band.basis, band.models)
    return UnpricedView(
        found.organization_id,
        model.provider,
        model.model_id,
        model.requests,
        model.input_tokens,
        model.output_tokens,
        model.first_seen,
        model.last_seen,
        estimate,
        list(found.similar),
    )


_AMOUNT: Mapping[str, Any] = {"type": ["number", "string", "null"], "minimum": 0, "examples": [0.01]}
NEW_PRICE: Mapping[str, Any] = {
    "type": "object",
    "description": "Give prices per 1,000 tokens, or per million, or full `rates`.",
    "required": ["provider", "model_id"],
    "additionalProperties": False,
    "properties": {
        "provider": {"type": "string", "minLength": 1, "maxLength": 256, "examples": ["openai"]},
        "model_id": {"type": "string", "minLength": 1, "maxLength": 256, "examples": ["gpt-4"]},
        "organization_id": {
            "type": ["string", "null"],
            "description": "whose price it is; with an admin key none means the installation's",
        },
        "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$", "default": "USD"},
        "effective_date": {"type": ["string", "null"], "format": "date-time"},
        "end_date": {"type": ["string", "null"], "format": "date-time"},
        "source": {"type": ["string", "null"], "minLength": 1, "maxLength": 256},
        **{f"{prefix}_price_{unit}": _AMOUNT for prefix in FLAT_METERS for unit in ("per_1k", "per_million")},
        "cached_input_fraction": _AMOUNT,
        "request_price": _AMOUNT,
        "rates": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object"},
            "examples": [[{"meter": "input", "price": "3.00", "per": 1000000}]],
        },
        "multipliers": {
            "type": ["array", "null"],
            "description": "factors on the rates; all that apply are multiplied",
            "items": {"type": "object"},
            "examples": [[{"factor": "1.1", "when": {"region": "us"}, "meters": "tokens", "note": "US-only"}]],
        },
    },
}
"""The body of POST /pricing."""

REVISED_PRICE: Mapping[str, Any] = {
    **NEW_PRICE,
    "description": "A new version: prices as for POST; provider and model_id may be repeated, not changed.",
    "required": [],
}
"""The body of PUT /pricing/{id}."""
