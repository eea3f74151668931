"""Prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from llm_cost_ops.models.base import Model


class Rate(Model):
    """The price of one meter: `price` for every `per` of it."""

    meter: str
    price: Decimal
    per: Decimal
    conditions: Optional[dict[str, Any]]


class Price(Model):
    """A price. Those per 1,000 and per million tokens are None where it is not that simple: then `rates` says it."""

    price_id: str
    provider: str
    model_id: str
    currency: str
    effective_date: Optional[datetime]
    end_date: Optional[datetime]
    source: Optional[str]
    layer: str
    """`organization`, `installation`, `catalog` or `default`."""
    organization_id: Optional[str]
    rates: list[Rate]
    input_price_per_1k: Optional[Decimal]
    output_price_per_1k: Optional[Decimal]
    cached_input_price_per_1k: Optional[Decimal]
    input_price_per_million: Optional[Decimal]
    output_price_per_million: Optional[Decimal]
    cached_input_price_per_million: Optional[Decimal]
    created_at: Optional[datetime]


class ChangedPrice(Price):
    """A price that was added or replaced."""

    ended_price_id: Optional[str]
    """The one that ends where this one begins."""
    priced_records: int
    """How many records waited for a price and have one now."""


class PriceInForce(Model):
    """The price that a call would have, and from when until when."""

    timestamp: Optional[datetime]
    found_by: str
    holds_from: Optional[datetime]
    holds_to: Optional[datetime]
    price: Price


class Estimate(Model):
    """Between what and what it would cost at the prices of similar models."""

    low: Optional[Decimal]
    high: Optional[Decimal]
    currency: Optional[str]


class Unpriced(Model):
    """Usage of a model without a known price; it is in no sum of money."""

    organization_id: str
    provider: str
    model_id: str
    requests: int
    input_tokens: int
    output_tokens: int
    first_seen: Optional[datetime]
    last_seen: Optional[datetime]
    estimate: Optional[Estimate]
    similar: Optional[list[str]]


class PriceSync(Model):
    """What a comparison with the catalogue changed, or would."""

    applied: bool
    priced_records: int
    diff: Model
