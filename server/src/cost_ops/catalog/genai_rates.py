"""Tables of prices under alternatives → rates that never tie.

A *table* is meter → *steps*: the price from a number of context tokens on. A base table, the tables of day windows
(each replaces the base) and the tables of variants such as `processing: batch` (each overrides single meters) become
rates: one for every combination of alternatives and every range of context sizes, so the book never has to choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

from cost_ops.domain.conditions import ALWAYS, UNBOUNDED, Conditions, DayWindow, TokenRange
from cost_ops.domain.meters import METERS
from cost_ops.domain.rates import Rate


@dataclass(frozen=True, slots=True)
class Steps:
    """A price per `per` units that depends on the context: ((0, base), (200_001, above), …), ascending."""

    per: int
    prices: tuple[tuple[int, Decimal], ...]

    def price_at(self, tokens: int) -> Decimal:
        """The price of a call whose context has `tokens` tokens: the highest step at or below it, for all tokens."""
        return next(price for least, price in reversed(self.prices) if least <= tokens)


Table = Mapping[str, Steps]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The prices of a model in a stretch of time. Of windows and of variants, the first that applies wins."""

    base: Table
    windows: tuple[tuple[DayWindow, Table], ...] = ()
    variants: tuple[tuple[tuple[str, str], Table], ...] = ()


def rates_of(prices: Alternatives) -> tuple[Rate, ...]:
    """All rates, in the order of the meters; the unconditioned one of a meter first."""
    return tuple(rate for meter in METERS for rate in _meter_rates(meter, list(_cells(meter, prices))))


def _cells(meter: str, prices: Alternatives) -> Iterator[tuple[Conditions, Steps]]:
    """Every combination of alternatives that touches the meter, with the steps that then hold."""
    axes: dict[str, dict[Any, Steps]] = {}
    for (field, value), table in prices.variants:
        if meter in table:
            axes.setdefault(field, {}).setdefault(value, table[meter])
    precedence = [when for when, table in prices.variants if meter in table]
    for window, table in prices.windows:
        if meter in table:
            axes.setdefault("time_of_day", {}).setdefault(window, table[meter])
    for choice in product(*([None, *values] for values in axes.values())):
        chosen = {field: value for field, value in zip(axes, choice, strict=True) if value is not None}
        steps = _winner(chosen, precedence, axes, prices.base.get(meter))
        if steps is not None:
            yield replace(ALWAYS, **chosen), steps


def _winner(
    chosen: Mapping[str, Any],
    precedence: Sequence[tuple[str, str]],
    axes: Mapping[str, Mapping[Any, Steps]],
    base: Steps | None,
) -> Steps | None:
    """Variants as listed, then the day window, then the base."""
    for field, value in precedence:
        if chosen.get(field) == value:
            return axes[field][value]
    if "time_of_day" in chosen:
        return axes["time_of_day"][chosen["time_of_day"]]
    return base


def _meter_rates(meter: str, cells: Sequence[tuple[Conditions, Steps]]) -> Iterator[Rate]:
    bounds = sorted({least for _, steps in cells for least, _ in steps.prices if least > 0})
    for when, steps in cells:
        yield Rate(meter, steps.price_at(0), steps.per, when)
        for least, beyond in pairwise([*bounds, UNBOUNDED + 1]):
            ranged = replace(when, context_tokens=TokenRange(least, beyond - 1))
            yield Rate(meter, steps.price_at(least), steps.per, ranged)
