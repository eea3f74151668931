"""Charging: disjoint quantities × rates × factors → cost lines, in whole numbers.

`amount = Σ quantity × price / per × factors`: every line is exact and rounded once, half to even, to 1e-10; the total
is the sum of the lines. A price is compiled once; charging a record is then a few integer operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import gcd
from typing import NamedTuple, Protocol

from cost_ops.domain.conditions import ALWAYS, UNBOUNDED, Conditions
from cost_ops.domain.meters import (
    FALLBACK_CHAINS,
    FREE_WITHOUT_RATE,
    INPUT_METERS,
    TOKEN_METERS,
    TOTAL_TOKENS,
)
from cost_ops.domain.money import price_ratio
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import WILDCARD, Price
from cost_ops.domain.rates import Rate
from cost_ops.domain.usage import Quantities, Quantity, UsageRecord


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


class Line(NamedTuple):
    """One line of a cost: so much of a meter, by its own rate or a fallback's, in 1e-10 currency units."""

    meter: str
    quantity: Quantity
    rate: CompiledRate
    amount_e10: int


class Charge(NamedTuple):
    """A cost, the sum of its lines; where a rate lacks, `amount_e10` is None and `missing` names the meters."""

    amount_e10: int | None
    lines: Sequence[Line]
    missing: Sequence[str] = ()


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
    stated: frozenset[str] = frozenset()
    """The service tiers and kinds of processing that its rates or multipliers tell apart."""


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
        frozenset(word for when in conditions for word in (when.service_tier, when.processing) if word is not None),
    )


def is_sure(compiled: CompiledPrice, usage: Priceable) -> bool:
    """Whether the price is the call's own: not one for any model, and it knows the tier that served.

    A price that says nothing of a tier charges its ordinary rates, which is an assumption.
    """
    return not compiled.is_default and not untold(compiled, usage)


def untold(compiled: CompiledPrice, usage: Priceable) -> list[str]:
    """The tier and the processing of a call, where the price says nothing of them."""
    words = [word for word in (usage.service_tier, usage.processing) if word is not None]
    return [word for word in words if word not in compiled.stated]


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


def charge(compiled: CompiledPrice, usage: Priceable) -> Charge:
    """The cost of `usage` under a price. A meter without a rate leaves the whole cost unknown, never partly zero."""
    plain = compiled.plain
    if plain is None or not (compiled.unconditional or _is_ordinary(usage, compiled.plain_most)):
        return charge_by_conditions(compiled, usage)
    lines: list[Line] = []
    total = 0
    missing: list[str] = []
    for meter, quantity in usage.quantities.items():
        rate = plain.get(meter)
        if rate is None:
            if meter not in FREE_WITHOUT_RATE:
                missing.append(meter)
            continue
        amount = line_amount(quantity, rate)
        total += amount
        lines.append(Line(meter, quantity, rate, amount))
    return Charge(None if missing else total, lines, missing)


def total_e10(compiled: CompiledPrice, usage: Priceable) -> int | None:
    """The amount of `charge` without its lines: what recording needs of most records, in a third of the time."""
    if compiled.unconditional or (compiled.whole and _is_ordinary(usage, compiled.plain_most)):
        whole = compiled.whole
        total = 0
        try:
            for meter, quantity in usage.quantities.items():
                total += quantity * whole[meter]  # type: ignore[assignment]
        except KeyError:
            return charge(compiled, usage).amount_e10
        if total.__class__ is int:
            return total
    return charge(compiled, usage).amount_e10


def _is_ordinary(usage: Priceable, plain_most: int) -> bool:
    return (
        usage.service_tier is None
        and usage.processing is None
        and usage.region is None
        and (plain_most == UNBOUNDED or context_tokens(usage.quantities) <= plain_most)
    )


def line_amount(quantity: Quantity, rate: CompiledRate) -> int:
    """The quantity to be paid for × the unit price, rounded half to even, in 1e-10 currency units."""
    _, numerator, denominator, included, minimum, _, _ = rate
    if minimum and quantity < minimum:
        quantity = minimum
    if included:
        quantity = max(quantity - included, 0)
    if quantity.__class__ is not int:
        top, bottom = Decimal(quantity).as_integer_ratio()
        numerator, denominator = numerator * top, denominator * bottom
        quantity = 1
    # The body of money.round_half_even, written out: this runs for every line of every record.
    amount, rest = divmod(quantity * numerator, denominator)
    twice = rest * 2
    if twice > denominator or (twice == denominator and amount & 1):
        return int(amount) + 1
    return int(amount)


def context_tokens(quantities: Quantities) -> int:
    """The size of the context: all input tokens of the step, cached and written ones included."""
    tokens = 0
    for meter, quantity in quantities.items():
        if meter in INPUT_METERS:
            tokens += quantity  # type: ignore[assignment]
    return tokens


def charge_by_conditions(compiled: CompiledPrice, usage: Priceable) -> Charge:
    """The same by looking at every condition: what `charge` saves ordinary calls, and must agree with."""
    context = context_tokens(usage.quantities)
    lines: list[Line] = []
    missing: list[str] = []
    pooled: Quantity = 0

    def add(meter: str, quantity: Quantity, rate: CompiledRate) -> None:
        if compiled.multipliers:
            rate = multiplied(rate, compiled.multipliers, usage, context)
        lines.append(Line(meter, quantity, rate, line_amount(quantity, rate)))

    for meter, quantity in usage.quantities.items():
        rate = select_rate(compiled.rates, meter, usage, context)
        if rate is not None:
            add(meter, quantity, rate)
        elif meter in TOKEN_METERS and TOTAL_TOKENS in compiled.rates:
            pooled += quantity
        elif meter not in FREE_WITHOUT_RATE:
            missing.append(meter)
    if "requests" in compiled.rates and "requests" not in usage.quantities:
        one = select_rate(compiled.rates, "requests", usage, context)
        if one is not None:
            add("requests", 1, one)
    if pooled:
        rate = _matching(compiled.rates[TOTAL_TOKENS], usage, context)
        if rate is None:
            missing.append(TOTAL_TOKENS)
        else:
            add(TOTAL_TOKENS, pooled, rate)
    return Charge(None if missing else sum(line.amount_e10 for line in lines), lines, missing)


def select_rate(
    rates: Mapping[str, Sequence[CompiledRate]], meter: str, usage: Priceable, context: int
) -> CompiledRate | None:
    """The most specific rate that applies to `meter`, its own or the nearest fallback's."""
    for candidate in FALLBACK_CHAINS[meter]:
        found = _matching(rates.get(candidate, ()), usage, context)
        if found is not None:
            return found
    return None


def _matching(rates: Sequence[CompiledRate], usage: Priceable, context: int) -> CompiledRate | None:
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
