"""Charging: disjoint quantities × rates × factors → cost lines, in whole numbers.

`amount = Σ quantity × price / per × factors`: every line is exact and rounded once, half to even, to 1e-10; the total
is the sum of the lines. A price is compiled once; charging a record is then a few integer operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from cost_ops.domain.compiled import (
    CompiledPrice,
    CompiledRate,
    Priceable,
    context_tokens,
    matching,
    multiplied,
    select_rate,
)
from cost_ops.domain.conditions import UNBOUNDED
from cost_ops.domain.meters import (
    FREE_WITHOUT_RATE,
    TOKEN_METERS,
    TOTAL_TOKENS,
)
from cost_ops.domain.usage import Quantity


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


def is_sure(compiled: CompiledPrice, usage: Priceable) -> bool:
    """Whether the price is the call's own: not one for any model, and it knows the tier and the cache's lifetime.

    A price that says nothing of a tier charges its ordinary rates, which is an assumption; so is the rate of one
    lifetime for writes of another.
    """
    if compiled.is_unsettled:
        return False
    tier, processing, stated = usage.service_tier, usage.processing, compiled.stated
    told = (tier is None or tier in stated) and (processing is None or processing in stated)
    return told and not compiled.is_default and compiled.borrowed.isdisjoint(usage.quantities)


def untold(compiled: CompiledPrice, usage: Priceable) -> list[str]:
    """The tier, the processing and the cache writes of a call that the price says nothing of."""
    words = [word for word in (usage.service_tier, usage.processing) if word is not None]
    return [word for word in words if word not in compiled.stated] + sorted(compiled.borrowed & usage.quantities.keys())


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


def charge_by_conditions(compiled: CompiledPrice, usage: Priceable) -> Charge:
    """The same by looking at every condition: what `charge` saves ordinary calls, and must agree with."""
    context = context_tokens(usage.quantities)
    chosen: list[tuple[str, Quantity, CompiledRate]] = []
    missing: list[str] = []
    pooled: Quantity = 0
    for meter, quantity in usage.quantities.items():
        rate = select_rate(compiled.rates, meter, usage, context)
        if rate is not None:
            chosen.append((meter, quantity, rate))
        elif meter in TOKEN_METERS and TOTAL_TOKENS in compiled.rates:
            pooled += quantity
        elif meter not in FREE_WITHOUT_RATE:
            missing.append(meter)
    if "requests" in compiled.rates and "requests" not in usage.quantities:
        one = select_rate(compiled.rates, "requests", usage, context)
        if one is not None:
            chosen.append(("requests", 1, one))
    if pooled:
        rate = matching(compiled.rates[TOTAL_TOKENS], usage, context)
        if rate is None:
            missing.append(TOTAL_TOKENS)
        else:
            chosen.append((TOTAL_TOKENS, pooled, rate))
    if compiled.multipliers:
        chosen = [(m, q, multiplied(r, compiled.multipliers, usage, context)) for m, q, r in chosen]
    lines = [Line(meter, quantity, rate, line_amount(quantity, rate)) for meter, quantity, rate in chosen]
    return Charge(None if missing else sum(line.amount_e10 for line in lines), lines, missing)
