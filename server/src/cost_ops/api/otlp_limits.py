"""How much one OTLP request may hold, found out before it is decoded: empty messages of 2 bytes take 170 in memory."""

from __future__ import annotations

from cost_ops.domain.errors import PayloadTooLarge

MAX_SPANS = 20_000
MAX_PARTS = 500_000
"""Spans, attributes, events and links in one request, all together."""

_LOOKED_AT_FROM = 1_000_000
"""Bytes of a body from which its parts are counted first; smaller ones cannot do harm."""

_LEVELS = 3
"""How deep spans stand: in the request, a resource, a scope."""

_LENGTHS = {1: 8, 5: 4}
"""Bytes of a field with a fixed length, by wire type."""


def check_size(body: bytes) -> None:
    """Raises PayloadTooLarge where a body holds too many parts. What is not protobuf is left to the decoder."""
    if len(body) < _LOOKED_AT_FROM:
        return
    try:
        parts = _count(body, 0, len(body), _LEVELS, MAX_PARTS)
    except IndexError:
        return
    if parts >= MAX_PARTS:
        message = (
            f"the request holds more than {MAX_PARTS} spans, attributes, events and links; send it in smaller parts"
        )
        raise PayloadTooLarge(message, limit_parts=MAX_PARTS)


def _count(body: bytes, place: int, end: int, levels: int, limit: int) -> int:
    """Messages between two places, those inside them down to `levels` included; stops at `limit`."""
    parts = 0
    while place < end and parts < limit:
        tag, place = _varint(body, place)
        wire_type = tag & 7
        if wire_type == 0:
            _, place = _varint(body, place)
        elif wire_type == 2:
            length, place = _varint(body, place)
            parts += 1
            if levels:
                parts += _count(body, place, min(place + length, end), levels - 1, limit - parts)
            place += length
        elif wire_type in _LENGTHS:
            place += _LENGTHS[wire_type]
        else:
            return parts
    return parts


def _varint(body: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it. Raises IndexError where the body ends first."""
    value = shift = 0
    while True:
        byte = body[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise IndexError
