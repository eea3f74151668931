"""Prices made ready: a price compiled to whole numbers once, and the rate that applies to a meter of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import NamedTuple, Protocol

from cost_ops.domain.conditions import ALWAYS, UNBOUNDED, Conditions
from cost_ops.domain.meters import CACHE_WRITE_METERS, FALLBACK_CHAINS, INPUT_METERS, TOTAL_TOKENS
from cost_ops.domain.money import price_ratio
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import WILDCARD, Price
from cost_ops.domain.rates import Rate
from cost_ops.domain.usage import Quantities, UsageRecord
from cost_ops.domain.volumes import UNSETTLED

_DEARER_WRITES = CACHE_WRITE_METERS - {"input_cache_write_5m", "input_cache_write_30m"}
"""Cache writes with a price of their own where a provider has several; the ordinary lifetime is 5 or 30 minutes."""


class Priceable(Protocol):
    """What charging needs to know of a usage."""

    @property
    def quantities(self) -> Quantities:
        """Meter → quantity, disjoint."""

    @property
    def timestamp_us(self) -> int:
        """When the call was made, in microseconds since 1970."""

    @property
    def service_tier(self) -> str | None:
        """The tier that served the call."""

    @property
    def processing(self) -> str | None:
        """`batch` for asynchronous batches."""

    @property
    def region(self) -> str | None:
        """Where the call was served."""


class Stored(NamedTuple):
    """A stored record in the form that charging takes."""

    quantities: Quantities
    timestamp_us: int
    service_tier: str | None
    processing: str | None
    region: str | None

    @classmethod
    def of(cls, record: UsageRecord) -> Stored:
        """The part of a record that its cost depends on."""
        return cls(record.quantities, to_us(record.timestamp), record.service_tier, record.processing, record.region)


NOT_STORED = 0
"""The number of a price that is made of others and has no row of its own yet."""


_ORDINARY = Stored({}, 0, None, None, None)
"""A call with nothing special about it."""


class CompiledRate(NamedTuple):
    """A rate as integers: `numerator / denominator` is 1e-10 currency units per single unit, `factors` included."""

    rate: Rate
    numerator: int
    denominator: int
    included: int
    minimum: int
    when: Conditions | None
    factors: tuple[Multiplier, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledPrice:
    """A price made ready.

    `plain` has the rate of each meter, fallbacks resolved, for ordinary calls: no tier, no batch, no region, and a
    context of at most `plain_most` tokens; None where even those need a closer look. `unconditional`: it holds for all.
    `whole` has those of them that are whole numbers of 1e-10 units per unit of the meter: nothing there to round.
    The rates of `plain` have the factors of ordinary calls in them already, those of `rates` have none.
    """

    price: Price
    number: int
    currency: str
    is_default: bool
    rates: dict[str, tuple[CompiledRate, ...]]
    plain: dict[str, CompiledRate] | None
    plain_most: int
    unconditional: bool
    whole: dict[str, int]
    multipliers: tuple[Multiplier, ...] = ()
    is_unsettled: bool = False
    """Whether the volume of a month that it is made for may still change."""
    stated: frozenset[str] = frozenset()
    """The service tiers and kinds of processing that its rates or multipliers tell apart."""
    borrowed: frozenset[str] = frozenset()
    """Meters of longer-lived cache writes that the rate of another lifetime prices."""


def compile_price(price: Price) -> CompiledPrice:
    """The price in the form that `charge` takes."""
    by_meter: dict[str, list[CompiledRate]] = {}
    for rate in _expanded(price.rates):
        by_meter.setdefault(rate.meter, []).append(_compile_rate(rate))
    rates = {meter: tuple(sorted(found, key=lambda r: -r.rate.when.specificity)) for meter, found in by_meter.items()}
    conditions = [r.when for found in rates.values() for r in found if r.when is not None]
    conditions += [m.when for m in price.multipliers if m.when != ALWAYS]
    plain = _plain(rates, price.multipliers, conditions)
    return CompiledPrice(
        price,
        price.number or NOT_STORED,
        price.currency,
        WILDCARD in (price.provider, price.model_id),
        rates,
        plain,
        _plain_most(conditions),
        not conditions,
        {m: r.numerator for m, r in (plain or {}).items() if r.denominator == 1 and not (r.included or r.minimum)},
        price.multipliers,
        UNSETTLED in (price.detail or ()),
        frozenset(word for when in conditions for word in (when.service_tier, when.processing) if word is not None),
        frozenset(meter for meter in _DEARER_WRITES if _borrows(rates, meter)),
    )


def _borrows(rates: Mapping[str, Sequence[CompiledRate]], meter: str) -> bool:
    """Whether another lifetime's rate prices this kind of cache write."""
    nearest = next((candidate for candidate in FALLBACK_CHAINS[meter] if candidate in rates), meter)
    return nearest != meter and nearest in CACHE_WRITE_METERS


def _plain(
    rates: dict[str, tuple[CompiledRate, ...]], multipliers: Sequence[Multiplier], conditions: Sequence[Conditions]
) -> dict[str, CompiledRate] | None:
    if TOTAL_TOKENS in rates or "requests" in rates or any(c.time_of_day is not None for c in conditions):
        return None
    found = {meter: select_rate(rates, meter, _ORDINARY, 0) for meter in FALLBACK_CHAINS}
    return {meter: multiplied(rate, multipliers, _ORDINARY, 0) for meter, rate in found.items() if rate is not None}


def _plain_most(conditions: Sequence[Conditions]) -> int:
    """The largest context for which every context condition answers as it does for none."""
    ranges = [c.context_tokens for c in conditions if c.context_tokens is not None]
    return min((r.least - 1 if r.least > 0 else r.most for r in ranges), default=UNBOUNDED)


def _expanded(rates: Sequence[Rate]) -> list[Rate]:
    """Fractions written out: a tenth of each input rate, under that rate's conditions too."""
    out = []
    for rate in rates:
        if rate.of is None or rate.fraction is None:
            out.append(rate)
            continue
        for base in rates:
            if base.meter == rate.of and base.of is None and base.when.compatible(rate.when):
                price = base.price * rate.fraction
                when = rate.when.merged(base.when)
                out.append(replace(rate, price=price, per=base.per, when=when, fraction=None, of=None))
    return out


def _compile_rate(rate: Rate) -> CompiledRate:
    numerator, denominator = price_ratio(rate.price, rate.per)
    when = rate.when if rate.when != ALWAYS else None
    return CompiledRate(rate, numerator, denominator, rate.included, rate.minimum_quantity, when)


def multiplied(rate: CompiledRate, multipliers: Sequence[Multiplier], usage: Priceable, context: int) -> CompiledRate:
    """The rate of a line with all factors that apply to it."""
    meter = rate.rate.meter
    factors = tuple(m for m in multipliers if meter in m.meters and applies(m.when, usage, context))
    if not factors:
        return rate
    numerator, denominator = rate.numerator, rate.denominator
    for factor in factors:
        top, bottom = factor.factor.as_integer_ratio()
        numerator, denominator = numerator * top, denominator * bottom
    shared = gcd(numerator, denominator)
    return rate._replace(numerator=numerator // shared, denominator=denominator // shared, factors=factors)


def context_tokens(quantities: Quantities) -> int:
    """The size of the context: all input tokens of the step, cached and written ones included."""
    tokens = 0
    for meter, quantity in quantities.items():
        if meter in INPUT_METERS:
            tokens += quantity  # type: ignore[assignment]
    return tokens


def select_rate(
    rates: Mapping[str, Sequence[CompiledRate]], meter: str, usage: Priceable, context: int
) -> CompiledRate | None:
    """The most specific rate that applies to `meter`, its own or the nearest fallback's."""
    for candidate in FALLBACK_CHAINS[meter]:
        found = matching(rates.get(candidate, ()), usage, context)
        if found is not None:
            return found
    return None


def matching(rates: Sequence[CompiledRate], usage: Priceable, context: int) -> CompiledRate | None:
    """The most specific of these rates that applies."""
    for rate in rates:
        if rate.when is None or applies(rate.when, usage, context):
            return rate
    return None


def applies(when: Conditions, usage: Priceable, context: int) -> bool:
    """Whether every stated condition holds for the usage."""
    return (
        (when.service_tier is None or when.service_tier == (usage.service_tier or "standard"))
        and (when.processing is None or when.processing == usage.processing)
        and (when.region is None or when.region == usage.region)
        and (when.not_region is None or usage.region not in (None, when.not_region))
        and when.deployment is None
        and (when.context_tokens is None or when.context_tokens.least <= context <= when.context_tokens.most)
        and (when.time_of_day is None or when.time_of_day.holds(usage.timestamp_us))
    )
