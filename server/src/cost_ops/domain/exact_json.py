"""JSON that keeps decimals exact: written as plain numbers, read without passing through floats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import format_instant


def json_text(value: Any, indent: int = 0) -> str:
    """JSON in which a Decimal is a plain number (never `1E-10`); `indent` 0 writes one line.

    >>> from decimal import Decimal
    >>> json_text({"cost": Decimal("1E-10"), "tags": []})
    '{"cost": 0.0000000001, "tags": []}'
    """
    return "".join(_parts(value, indent, 0))


def _parts(value: Any, indent: int, depth: int) -> Iterator[str]:
    if isinstance(value, Decimal):
        yield format_decimal(value)
    elif isinstance(value, Mapping) and value:
        yield from _container("{}", ((f"{_quoted(str(k))}: ", v) for k, v in value.items()), indent, depth)
    elif isinstance(value, list | tuple) and value:
        yield from _container("[]", (("", v) for v in value), indent, depth)
    else:
        yield json.dumps(simple(value), ensure_ascii=False, allow_nan=False)


def _container(marks: str, items: Iterable[tuple[str, Any]], indent: int, depth: int) -> Iterator[str]:
    inner = "\n" + " " * indent * (depth + 1) if indent else ""
    mark = ""
    yield marks[0]
    for label, item in items:
        yield mark + inner + label
        yield from _parts(item, indent, depth + 1)
        mark = "," if indent else ", "
    yield ("\n" + " " * indent * depth if indent else "") + marks[1]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def simple(value: Any) -> Any:
    """Times as RFC 3339 text; everything else as it is."""
    if isinstance(value, datetime):
        return format_instant(value)
    return value.isoformat() if isinstance(value, date) else value


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, fractions as Decimal. Raises ValueError, for NaN and infinities too."""
    return DECODER.decode(text.decode("utf-8") if isinstance(text, bytes) else text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON has")


DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
"""Exact and strict, for those who decode piece by piece."""
