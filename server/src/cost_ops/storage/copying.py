"""Usage and cost rows in the binary form of PostgreSQL's COPY: twice as fast as text, on both sides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Any

from cost_ops.storage.rows import COLUMNS, COST_COLUMNS
from cost_ops.storage.transaction import CostRow

_EPOCH_2000_US = 946_684_800_000_000
"""Where PostgreSQL counts from, in microseconds since 1970."""

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"

_head = Struct("!hiqiqiqiqiq").pack
_long = Struct("!iq").pack
_int = Struct("!ii").pack
_short = Struct("!ih").pack
_length = Struct("!i").pack
_FIELDS = len(COLUMNS)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    encoded = value.encode()
    return _length(len(encoded)) + encoded


_name = lru_cache(maxsize=8192)(_text)
"""The same for texts that come again and again."""


def _json(value: str | None) -> bytes:
    if value is None:
        return _NULL
    encoded = value.encode()
    return _length(len(encoded) + 1) + b"\x01" + encoded


def binary_row(values: tuple[Any, ...]) -> bytes:
    """One row, its values in the order of `rows.COLUMNS`."""
    timestamp_us, uid, received_us, sent, received = values[:5]
    made, taken = timestamp_us - _EPOCH_2000_US, received_us - _EPOCH_2000_US
    fields = [_head(_FIELDS, 8, made, 8, uid, 8, taken, 8, sent, 8, received)]
    fields += [_NULL if value is None else _long(8, value) for value in values[5:10]]
    fields += [_NULL if value is None else _int(4, value) for value in values[10:12]]
    fields += [_NULL if value is None else _short(2, value) for value in values[12:14]]
    fields += map(_name, values[14:19])
    fields += map(_text, values[19:26])
    fields += map(_json, values[26:])
    return b"".join(fields)


def binary_rows(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """A whole COPY stream."""
    return b"".join((HEADER, *map(binary_row, rows), TRAILER))


_COST_FIELDS = len(COST_COLUMNS)
_cost_head = Struct("!hiqiqiq").pack


def _binary_cost_row(values: CostRow) -> bytes:
    """One superseding cost, its values in the order of `rows.COST_COLUMNS`."""
    timestamp_us, uid, created_us, cost_e10, version, price_number, code, owner, currency, reason, run, detail = values
    return b"".join(
        (
            _cost_head(_COST_FIELDS, 8, timestamp_us - _EPOCH_2000_US, 8, uid, 8, created_us - _EPOCH_2000_US),
            _NULL if cost_e10 is None else _long(8, cost_e10),
            _int(4, version),
            _NULL if price_number is None else _int(4, price_number),
            _short(2, code),
            _name(owner),
            _name(currency),
            _name(reason),
            _NULL if run is None else _int(4, run),
            _json(detail),
        )
    )


def binary_cost_rows(rows: Iterable[CostRow]) -> bytes:
    """A whole COPY stream of superseding costs."""
    return b"".join((HEADER, *map(_binary_cost_row, rows), TRAILER))
