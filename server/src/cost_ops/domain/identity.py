"""Record ids: UUIDv7 whose time is the usage's own, so that an id alone leads to its row.

An id holds the usage timestamp to the microsecond (48 bits of milliseconds, then the microseconds in `rand_a`,
RFC 9562 section 6.2 method 3) and 62 bits of ours, `uid`: random, or taken from the idempotency key. A row stores the
timestamp anyway, so an id costs 8 bytes, and looking one up needs no index of its own.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from cost_ops.domain.errors import NotFound

UID_BITS = 62
_UID_MASK = (1 << UID_BITS) - 1
_VARIANT = 0b10 << 62
MAX_TIMESTAMP_US = ((1 << 48) - 1) * 1000 + 999


def usage_id(timestamp_us: int, uid: int) -> str:
    """The public id of the record with this timestamp (microseconds since 1970) and uid.

    >>> usage_id(1_735_689_600_000_001, 5)
    '01941f29-7c00-7001-8000-000000000005'
    """
    milliseconds, microseconds = divmod(timestamp_us, 1000)
    number = (milliseconds << 80) | (0x7 << 76) | (microseconds << 64) | _VARIANT | uid
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_usage_id(text: str) -> tuple[int, int]:
    """(timestamp_us, uid) of a public id. Raises NotFound for anything that is not one of ours."""
    try:
        number = UUID(text).int
    except (ValueError, AttributeError) as error:
        raise NotFound(f"No usage record with id {text[:64]!r}") from error
    microseconds = (number >> 64) & 0xFFF
    if (number >> 76) & 0xF != 0x7 or (number >> 62) & 0b11 != 0b10 or microseconds > 999:
        raise NotFound(f"No usage record with id {text[:64]!r}")
    return (number >> 80) * 1000 + microseconds, number & _UID_MASK


def key_hash(organization_id: str, source: str, key: str) -> bytes:
    """16 bytes that stand for the deduplication key (organisation, source, caller's id)."""
    text = f"{organization_id}\x1f{source}\x1f{key}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def uid_of_key(hashed: bytes) -> int:
    """The uid of a record that came with a key: the first 62 bits of the key's hash."""
    return int.from_bytes(hashed[:8], "big") & _UID_MASK


def payload_hash(canonical: bytes) -> int:
    """A signed 64-bit fingerprint of a submission's canonical form."""
    return int.from_bytes(hashlib.blake2b(canonical, digest_size=8).digest(), "big", signed=True)
