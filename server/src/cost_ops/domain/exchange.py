"""Exchange rates by day, and how sums become one currency: reproducibly, and never by a rate that is not there.

The rule: what was spent in a currency on a UTC day is converted as one sum by that day's rate and rounded once, half to
even, to 1e-10; a total is the sum of its days. The rows of an answer share each day's converted sum by largest
remainder, so they add up to the total however it is grouped, and each is within 1e-10 a day of its exact amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from cost_ops.domain.money import format_decimal, round_half_even
from cost_ops.domain.periods import EPOCH

MAX_AGE_DAYS = 7
"""How old a rate may be: weekends and holidays have none."""


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """One unit of `base` is `rate` units of `quote` on a UTC day."""

    base: str
    quote: str
    day: date
    rate: Decimal
    source: str


class Conversion(NamedTuple):
    """One unit of a currency is `ratio` units of another, by the rates of `day`; `via` a third where it is a cross."""

    day: date
    ratio: Fraction
    source: str
    via: str | None = None


class RateTable:
    """Exchange rates, looked up by currencies and day."""

    def __init__(self, rates: Iterable[ExchangeRate]) -> None:
        """Index the rates."""
        self._days: dict[date, dict[str, dict[str, tuple[Fraction, str]]]] = {}
        for rate in rates:
            day = self._days.setdefault(rate.day, {})
            ratio = Fraction(rate.rate)
            day.setdefault(rate.base, {})[rate.quote] = (ratio, rate.source)
            day.setdefault(rate.quote, {}).setdefault(rate.base, (1 / ratio, rate.source))

    def find(self, currency: str, into: str, day: date) -> Conversion | None:
        """How to convert on a day: by its own rates, else by the last earlier ones within a week; None without any.

        On one day a stated rate comes before a cross over a third currency, the first of them by its code.
        """
        if currency == into:
            return Conversion(day, Fraction(1), "")
        for age in range(MAX_AGE_DAYS + 1):
            found = self._on(currency, into, day - timedelta(days=age))
            if found is not None:
                return found
        return None

    def _on(self, currency: str, into: str, day: date) -> Conversion | None:
        pairs = self._days.get(day, {})
        mine, theirs = pairs.get(currency, {}), pairs.get(into, {})
        if into in mine:
            ratio, source = mine[into]
            return Conversion(day, ratio, source)
        for via in sorted(mine.keys() & theirs.keys()):
            (first, source), (second, other) = mine[via], theirs[via]
            told = source if source == other else f"{source}; {other}"
            return Conversion(day, first / second, told, via)
        return None


class UsedRate(NamedTuple):
    """A rate that an answer used, and for how many UTC days of usage."""

    currency: str
    conversion: Conversion
    days: int


class NotConverted(NamedTuple):
    """What stayed in its own currency for want of a rate: the UTC days from first to last, and how many they are."""

    currency: str
    first: date
    last: date
    days: int


class Converted(NamedTuple):
    """How an answer came to be in one currency."""

    currency: str
    used: Sequence[UsedRate]
    missing: Sequence[NotConverted]


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH.date()).days


def shared(amounts: Sequence[int], ratio: Fraction) -> list[int]:
    """Each amount × ratio in whole numbers that add up to the rounded product of their sum: by largest remainder.

    >>> shared([1, 1, 1], Fraction(1, 2)), shared([10, 5], Fraction(2))
    ([1, 1, 0], [20, 10])
    """
    total = round_half_even(sum(amounts) * ratio.numerator, ratio.denominator)
    found, rests = [], []
    for amount in amounts:
        whole, rest = divmod(amount * ratio.numerator, ratio.denominator)
        found.append(whole)
        rests.append(rest)
    most = sorted(range(len(rests)), key=lambda i: -rests[i])
    for index in most[: total - sum(found)]:
        found[index] += 1
    return found


def ratio_text(ratio: Fraction, digits: int = 15) -> str:
    """A ratio in plain decimals with so many significant digits, for people; conversions use the exact one."""
    context = Context(prec=digits, rounding=ROUND_HALF_EVEN)
    return format_decimal(context.divide(Decimal(ratio.numerator), Decimal(ratio.denominator)))
