"""Money in JSON: exact numbers in plain notation, or texts for clients whose numbers are binary floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from cost_ops.domain.money import format_e10

_DESCRIPTION = "An exact amount with at most 10 decimals: a number, or a text with `?money=string`."

Money = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description=_DESCRIPTION, extra_json_schema={"type": ["number", "string"], "examples": [0.025, "0.025"]}
    ),
]
"""A field that holds an amount, already written."""

MaybeMoney = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description=f"{_DESCRIPTION} null where it is not known.",
        extra_json_schema={"type": ["number", "string", "null"], "examples": [0.025, "0.025", None]},
    ),
]
"""A field that holds an amount or null."""

NULL = msgspec.Raw(b"null")
MoneyWriter = Callable[[int | None], msgspec.Raw]


def as_number(amount_e10: int | None) -> msgspec.Raw:
    """An amount in 1e-10 currency units as a JSON number; None is null.

    >>> bytes(as_number(1))
    b'0.0000000001'
    """
    return NULL if amount_e10 is None else msgspec.Raw(format_e10(amount_e10).encode())


def as_text(amount_e10: int | None) -> msgspec.Raw:
    """The same as a JSON string."""
    return NULL if amount_e10 is None else msgspec.Raw(b'"%s"' % format_e10(amount_e10).encode())


def decimal_writer(written: str, money: MoneyWriter) -> msgspec.Raw:
    """An exact decimal, already formatted, in the form that `money` has."""
    return msgspec.Raw(b'"%s"' % written.encode() if money is as_text else written.encode())
