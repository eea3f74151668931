"""Exact money: integers of 1e-10 currency units, and the one place that rounds.

An amount is an `int` whose name ends in `_e10`: 1 USD is 10_000_000_000. Sums of such integers are exact on every
database. Prices are exact decimals per a number of units; an amount is rounded once, half to even, to 1e-10.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import gcd

SCALE = 10
E10 = 10**SCALE
MAX_AMOUNT_E10 = 2**63 - 1
"""What a 64-bit column holds: 922 million currency units for one amount."""

MAX_AMOUNT_PER_RECORD_E10 = 10**17
"""Ten million currency units: no call costs that, and sums stay inside 64 bits."""

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_MAX_DIGITS = 40


def round_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator; a tie goes to the even one. `denominator` > 0.

    >>> [round_half_even(n, 2) for n in (1, 3, 5)]
    [0, 2, 2]
    """
    quotient, rest = divmod(numerator, denominator)
    twice = rest * 2
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def price_ratio(price: Decimal, per: int) -> tuple[int, int]:
    """A unit price as (numerator, denominator) of 1e-10 currency units per single unit, in lowest terms.

    `round_half_even(quantity * numerator, denominator)` is then the amount of `quantity` units.

    >>> price_ratio(Decimal("2.5"), 1_000_000)
    (25000, 1)
    """
    top, bottom = price.as_integer_ratio()
    top, bottom = top * E10, bottom * per
    shared = gcd(top, bottom)
    return top // shared, bottom // shared


def parse_decimal(value: str | int | Decimal) -> Decimal:
    """An exact, finite decimal from text or a whole number; floats are refused, their digits are not the sender's.

    Raises ValueError on anything else, on NaN and infinities, and on more than 40 digits.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"not a decimal number: {value!r}")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation as error:
        raise ValueError(f"not a decimal number: {value!r}") from error
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    if len(number.as_tuple().digits) > _MAX_DIGITS or abs(number.adjusted()) > _MAX_DIGITS:
        raise ValueError(f"more than {_MAX_DIGITS} digits: {str(value)[:60]!r}")
    return number


def e10_from_decimal(amount: Decimal) -> int:
    """An amount in currency units as an integer of 1e-10, rounded half to even."""
    top, bottom = amount.as_integer_ratio()
    return round_half_even(top * E10, bottom)


def e10_from_fraction(amount: Fraction) -> int:
    """The same for an exact fraction."""
    return round_half_even(amount.numerator * E10, amount.denominator)


def decimal_from_e10(amount_e10: int) -> Decimal:
    """The exact decimal of an amount.

    >>> decimal_from_e10(250_000_000)
    Decimal('0.0250000000')
    """
    return Decimal(amount_e10).scaleb(-SCALE)


def format_e10(amount_e10: int) -> str:
    """An amount in plain notation with at most 10 decimals, no exponent, no trailing zeros.

    >>> format_e10(250_000_000), format_e10(1), format_e10(0), format_e10(-15 * E10)
    ('0.025', '0.0000000001', '0', '-15')
    """
    sign = "-" if amount_e10 < 0 else ""
    whole, part = divmod(abs(amount_e10), E10)
    if part == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:010d}".rstrip("0")


def format_decimal(number: Decimal) -> str:
    """A decimal in plain notation without trailing zeros: never `1E-10`."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def is_currency(code: str) -> bool:
    """Whether `code` has the form of an ISO 4217 code (three capital letters)."""
    return _CURRENCY.match(code) is not None
