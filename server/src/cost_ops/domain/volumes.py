"""Volume tiers: the discount that holds for all usage of a calendar month, by how many tokens the whole month has.

    {"tiers": [{"from": 0, "discount": "0"}, {"from": 1000000000, "discount": "0.10"}]}

A month is one of the UTC calendar. Which tier holds is known when it is over; until then it is what was known last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from cost_ops.domain.errors import Problem, invalid
from cost_ops.domain.money import format_decimal, parse_decimal
from cost_ops.domain.rollups import Grain, bucket_of, month_start_us

MAX_TIERS = 20
MAX_TOKENS = 10**18
MAX_DISCOUNT_DECIMALS = 12
UNSETTLED = "volume_not_settled"
"""In the detail of a price: it is made of a tier that the rest of the month may change, so its costs are estimates."""

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_FIELDS = ("tiers", "mode", "timezone")


class Tier(NamedTuple):
    """From so many tokens a month on, `percent` off."""

    least: int
    percent: Decimal


class ContractMonth(NamedTuple):
    """A month (counted since year 0) of a contract with tiers: which tier holds, by its place, and for what volume.

    `settled`: the month is over, and its costs are not estimates. `applied`: what was recorded before has been costed
    again since tier or state changed.
    """

    month: int
    tier: int
    volume: int
    settled: bool
    applied: bool
    updated_at: datetime


def tier_at(tiers: Sequence[Tier], volume: int) -> int:
    """The place of the tier that a volume reaches; the first begins at 0.

    >>> tiers = (Tier(0, Decimal(0)), Tier(100, Decimal(10)))
    >>> tier_at(tiers, 99), tier_at(tiers, 100)
    (0, 1)
    """
    return max(place for place, tier in enumerate(tiers) if tier.least <= volume)


def month_at(instant_us: int) -> int:
    """The UTC month, counted since year 0, of an instant in microseconds since 1970."""
    return bucket_of(Grain.MONTH, instant_us)


def month_bounds(month: int) -> tuple[int, int]:
    """The first instant of a month and that of the next, in microseconds since 1970."""
    return month_start_us(month), month_start_us(month + 1)


def month_text(month: int) -> str:
    """A month as people write it.

    >>> month_text(2026 * 12 + 10)
    '2026-11'
    """
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def parse_month(text: str, field: str = "month") -> int:
    """A month counted since year 0. Raises InvalidInput (`invalid_date_format`).

    >>> parse_month("2026-11") == 2026 * 12 + 10
    True
    """
    found = _MONTH.fullmatch(text)
    if found is None or not 1970 <= int(found[1]) <= 9998:
        raise invalid(field, "invalid_date_format", f"{field} must be a month such as 2026-11, got {text[:20]!r}")
    return int(found[1]) * 12 + int(found[2]) - 1


def tiers_from_json(value: Any, problems: list[Problem], field: str = "volume") -> tuple[Tier, ...]:
    """Tiers from their JSON form; every fault is appended to `problems`."""
    if not isinstance(value, Mapping):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object with a list of tiers"))
        return ()
    for name in value:
        if name not in _FIELDS:
            message = f"{field}.{str(name)[:40]} is not part of {field}; known are {', '.join(_FIELDS)}"
            problems.append(Problem(f"{field}.{str(name)[:40]}", "unknown_field", message))
    if value.get("mode", "all_units") != "all_units":
        message = (
            f"{field}.mode must be all_units: the tier that a month reaches holds for all of its usage; graduated "
            "tiers, each for a part of the volume, are not supported"
        )
        problems.append(Problem(f"{field}.mode", "unsupported", message))
    if value.get("timezone", "UTC") != "UTC":
        message = f"{field}.timezone must be UTC: a volume is that of a UTC calendar month"
        problems.append(Problem(f"{field}.timezone", "unsupported", message))
    tiers = value.get("tiers")
    if not isinstance(tiers, list) or not 1 <= len(tiers) <= MAX_TIERS:
        message = f"{field}.tiers must be a list of 1 to {MAX_TIERS} tiers"
        problems.append(Problem(f"{field}.tiers", "invalid_type", message))
        return ()
    before = len(problems)
    found = tuple(_tier(item, f"{field}.tiers[{place}]", problems) for place, item in enumerate(tiers))
    if len(problems) == before:
        _check_order(found, f"{field}.tiers", problems)
    return found


def _check_order(tiers: Sequence[Tier], field: str, problems: list[Problem]) -> None:
    if tiers[0].least != 0:
        problems.append(Problem(f"{field}[0].from", "out_of_range", f"{field} must begin with a tier from 0 tokens on"))
    for place, (lower, upper) in enumerate(pairwise(tiers), 1):
        if upper.least <= lower.least:
            message = f"{field}[{place}].from must be more than the {lower.least} of the tier before it"
            problems.append(Problem(f"{field}[{place}].from", "out_of_range", message))


def _tier(item: Any, field: str, problems: list[Problem]) -> Tier:
    if not isinstance(item, Mapping) or item.keys() != {"from", "discount"}:
        message = f'{field} must be an object such as {{"from": 1000000, "discount": "0.10"}}'
        problems.append(Problem(field, "invalid_type", message))
        return Tier(0, Decimal(0))
    least = item["from"]
    if isinstance(least, bool) or not isinstance(least, int) or not 0 <= least <= MAX_TOKENS:
        message = f"{field}.from must be a whole number of tokens between 0 and {MAX_TOKENS}"
        problems.append(Problem(f"{field}.from", "out_of_range", message))
        least = 0
    return Tier(least, _percent(item["discount"], f"{field}.discount", problems))


def _percent(value: Any, field: str, problems: list[Problem]) -> Decimal:
    try:
        discount = parse_decimal(value)
    except ValueError as error:
        problems.append(Problem(field, "invalid_type", f"{field} must be a decimal number: {error}"))
        return Decimal(0)
    if not 0 <= discount < 1:
        message = f'{field} must be at least 0 and less than 1: "0.10" is ten percent off'
        problems.append(Problem(field, "out_of_range", message))
        return Decimal(0)
    exponent = discount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DISCOUNT_DECIMALS:
        message = f"{field} must have at most {MAX_DISCOUNT_DECIMALS} decimals"
        problems.append(Problem(field, "too_many_digits", message))
    return discount.scaleb(2)


def tier_to_json(tier: Tier) -> dict[str, Any]:
    """A tier as `tiers_from_json` reads it."""
    return {"from": tier.least, "discount": format_decimal(tier.percent.scaleb(-2))}


def volume_to_json(tiers: Sequence[Tier]) -> dict[str, Any]:
    """What `tiers_from_json` reads."""
    return {"tiers": [tier_to_json(tier) for tier in tiers]}
