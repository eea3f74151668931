"""Prices as published files write them: exact decimals, and the few that a float computation left noise in."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from cost_ops.domain.money import parse_decimal

FLOAT_DIGITS = 15
"""The digits that every decimal keeps on its way through a binary float (IEEE 754 double)."""

MEANT_DIGITS = 12
"""A number of more digits than this after rounding to 15 is taken as it is written: nobody can say what was meant."""

_FLOAT = Context(prec=FLOAT_DIGITS)
_EXACT = Context(prec=100)


def number(value: Any) -> Decimal:
    """A JSON number, read with `parse_float=Decimal`, as an exact decimal. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"not a number: {str(value)[:40]!r}")
    return parse_decimal(value)


def without_noise(written: Decimal) -> Decimal:
    """The short decimal of which `written` is the image in a binary float; `written` itself where it is no such image.

    >>> without_noise(Decimal("1.5000000000000002E-7"))
    Decimal('1.5E-7')
    >>> without_noise(Decimal("0.0002833333333333333"))
    Decimal('0.0002833333333333333')
    """
    if len(written.as_tuple().digits) <= FLOAT_DIGITS:
        return written
    short = _FLOAT.plus(written).normalize()
    return short if len(short.as_tuple().digits) <= MEANT_DIGITS else written


def scaled(price: Decimal, per: int) -> Decimal:
    """The price of `per` units from that of one, exact and without an exponent where it is a whole number."""
    product = _EXACT.multiply(price, Decimal(per))
    return Decimal(int(product)) if product == product.to_integral_value() else product.normalize(_EXACT)
