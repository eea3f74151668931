"""How a record stands in a segment: a mark, its length, a checksum, its time, its key, and the record as it is.

The mark holds bytes that no UTF-8 text has, so it is found again after bytes that are damaged. Where the next mark
would stand there are zeros: nothing was written there yet.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

MARK = b"\xff\xfeC\xf8"
_HEAD = struct.Struct("<4sIIq16s")
_CHECKED = struct.Struct("<Iq16s")
HEAD_BYTES = _HEAD.size
_NOTHING = b"\0" * len(MARK)

END, MORE, DAMAGED = "end", "more", "damaged"


class Entry(NamedTuple):
    """A record that waits."""

    key: bytes
    at_ns: int
    record: bytes


class Run(NamedTuple):
    """Whole records in a row, where they end, and what comes there: the end, a part of a record, or damaged bytes."""

    entries: list[Entry]
    position: int
    then: str


def packed(record: bytes, key: bytes, at_ns: int) -> bytes:
    """A record as it stands in a segment."""
    checked = _CHECKED.pack(len(record), at_ns, key)
    return _HEAD.pack(MARK, len(record), crc32(record, crc32(checked)), at_ns, key) + record


def read_frames(data: bytes, start: int, most: int) -> Run:
    """The records that stand from `start` on, `most` at most."""
    entries: list[Entry] = []
    position, size = start, len(data)
    while len(entries) < most:
        if size - position < HEAD_BYTES:
            return Run(entries, position, MORE if data[position:].strip(b"\0") else END)
        mark, length, checksum, at_ns, key = _HEAD.unpack_from(data, position)
        if mark != MARK:
            return Run(entries, position, END if mark == _NOTHING else DAMAGED)
        record = data[position + HEAD_BYTES : position + HEAD_BYTES + length]
        if len(record) < length:
            return Run(entries, position, MORE)
        if crc32(record, crc32(_CHECKED.pack(length, at_ns, key))) != checksum:
            return Run(entries, position, DAMAGED)
        entries.append(Entry(key, at_ns, record))
        position += HEAD_BYTES + length
    return Run(entries, position, MORE)


def next_whole(data: bytes, start: int) -> int:
    """Where the next whole record stands after `start`; -1 where there is none."""
    position = data.find(MARK, start + 1)
    while position >= 0 and not read_frames(data, position, 1).entries:
        position = data.find(MARK, position + 1)
    return position
