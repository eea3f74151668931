"""Whether two prices say the same, and which changes of a rate are too large to be applied unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cost_ops.domain.compiled import CompiledPrice, CompiledRate, compile_price
from cost_ops.domain.conditions import ALWAYS, Conditions
from cost_ops.domain.meters import FALLBACK_CHAINS
from cost_ops.domain.prices import Price
from cost_ops.domain.rates import Rate

LARGEST_CHANGE = Fraction(1, 2)
"""A change over this share of the old price is drastic."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """A drastic change of the price of a meter under conditions; `new` is None where nothing prices it any more."""

    meter: str
    when: Conditions
    old: Rate
    new: Rate | None

    @property
    def to_zero(self) -> bool:
        """Whether something that cost money would be free."""
        return self.new is not None and self.new.price == 0 and self.new.of is None

    def to_json(self) -> dict[str, Any]:
        """Both rates in their HTTP form."""
        return {
            "meter": self.meter,
            "when": self.when.to_json(),
            "old": self.old.to_json(),
            "new": self.new.to_json() if self.new else None,
        }


def same_rates(one: Price, other: Price) -> bool:
    """Whether both cost the same in every case, however their rates are written and ordered."""
    if one.currency != other.currency or _factors(one) != _factors(other):
        return False
    return set(one.rates) == set(other.rates) or _meaning(one.rates) == _meaning(other.rates)


def _factors(price: Price) -> set[tuple[Any, ...]]:
    return {(m.factor, m.meters, m.when) for m in price.multipliers}


def _meaning(rates: Sequence[Rate]) -> set[tuple[Any, ...]]:
    return {
        (r.meter, r.when, r.included, r.minimum_quantity, Fraction(r.price) / r.per, r.fraction, r.of) for r in rates
    }


def drastic_changes(old: Price, new: Price) -> tuple[RateChange, ...]:
    """The rates of `old` that `new` changes by more than half, sets to or from zero, or no longer has.

    Compared is what a call would pay, fallbacks included: a cache rate that is gone becomes the input rate. In another
    currency every rate is a drastic change. Rates that only `new` has change nothing that was priced before.
    """
    before, after = compile_price(old), compile_price(new)
    changes = []
    for meter in before.rates:
        for rate in before.rates[meter]:
            when = rate.when or ALWAYS
            now = _effective(after, meter, when)
            if now is None or old.currency != new.currency or _is_drastic(_value(rate), _value(now)):
                changes.append(RateChange(meter, when, rate.rate, now.rate if now else None))
    return tuple(changes)


def _effective(price: CompiledPrice, meter: str, when: Conditions) -> CompiledRate | None:
    """The rate that a call which meets exactly `when` pays for `meter`."""
    for candidate in FALLBACK_CHAINS.get(meter, (meter,)):
        for rate in price.rates.get(candidate, ()):
            if rate.when is None or (rate.when.compatible(when) and rate.when.merged(when) == when):
                return rate
    return None


def _value(rate: CompiledRate) -> Fraction:
    return Fraction(rate.numerator, rate.denominator)


def _is_drastic(old: Fraction, new: Fraction) -> bool:
    if old == 0 or new == 0:
        return old != new
    return abs(new - old) > LARGEST_CHANGE * old
