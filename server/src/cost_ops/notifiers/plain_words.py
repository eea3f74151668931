"""Values as people read them: names that are safe to print, amounts, shares, days.

Nothing is rounded up: what is short of a limit never reads as if it had reached it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any

LONGEST_NAME = 80
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_JOINERS = "\u200c\u200d"
_ISOLATE, _ISOLATE_END = "\u2068", "\u2069"


def plain(text: str, limit: int = LONGEST_NAME) -> str:
    """Text from outside on one line: no controls, nothing that turns the direction around or cannot be seen.

    >>> plain("a\\r\\nBcc: b\\u202e")
    'a Bcc: b'
    """
    kept = "".join(_kept(char) for char in text[: limit * 4])
    line = " ".join(kept.split())
    if len(line) > limit or len(text) > limit * 4:
        line = line[: limit - 1].rstrip() + "…"
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in line):
        return f"{_ISOLATE}{line}{_ISOLATE_END}"
    return line


def _kept(char: str) -> str:
    if char in _JOINERS:
        return char
    category = unicodedata.category(char)
    if category in ("Zs", "Zl", "Zp") or char in "\t\r\n\v\f":
        return " "
    return "" if category.startswith("C") else char


def decimals_of(number: Decimal) -> int:
    """How many decimals an amount is written with: two, or as many as it has.

    >>> decimals_of(Decimal("5000")), decimals_of(Decimal("0.12340"))
    (2, 4)
    """
    exponent = number.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def amount(number: Decimal, currency: str, decimals: int = 2) -> str:
    """An amount with its currency; one below a tenth has four significant digits. What is cut off is not rounded.

    >>> amount(Decimal("3812.409"), "USD"), amount(Decimal("0.00042196"), "USD")
    ('3,812.40 USD', '0.0004219 USD')
    """
    places = decimals
    if number and abs(number) < Decimal("0.1"):
        places = max(decimals, min(10, 3 - number.adjusted()))
    with localcontext() as context:
        context.prec = 60
        cut = number.quantize(Decimal(1).scaleb(-places), ROUND_DOWN)
    text = f"{cut:,f}"
    if places > max(2, decimals):
        whole, _, part = text.partition(".")
        part = part.rstrip("0").ljust(2, "0")
        text = f"{whole}.{part}"
    return f"{text} {currency}".rstrip()


def share(part: Decimal, whole: Decimal) -> int:
    """Whole percent that a part is, rounded down; of nothing everything is 100 %.

    >>> share(Decimal("99.999"), Decimal(100))
    99
    """
    if whole <= 0:
        return 100 if part > 0 else 0
    return max(0, int(part * 100 // whole))


def percent(share_of: Decimal) -> str:
    """A threshold such as 0.75 in percent.

    >>> percent(Decimal("0.75")), percent(Decimal("0.905"))
    ('75 %', '90.5 %')
    """
    text = f"{share_of * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def drawn(used: int) -> str:
    """Whole percent as a bar of ten, for where there is only text; it is full from 100 on.

    >>> drawn(76), drawn(99), drawn(130)
    ('▓▓▓▓▓▓▓░░░ 76 %', '▓▓▓▓▓▓▓▓▓░ 99 %', '▓▓▓▓▓▓▓▓▓▓ 130 %')
    """
    full = min(max(used, 0) // 10, 10)
    return f"{'▓' * full}{'░' * (10 - full)} {used:,} %"


def counted(number: int, one: str, many: str = "") -> str:
    """A number of things.

    >>> counted(1, "day"), counted(1200, "day")
    ('1 day', '1,200 days')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def time_left(now: datetime, end: datetime) -> str:
    """What is left until an end, in full days or hours."""
    left = end - now
    if left <= timedelta():
        return "the period is over"
    if left >= _DAY:
        return f"{counted(left // _DAY, 'day')} left"
    if left >= _HOUR:
        return f"{counted(left // _HOUR, 'hour')} left"
    return "less than an hour left"


def on_day(instant: datetime, now: datetime, zone: tzinfo) -> str:
    """When something will be, seen from now: `at 14:30 UTC`, `on the 28th`, `on 3 February`, `on 3 February 2027`."""
    then, today = instant.astimezone(zone), now.astimezone(zone)
    if then.date() == today.date():
        return f"at {then:%H:%M} {then.tzname()}"
    if (then.year, then.month) == (today.year, today.month):
        return f"on the {_ordinal(then.day)}"
    month = f"on {then.day} {then:%B}"
    return month if then.year == today.year else f"{month} {then.year}"


def moment(instant: datetime, zone: tzinfo) -> str:
    """A day and a time of day, such as `21 November 2026 14:03 UTC`."""
    local = instant.astimezone(zone)
    return f"{local.day} {local:%B %Y %H:%M} {local.tzname()}"


def _ordinal(day: int) -> str:
    suffix = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def said(value: Any, limit: int = 300) -> str:
    """Any value of an event on one line."""
    if isinstance(value, Mapping):
        pairs = [f"{key}: {said(item)}" for key, item in list(value.items())[:20]]
        return plain("; ".join(pairs) or "–", limit)
    if isinstance(value, list | tuple):
        return plain(", ".join(said(item) for item in value[:20]) or "–", limit)
    if isinstance(value, datetime):
        return moment(value, value.tzinfo or UTC)
    return _number(value) or plain("–" if value is None else str(value), limit)


def _number(value: Any) -> str:
    """A number or a truth value; empty for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value.normalize():,f}"
    return f"{value:,}" if isinstance(value, int) else ""
