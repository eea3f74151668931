"""The proof of an amount, for people: each cost line with its exact product, its rounding, and why this rate.

`exact = quantity × rate price × factors / per`; `amount` is `exact`, rounded half to even to ten decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from cost_ops.domain.charging import Line
from cost_ops.domain.compiled import CompiledRate
from cost_ops.domain.conditions import Conditions
from cost_ops.domain.money import format_decimal
from cost_ops.domain.usage import Quantity

_DIGITS = Context(prec=40, rounding=ROUND_HALF_EVEN)


class ProvedLine(NamedTuple):
    """A cost line, the quantity that is paid for, its product before rounding (currency units), and the reasons."""

    line: Line
    paid_quantity: Quantity
    exact: Decimal
    reasons: Sequence[str]


def prove(line: Line) -> ProvedLine:
    """The proof of one line. Products with endless decimals are given to 40 digits."""
    rate = line.rate
    paid = paid_quantity(line.quantity, rate)
    product = Fraction(paid) * rate.numerator / rate.denominator / 10**10
    exact = _DIGITS.divide(Decimal(product.numerator), Decimal(product.denominator))
    return ProvedLine(line, paid, exact, _reasons(line, paid))


def paid_quantity(quantity: Quantity, rate: CompiledRate) -> Quantity:
    """The quantity after a minimum and after what is included."""
    if rate.minimum and quantity < rate.minimum:
        quantity = rate.minimum
    return max(quantity - rate.included, 0) if rate.included else quantity


def _reasons(line: Line, paid: Quantity) -> list[str]:
    rate = line.rate
    found = []
    if rate.rate.meter != line.meter:
        found.append(f"no rate of its own here, so the nearest fallback prices it: {rate.rate.meter}")
    if rate.when is not None:
        found.append(f"this rate holds where {condition_words(rate.when)}")
    if rate.minimum and line.quantity < rate.minimum:
        found.append(f"at least {rate.minimum:,} are charged")
    if rate.included:
        found.append(f"{rate.included:,} are included, {paid:,} are paid for")
    found.extend(
        f"× {format_decimal(factor.factor)}" + (f" ({factor.note})" if factor.note else "") for factor in rate.factors
    )
    return found


def condition_words(when: Conditions) -> str:
    """Conditions in words, such as `service tier is batch and context is above 200,000 tokens`."""
    words = [
        f"{name.replace('_', ' ')} is {getattr(when, name)}"
        for name in ("service_tier", "processing", "region", "deployment")
        if getattr(when, name) is not None
    ]
    if when.not_region is not None:
        words.append(f"the region is known and not {when.not_region}")
    stated = when.to_json()
    if bounds := stated.get("context_tokens"):
        if "gt" in bounds:
            words.append(f"the context is above {bounds['gt']:,} tokens")
        if "lte" in bounds:
            words.append(f"the context is at most {bounds['lte']:,} tokens")
    if window := stated.get("time_of_day"):
        days = f" on weekdays {', '.join(map(str, window['weekdays']))}" if window.get("weekdays") else ""
        words.append(f"the call began between {window['start']} and {window['end']} UTC{days}")
    return " and ".join(words) or "always"
