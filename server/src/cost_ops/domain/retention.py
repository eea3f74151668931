"""What is old: how long usage is kept, and the month before which it goes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cost_ops.domain.errors import invalid
from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import Grain, bucket_of

_AGE = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>d|days?|m|months?)\Z")
MAX_MONTHS = 1_200


def cut_month(text: str, now: datetime) -> int:
    """The first UTC month, counted since year 0, that stays: `400d` keeps every month that has a day of the last 400,
    `13m` the last 13 whole months and this one. Raises InvalidInput.
    """
    found = _AGE.match(text.strip().lower())
    if found is None or int(found["number"]) == 0:
        raise invalid("older_than", "invalid_value", f"say an age such as 400d or 13m, got {text[:40]!r}")
    number = int(found["number"])
    if found["unit"].startswith("d"):
        return cut_month_of_days(number, now)
    if number > MAX_MONTHS:
        raise invalid("older_than", "out_of_range", f"an age has at most {MAX_MONTHS} months, got {number}")
    return bucket_of(Grain.MONTH, to_us(now)) - number


def cut_month_of_days(days: int, now: datetime) -> int:
    """The first month that stays where usage of the last `days` days does."""
    return bucket_of(Grain.MONTH, to_us(now - timedelta(days=days)))


def month_name(month: int) -> str:
    """A month counted since year 0, as `2025-01`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
