"""Rows of audit events as they are, even after somebody changed them by hand: nothing here trusts a type.

SQLite keeps any value in any column, and text that is no text; so it is asked for bytes there, which are read here.
PostgreSQL keeps to its types, but has instants and JSON that Python cannot hold.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Select, Text, case, cast, literal_column, select, type_coerce
from sqlalchemy.types import NULLTYPE

from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.audit_chain import Head
from cost_ops.domain.periods import EPOCH, from_us
from cost_ops.storage.access_tables import audit_chains
from cost_ops.storage.tables import audit_events
from cost_ops.storage.transaction import Transaction

_TEXTS = ("organization_id", "request_id", "address", "detail", "chain", "actor", "action", "resource")
_OPTIONAL = 4
"""So many of the texts, the first, may be missing."""

_YEARS = "at >= '0001-01-02 00:00:00+00' AND at < '9999-12-31 00:00:00+00'"


def read(tx: Transaction) -> Select[Any]:
    """Audit events, to be understood by `event_of`."""
    a = audit_events.c
    texts: list[ColumnElement[Any]]
    if tx.postgres:
        at = case((literal_column(_YEARS), a.at), else_=None).label("at")
        texts = [cast(a.detail, Text) if name == "detail" else a[name] for name in _TEXTS]
        return select(a.number, a.sequence, a.hash, at, *texts)
    raw: list[ColumnElement[Any]] = [type_coerce(a[name], NULLTYPE).label(name) for name in ("sequence", "at")]
    columns = [a.number, raw[0], cast(a.hash, LargeBinary), raw[1], *(cast(a[name], LargeBinary) for name in _TEXTS)]
    return select(*columns)


def head_read(tx: Transaction) -> Select[Any]:
    """Heads of chains, to be understood by `head_of`."""
    c = audit_chains.c
    if tx.postgres:
        return select(c.length, c.head)
    columns: list[ColumnElement[Any]] = [type_coerce(c.length, NULLTYPE).label("length"), cast(c.head, LargeBinary)]
    return select(*columns)


def head_of(row: Any) -> Head:
    """A chain's head; one that cannot be read fits no chain."""
    length, head = row
    return Head(length if isinstance(length, int) else 0, bytes(head or b""))


def event_of(row: Any) -> AuditEvent:
    """An event, with the names of the columns that cannot be read."""
    number, sequence, hashed, at, *texts = row
    bad: list[str] = []
    if not isinstance(sequence, int):
        bad.append("sequence")
        sequence = 0
    if hashed is None:
        bad.append("hash")
    organization_id, request_id, address, detail, _, actor, action, resource = [
        _text(place, value, bad) for place, value in enumerate(texts)
    ]
    return AuditEvent(
        action=action or "",
        resource=resource or "",
        actor=actor or "",
        at=_instant(at, bad),
        organization_id=organization_id,
        request_id=request_id,
        address=address,
        detail=_detail(detail, bad),
        number=number,
        sequence=sequence,
        hash=bytes(hashed or b""),
        unreadable=tuple(bad),
    )


def _text(place: int, value: Any, bad: list[str]) -> str | None:
    if isinstance(value, str):
        return value
    if value is None:
        if place >= _OPTIONAL:
            bad.append(_TEXTS[place])
        return None
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        bad.append(_TEXTS[place])
        return str(value, "utf-8", "replace")


def _instant(value: Any, bad: list[str]) -> datetime:
    try:
        if isinstance(value, int):
            return from_us(value)
    except OverflowError:
        pass
    bad.append("at")
    return EPOCH


def _detail(text: str | None, bad: list[str]) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    if "detail" not in bad:
        bad.append("detail")
    return None
