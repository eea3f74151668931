"""Usage records, each with its current cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, or_

from cost_ops.domain.costs import Filter
from cost_ops.domain.identity import uid_of_key
from cost_ops.domain.repricing import CostedUsage
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.storage import Position, UnpricedModel
from cost_ops.storage.rows import record_of, records_of
from cost_ops.storage.sql import costed, unpriced
from cost_ops.storage.sql.current import selected, with_latest
from cost_ops.storage.sql.dialects import InOrder, value_table
from cost_ops.storage.sql.filters import conditions
from cost_ops.storage.tables import Instant, usage_records
from cost_ops.storage.transaction import Transaction

u = usage_records.c
_CHUNK = 5_000
_STREAM_ROWS = 1_000
_MOST_VERSIONS = 50_000

Versions = dict[tuple[int, int], int]
"""(timestamp_us, uid) → the version of the cost that this transaction has seen; 0 is the first."""


def get(tx: Transaction, organization_id: str, refs: Sequence[tuple[int, int]]) -> list[UsageRecord]:
    """Stored records by (timestamp_us, uid), in any order."""
    found: list[UsageRecord] = []
    for start in range(0, len(refs), _CHUNK):
        places = {"timestamp": Instant(), "uid": BigInteger()}
        wanted = value_table(tx, "wanted", places, list(refs[start : start + _CHUNK]))
        there = and_(u.timestamp == wanted.c.timestamp, u.uid == wanted.c.uid)
        mine = selected(with_latest(InOrder(wanted, usage_records, there))).where(u.organization_id == organization_id)
        found += records_of(tx.rows(mine))
    return found


class StoredUsage:
    """Stored usage of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str, number: int) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._number = number
        self.versions: Versions = {}

    def _read(self, statement: Select[Any]) -> list[UsageRecord]:
        rows = self._tx.rows(statement)
        self._see(rows)
        return records_of(rows)

    def _see(self, rows: Sequence[Any]) -> None:
        self._remember({(row.timestamp, row.uid): row.version or 0 for row in rows})

    def _remember(self, versions: Versions) -> None:
        if len(self.versions) > _MOST_VERSIONS:
            self.versions.clear()
        self.versions.update(versions)

    def _mine(self, start_us: int | None = None, end_us: int | None = None) -> list[ColumnElement[bool]]:
        wanted = [u.organization_id == self._organization_id]
        if start_us is not None:
            wanted.append(u.timestamp >= start_us)
        if end_us is not None:
            wanted.append(u.timestamp < end_us)
        return wanted

    def get(self, timestamp_us: int, uid: int) -> UsageRecord | None:
        """One record."""
        found = self._read(selected().where(*self._mine(), u.timestamp == timestamp_us, u.uid == uid))
        return found[0] if found else None

    def find_by_key(self, key_hash: bytes) -> UsageRecord | None:
        """The record that an idempotency key led to."""
        claims = self._tx.driver.claims(self._tx, [key_hash])
        if not claims or claims[0][3] != self._number:
            return None
        return self.get(claims[0][1], claims[0][4] or uid_of_key(key_hash))

    def page(
        self,
        *,
        start_us: int | None,
        end_us: int | None,
        filters: Sequence[Filter],
        limit: int,
        before: Position | None = None,
        offset: int = 0,
    ) -> list[UsageRecord]:
        """Records of a range, newest first by (timestamp, uid), at most `limit`."""
        if before is not None:
            end_us = before.timestamp_us + 1 if end_us is None else min(end_us, before.timestamp_us + 1)
        wanted = [*self._mine(start_us, end_us), *conditions(self._tx, filters)]
        if before is not None:
            wanted.append(_earlier(before))
        newest_first = selected().where(*wanted).order_by(u.timestamp.desc(), u.uid.desc())
        return self._read(newest_first.limit(limit).offset(offset))

    def stream(self, *, start_us: int | None, end_us: int | None, filters: Sequence[Filter]) -> Iterator[UsageRecord]:
        """All records of a range, oldest first, in constant memory."""
        passed = conditions(self._tx, filters)
        if self._tx.postgres:
            pieces = _pieces(self._tx, [*self._mine(start_us, end_us), *passed])
        else:
            pieces = self._steps(start_us, end_us, passed)
        for rows in pieces:
            self._see(rows)
            yield from map(record_of, rows)

    def _steps(
        self, start_us: int | None, end_us: int | None, passed: Sequence[ColumnElement[bool]]
    ) -> Iterator[Sequence[Any]]:
        """Rows oldest first, each piece asked for by the place where the last one ended: no cursor stays open."""
        later: list[ColumnElement[bool]] = []
        while True:
            wanted = [*self._mine(start_us, end_us), *passed, *later]
            rows = self._tx.rows(_oldest_first(wanted).limit(_STREAM_ROWS))
            yield rows
            if len(rows) < _STREAM_ROWS:
                return
            start_us = rows[-1].timestamp
            later = [_later(Position(rows[-1].timestamp, rows[-1].uid))]

    def costed(
        self, *, start_us: int, end_us: int, filters: Sequence[Filter], after: Position | None, limit: int
    ) -> list[CostedUsage]:
        """Records of a range as costing them again needs them, oldest first, those beyond `after`."""
        wanted = [u.timestamp >= start_us, u.timestamp < end_us, *conditions(self._tx, filters)]
        found, places = costed.page(self._tx, self._organization_id, wanted, after=after, limit=limit)
        self._remember(places)
        return found

    def unpriced_models(self) -> list[UnpricedModel]:
        """What has no known cost, by provider and model."""
        return unpriced.models(self._tx, self._organization_id, self._number)

    def unpriced(
        self, *, provider: str | None, model_id: str | None, after: Position | None, limit: int
    ) -> list[UsageRecord]:
        """Records whose current cost is unpriced, oldest first, those beyond `after`.

        They are about to be priced: until this transaction ends, others that ask wait.
        """
        self._tx.driver.lock_costs(self._tx, self._number)
        wanted = self._mine(None if after is None else after.timestamp_us)
        if provider is not None:
            wanted.append(u.provider == provider)
        if model_id is not None:
            wanted.append(u.model_id == model_id)
        if after is not None:
            wanted.append(_later(after))
        found = (
            self._tx.rows(_oldest_first([*wanted, *how]).limit(limit))
            for how in unpriced.ways_to_be_unpriced(self._organization_id)
        )
        rows = list(islice(merge(*found, key=lambda row: (row.timestamp, row.uid)), limit))
        self._see(rows)
        return records_of(rows)


def _oldest_first(wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return selected().where(*wanted).order_by(u.timestamp, u.uid)


def _later(place: Position) -> ColumnElement[bool]:
    """What comes after a place, oldest first; a bound on the timestamp beside it is what an index can use."""
    return or_(u.timestamp > place.timestamp_us, and_(u.timestamp == place.timestamp_us, u.uid > place.uid))


def _earlier(place: Position) -> ColumnElement[bool]:
    """What comes after a place, newest first."""
    return or_(u.timestamp < place.timestamp_us, and_(u.timestamp == place.timestamp_us, u.uid < place.uid))


def _pieces(tx: Transaction, wanted: Sequence[ColumnElement[bool]]) -> Iterator[Sequence[Any]]:
    """Rows oldest first, from a cursor of the server, a piece at a time."""
    options = {"stream_results": True, "yield_per": _STREAM_ROWS}
    with tx.connection.execute(_oldest_first(wanted), execution_options=options) as result:
        yield from result.partitions()
