"""Values as other systems write them, in ours: texts, counts, amounts and times. Nothing passes through floats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.exact_json import DECODER
from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import format_instant, from_us, parse_instant, to_us
from cost_ops.domain.submitted import MAX_LATENCY_MS
from cost_ops.domain.text import MAX_TAG_KEY, MAX_TAGS, MAX_TEXT

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?\Z", re.ASCII
)
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_WHOLE = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)
_MILLISECONDS_FROM = 10**11
"""A count of seconds this large lies in the year 5138, a count of milliseconds in 1973."""


def text(value: Any) -> str | None:
    """A text that says something; numbers as text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def label(value: Any) -> str | None:
    """A text that fits a tag: on one line, and cut where it is too long. For words of ours, never for identities."""
    stated = text(value)
    if stated is None:
        return None
    line = _UNFIT.sub(" ", stated)
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


_MOST_DIGITS = 30
"""More than any count has: a number such as 1E+99999 is not written out."""


def labels(tags: Mapping[Any, Any]) -> dict[str, str]:
    """Tags that fit, at most as many as a record may have."""
    fitting = {
        name[:MAX_TAG_KEY]: word for key, value in tags.items() if (name := label(key)) and (word := label(value))
    }
    return dict(list(fitting.items())[:MAX_TAGS])


def whole(value: Any) -> Any:
    """A count as an integer, be it written `12`, `12.0` or `"12"`; anything else as it is, for the ledger to refuse."""
    if isinstance(value, str):
        stripped = value.strip()
        return int(stripped) if _WHOLE.match(stripped) else stripped or None
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MOST_DIGITS:
        return int(value) if value == value.to_integral_value() else value
    return value


def is_count(value: Any) -> bool:
    """Whether a value is a count of something."""
    return isinstance(value, int) and not isinstance(value, bool)


def nested(value: Any, *path: str) -> Any:
    """What stands at a path of objects; None where there is nothing."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, also one written as JSON in a text; empty for anything else."""
    found = structure(value)
    return found if isinstance(found, Mapping) else {}


def words(value: Any) -> list[str]:
    """A list of texts, also one written as JSON in a text; empty for anything else."""
    found = structure(value)
    return [word for word in found if isinstance(word, str) and word] if isinstance(found, list) else []


def structure(value: Any) -> Any:
    """A value, decoded where it is JSON in a text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return DECODER.decode(value.strip())
        except (ValueError, RecursionError):
            return None
    return value


def flag(value: Any) -> bool:
    """Whether something is said to be so, as a boolean or as its name."""
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "t"))


def amount(value: Any) -> str | None:
    """An amount as exact decimal text; None where there is none."""
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return format_decimal(number) if number.is_finite() and abs(number.adjusted()) < 30 else None


def instant(value: Any) -> str | None:
    """A time as RFC 3339 text. Numbers are seconds or milliseconds since 1970; a text without an offset is UTC.

    What cannot be read as a time is given back as it is, for the ledger to refuse; None where there is nothing.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _from_number(Decimal(value))
    stated = text(value)
    if stated is None or (match := _TIME.match(stated)) is None:
        return stated
    day, clock, offset = match.groups()
    if offset in (None, "UTC"):
        offset = "Z"
    elif len(offset) == 3:
        offset += ":00"
    return f"{day}T{clock}{offset}"


def _from_number(number: Decimal) -> str:
    if not number.is_finite() or not -30 < number.adjusted() < 16:
        return str(number)
    unit = 1_000 if abs(number) >= _MILLISECONDS_FROM else 1_000_000
    try:
        return format_instant(from_us(int(number * unit)))
    except OverflowError:
        return str(number)


def elapsed_ms(start: str | None, end: str | None) -> int | None:
    """Milliseconds between two times in RFC 3339; None where they do not tell."""
    if start is None or end is None:
        return None
    try:
        passed = (to_us(parse_instant(end, "end")) - to_us(parse_instant(start, "start"))) // 1000
    except InvalidInput:
        return None
    return passed if 0 <= passed <= MAX_LATENCY_MS else None
