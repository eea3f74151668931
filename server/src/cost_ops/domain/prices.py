"""Prices: rates that are valid for a time, and what happens to a timeline when one is added.

History is never overwritten: a price's rates never change, only its end may be set, once a newer one begins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from cost_ops.domain.errors import Conflict, InvalidInput, Problem, invalid
from cost_ops.domain.meters import MILLION
from cost_ops.domain.money import is_currency
from cost_ops.domain.multipliers import Multiplier, multipliers_from_json
from cost_ops.domain.periods import format_instant
from cost_ops.domain.rates import Rate, parse_price, rates_from_json

FLAT_METERS = {
    "input": "input",
    "output": "output",
    "cached_input": "input_cache_read",
    "cache_write": "input_cache_write_5m",
    "cache_write_1h": "input_cache_write_1h",
    "reasoning": "output_reasoning",
}
"""Prefix of a flat price field (`input_price_per_1k`) → meter."""

_UNITS = {"per_1k": 1000, "per_million": MILLION}
FLAT_FIELDS = {
    f"{prefix}_price_{unit}": (meter, per) for prefix, meter in FLAT_METERS.items() for unit, per in _UNITS.items()
}
WILDCARD = "*"


class Confidence(StrEnum):
    """What several sources say of a price."""

    CONFIRMED = "confirmed"
    PROVISIONAL = "provisional"


class Layer(StrEnum):
    """Who a price belongs to; the first layer that has a valid price wins."""

    ORGANIZATION = "organization"
    INSTALLATION = "installation"
    CATALOG = "catalog"
    DEFAULT = "default"
    CONTRACT = "contract"


LAYER_ORDER = (Layer.ORGANIZATION, Layer.INSTALLATION, Layer.CATALOG)
"""Default prices are not found by model: a record that used one points at it. Nor are prices under a contract: they are
made of the price found and the contracts that hold (see `domain.contracts`).
"""


@dataclass(frozen=True, slots=True)
class Price:
    """One price. `effective_from` None is the beginning of time, `effective_to` None is open; `[from, to)`, aware UTC.

    `number` is None until stored. `organization_id` is None for the installation's and the catalogue's prices.
    """

    provider: str
    model_id: str
    currency: str
    rates: tuple[Rate, ...]
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    layer: Layer = Layer.INSTALLATION
    organization_id: str | None = None
    source: str = "manual"
    number: int | None = None
    created_at: datetime | None = None
    multipliers: tuple[Multiplier, ...] = ()
    base_number: int | None = None
    """The price that a contract changed into this one: what the usage costs by the list."""
    confidence: str | None = None
    """What several sources say of it: `confirmed` or `provisional`; None where there was one source, or a person's."""
    detail: Mapping[str, Any] | None = field(default=None, hash=False)
    """Where it comes from, for people: the sources with their pages, and how sure its dates are."""

    @property
    def price_id(self) -> str:
        """The public id. A price under a contract has one of its own from its first use on."""
        return f"price-{self.number}" if self.number or not self.base_number else f"price-{self.base_number}+contract"

    def valid_at(self, instant: datetime) -> bool:
        """Whether `[from, to)` holds the instant."""
        return (self.effective_from is None or self.effective_from <= instant) and (
            self.effective_to is None or instant < self.effective_to
        )

    def terms_to_json(self) -> list[dict[str, Any]]:
        """Rates, then multipliers, in one list: what a price says, as it is stored."""
        return [rate.to_json() for rate in self.rates] + [factor.to_json() for factor in self.multipliers]

    def plain_rate(self, meter: str) -> Rate | None:
        """The rate of `meter` that has no conditions, if there is one."""
        return next((r for r in self.rates if r.meter == meter and not r.when.specificity and r.of is None), None)


def parse_price_id(text: str) -> int | None:
    """The number in a public price id such as `price-12`; None where it is not one."""
    head, _, number = text.partition("-")
    return int(number) if head == "price" and number.isascii() and number.isdigit() and len(number) < 10 else None


def rates_from_flat(fields: Mapping[str, Any], problems: list[Problem]) -> tuple[Rate, ...]:
    """Rates from `input_price_per_1k` and its like, `cached_input_fraction` and `request_price`."""
    rates: dict[str, Rate] = {}
    for name, (meter, per) in FLAT_FIELDS.items():
        if fields.get(name) is None:
            continue
        price = parse_price(fields[name], name, problems)
        if meter in rates:
            problems.append(Problem(name, "duplicate", f"{name} states the price of {meter} a second time"))
        elif price is not None:
            rates[meter] = Rate(meter, price, per)
    if fields.get("cached_input_fraction") is not None:
        fraction = parse_price(fields["cached_input_fraction"], "cached_input_fraction", problems)
        if "input" not in rates:
            message = "cached_input_fraction is a part of the input price, which is not given"
            problems.append(Problem("cached_input_fraction", "missing_rate", message))
        elif fraction is not None and "input_cache_read" not in rates:
            rates["input_cache_read"] = Rate("input_cache_read", Decimal(0), MILLION, fraction=fraction, of="input")
    if fields.get("request_price") is not None:
        price = parse_price(fields["request_price"], "request_price", problems)
        if price is not None:
            rates["requests"] = Rate("requests", price, 1)
    return tuple(rates.values())


def rates_from_fields(fields: Mapping[str, Any]) -> tuple[Rate, ...]:
    """The rates of a price given flat or in full. Raises InvalidInput with every problem."""
    if fields.get("rates") is not None:
        rates, problems = rates_from_json(fields["rates"])
        if any(fields.get(name) is not None for name in FLAT_FIELDS):
            problems.append(Problem("rates", "ambiguous", "give either rates or …_price_per_… fields, not both"))
    else:
        problems = []
        rates = rates_from_flat(fields, problems)
        if not rates and not problems:
            problems = [
                Problem(name, "missing_required_field", f"{name} is required (or input_price_per_million, or rates)")
                for name in ("input_price_per_1k", "output_price_per_1k")
            ]
    if problems:
        raise InvalidInput(problems)
    return rates


def multipliers_from_fields(fields: Mapping[str, Any]) -> tuple[Multiplier, ...] | None:
    """The multipliers of a price; None where nothing is said of them. Raises InvalidInput with every problem."""
    if fields.get("multipliers") is None:
        return None
    multipliers, problems = multipliers_from_json(fields["multipliers"])
    if problems:
        raise InvalidInput(problems)
    return multipliers


def terms_from_json(terms: Sequence[Mapping[str, Any]]) -> tuple[tuple[Rate, ...], tuple[Multiplier, ...]]:
    """Rates and multipliers from what `Price.terms_to_json` wrote. Raises ValueError where it did not."""
    factors = [term for term in terms if "factor" in term]
    rates, problems = rates_from_json([t for t in terms if "factor" not in t], settled=True) if terms else ((), [])
    multipliers, more = multipliers_from_json(factors) if factors else ((), [])
    if problems or more:
        raise ValueError(f"a stored price cannot be read: {(*problems, *more)[0].message}")
    return rates, multipliers


def default_price(organization_id: str, rates: Sequence[Rate]) -> Price:
    """A price that a caller sends along for models without one: stored once per content, never found by model."""
    content = json.dumps([rate.to_json() for rate in rates], sort_keys=True)
    digest = hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
    return Price(
        provider="default",
        model_id=f"default-{digest}",
        currency="USD",
        rates=tuple(rates),
        layer=Layer.DEFAULT,
        organization_id=organization_id,
        source="default_pricing",
    )


def check_currency(code: str, field: str = "currency") -> str:
    """`code` where it has the form of an ISO 4217 code. Raises InvalidInput (`unknown_currency`)."""
    if not is_currency(code):
        raise invalid(field, "unknown_currency", f"{field} must be an ISO 4217 code such as USD, got {code[:20]!r}")
    return code


@dataclass(frozen=True, slots=True)
class Insertion:
    """What adding a price does to its timeline: the price as it will stand, and the older one that ends, if any."""

    added: Price
    ended: Price | None = None


def insert(timeline: Sequence[Price], new: Price, *, now: datetime) -> Insertion:
    """Place `new` in the timeline of its model (same layer and owner).

    Without `effective_from` the first price of a model covers the past, a later one begins `now`. The price valid where
    it begins ends there; a later one bounds it. Raises Conflict where it begins with another or runs into a later one.
    """
    if timeline and new.effective_from is None:
        new = replace(new, effective_from=now)
    if new.effective_to is not None and new.effective_from is not None and new.effective_to <= new.effective_from:
        raise invalid("end_date", "empty_range", "end_date must be after effective_date")
    start = new.effective_from
    same = next((p for p in timeline if p.effective_from == start), None)
    if same is not None:
        since = format_instant(start) if start else "the beginning of time"
        raise Conflict(
            f"{new.provider}/{new.model_id} has a price from {since} already ({same.price_id}); "
            "a price is never edited: choose another effective_date",
            conflicting_price_id=same.price_id,
        )
    later = _next_start(timeline, start)
    if later is not None:
        if new.effective_to is not None and new.effective_to > later:
            raise Conflict(f"the price would overlap the one valid from {format_instant(later)}; end it there")
        if new.effective_to is None:
            new = replace(new, effective_to=later)
    holder = next((p for p in timeline if start is not None and p.valid_at(start)), None)
    return Insertion(new, replace(holder, effective_to=start) if holder is not None else None)


def _next_start(timeline: Sequence[Price], start: datetime | None) -> datetime | None:
    """When the next version begins after `start` (None is the beginning of time)."""
    starts = [p.effective_from for p in timeline if p.effective_from is not None]
    return min((s for s in starts if start is None or s > start), default=None)
