"""The body of a batch, joined of records as they were tracked: none is read again to add what it lacks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from llm_cost_ops.delivery.frames import Entry

_COMPRESSED_FROM = 16 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
KEYS = (b'"idempotency_key":', b'"request_id":')


class Body(NamedTuple):
    """What is posted."""

    content: bytes
    headers: Mapping[str, str]


class Completed:
    """Adds to records what they do not say themselves: time, key, organisation and default price."""

    def __init__(self, organization_id: Optional[str], default_pricing: Optional[Mapping[str, Any]]) -> None:
        self._organization = _member("organization_id", organization_id)
        self._pricing = _member("default_pricing", default_pricing)

    def record(self, entry: Entry, at_ns: Optional[int] = None) -> bytes:
        """A record as the ledger takes it; `at_ns` is said in place of its own time."""
        record, added = entry.record, []
        if not says(record, b'"timestamp":'):
            added.append(b'"timestamp":"%b"' % instant(entry.at_ns if at_ns is None else at_ns))
        if not names_itself(record):
            added.append(b'"idempotency_key":"%b"' % entry.key.hex().encode())
        if self._organization and not says(record, b'"organization_id":'):
            added.append(self._organization)
        if self._pricing and not says(record, b'"default_pricing":'):
            added.append(self._pricing)
        if not added:
            return record
        return record[:-1] + (b"," if len(record) > 2 else b"") + b",".join(added) + b"}"

    def batch(self, records: Sequence[bytes]) -> Body:
        """The body of these records, compressed where that is worth it."""
        content = b'{"records":[%b]}' % b",".join(records)
        if len(content) < _COMPRESSED_FROM:
            return Body(content, {})
        return Body(gzip.compress(content, compresslevel=1), {"Content-Encoding": "gzip"})


def _member(name: str, value: Any) -> bytes:
    return b"" if value is None else f'"{name}":{json.dumps(value, default=str)}'.encode()


def names_itself(record: bytes) -> bool:
    """Whether a record has a key that its application gave it."""
    return any(says(record, key) for key in KEYS)


def says(record: bytes, member: bytes) -> bool:
    """Whether a record has this member itself; one within its metadata does not count."""
    if member not in record:
        return False
    try:
        fields = json.loads(record)
    except ValueError:
        return False
    return fields.get(member[1:-2].decode()) is not None


def instant(at_ns: int) -> bytes:
    """A time as RFC 3339 has it, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat().encode()
