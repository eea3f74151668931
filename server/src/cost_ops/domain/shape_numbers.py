"""The numbers of a payload: whole counts, decimal amounts, and every way they can be impossible."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cost_ops.domain.errors import Problem
from cost_ops.domain.money import parse_decimal
from cost_ops.domain.usage import MAX_TOKENS, Quantity

MOST_MONEY = Decimal(10_000_000)
_FINEST = -18
_MOST_DIGITS = 13


def number(
    value: Any, at: str, problems: list[Problem], *, decimal: bool, whole_floats: bool, texts: bool = False
) -> Quantity | None:
    """The count that stands at `at`; None and a problem where no count can be that.

    A whole number written as a fraction (12.0) is taken with `whole_floats`; other fractions with `decimal` only.
    With `texts` its digits may be a text.
    """
    if texts and isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)
    fault = _fault(value)
    if fault is not None:
        problems.append(Problem(at, fault[0], f"{at} {fault[1]}, got {shown(value)}"))
        return None
    if isinstance(value, int):
        return value
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if decimal:
        return _decimal(exact, at, problems)
    if whole_floats and exact == exact.to_integral_value():
        return int(exact)
    problems.append(Problem(at, "not_integer", f"{at} must be a whole number, got {shown(value)}"))
    return None


def _fault(value: Any) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "invalid_type", "must be a number"
    if not isinstance(value, int) and not Decimal(value).is_finite():
        return "not_finite", "must be a finite number"
    if value < 0:
        return "negative", "must not be negative"
    return ("too_large", f"must be at most {MAX_TOKENS}") if value > MAX_TOKENS else None


def _decimal(value: Decimal, at: str, problems: list[Problem]) -> Quantity | None:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST:
        problems.append(Problem(at, "too_precise", f"{at} must have at most {-_FINEST} decimals"))
        return None
    return int(value) if value == value.to_integral_value() else value


def money(value: Any, at: str, divisor: int, problems: list[Problem]) -> Decimal | None:
    """An amount in a currency's units: `value` (a number or decimal text) divided by `divisor`, a power of ten."""
    try:
        amount = parse_decimal(repr(value) if isinstance(value, float) else value)
    except ValueError:
        problems.append(Problem(at, "invalid_type", f"{at} must be a decimal number, got {shown(value)}"))
        return None
    amount = amount.scaleb(1 - len(str(divisor)))
    if not 0 <= amount <= MOST_MONEY:
        reason = "negative" if amount < 0 else "too_large"
        problems.append(Problem(at, reason, f"{at} must be between 0 and {MOST_MONEY}, got {shown(value)}"))
        return None
    return amount


def shown(value: Any) -> str:
    """A value for people, cut short; never its content where that is long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, str) and len(value) <= 40 else str(value)[:40]
