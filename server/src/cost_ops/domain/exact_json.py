"""JSON that keeps decimals exact: written as plain numbers, read without passing through floats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import format_instant


def json_text(value: Any, indent: int = 0) -> str:
    """JSON in which a Decimal is a plain number (never `1E-10`); `indent` 0 writes one line.

    >>> from decimal import Decimal
    >>> json_text({"cost": Decimal("1E-10"), "tags": []})
    '{"cost": 0.0000000001, "tags": []}'
    """
    return _text(value, indent, "\n" if indent else "")


def _text(value: Any, indent: int, line: str) -> str:
    """`line` is what a line of this depth begins with; empty where all stands in one."""
    write = _SCALARS.get(value.__class__)
    if write is not None:
        return write(value)
    if isinstance(value, Mapping) and value:
        inner = line + " " * indent
        items = [f"{encode_basestring(str(k))}: {_text(v, indent, inner)}" for k, v in value.items()]
        return f"{{{inner}{_join(items, inner)}{line}}}"
    if isinstance(value, list | tuple) and value:
        inner = line + " " * indent
        return f"[{inner}{_join([_text(v, indent, inner) for v in value], inner)}{line}]"
    return json.dumps(simple(value), ensure_ascii=False, allow_nan=False)


def _join(items: list[str], inner: str) -> str:
    return (f",{inner}" if inner else ", ").join(items)


_SCALARS: Mapping[type, Callable[[Any], str]] = {
    Decimal: format_decimal,
    str: encode_basestring,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}


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
