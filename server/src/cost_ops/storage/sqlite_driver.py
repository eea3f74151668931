"""SQLite's hot statements, on the driver's own connection."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from cost_ops.domain.errors import Unavailable
from cost_ops.interfaces.recording import NewRecord
from cost_ops.storage.rows import COLUMNS, COST_COLUMNS, values_of
from cost_ops.storage.sqlite_inserts import Inserting
from cost_ops.storage.transaction import CostRow, KeyRow, NameTable, RollupRow, SpendRow, Transaction

MEASURES = ("requests", "input_tokens", "output_tokens", "cached_tokens", "cost_e10")
_INSERT_USAGE = Inserting("usage_records", COLUMNS)
_INSERT_COSTS = Inserting("cost_records", COST_COLUMNS)
_INSERT_KEYS = Inserting(
    "idempotency_keys", ("key_hash", "timestamp", "payload_hash", "organization", "uid"), "ON CONFLICT DO NOTHING"
)
_ADD_ROLLUPS = Inserting(
    "rollups",
    ("cube_set", "bucket", "dimension", "series", *MEASURES),
    "ON CONFLICT DO UPDATE SET " + ", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES),
)
_ADD_SPENDS = Inserting(
    "budget_spends",
    ("budget", "period_start", "day", "currency", "organization", "folded_e10", "folded_requests"),
    "ON CONFLICT DO UPDATE SET folded_e10 = folded_e10 + excluded.folded_e10,"
    " folded_requests = folded_requests + excluded.folded_requests",
)
_CLAIMS = "SELECT key_hash, timestamp, payload_hash, organization, uid FROM idempotency_keys WHERE key_hash"
_CHUNK = 500


_WAIT_SECONDS = (0.0002, 0.0005, 0.001)
"""How long to wait before the file's write lock is tried again; the last for every further time."""


def _begin_immediate(raw: sqlite3.Connection, timeout_seconds: float) -> None:
    """Take the file's write lock from other processes. Raises OperationalError where that takes too long.

    SQLite's own waiting sleeps for up to 100 ms at a time while the lock is free: with four processes that write, the
    slowest of a hundred writers waited for a second. Asking every millisecond costs a waiter one part in a hundred of a
    core.
    """
    until = time.monotonic() + timeout_seconds
    milliseconds = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        for pause in chain(_WAIT_SECONDS, repeat(_WAIT_SECONDS[-1])):
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(pause)
            else:
                return
    finally:
        raw.execute(f"PRAGMA busy_timeout = {milliseconds}")


class SqliteDriver:
    """One writer at a time: threads of this process queue at a lock, other processes at the file's."""

    name = "sqlite"

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()

    def bind(self, tx: Transaction, organization_id: str, number: int) -> None:
        """Nothing: there are no roles here."""

    def read_one_state(self, tx: Transaction) -> None:
        """Nothing: every transaction reads one state."""

    def begin_write(self, tx: Transaction) -> None:
        """Take the write lock and look at the newest state: what was read before may have moved on since."""
        if not self._lock.acquire(timeout=self._timeout_seconds):
            raise Unavailable("the database is busy: writing has waited too long for its turn; try again")
        tx.at_end.append(self._lock.release)
        tx.raw.commit()
        _begin_immediate(tx.raw, self._timeout_seconds)

    def names_version(self, tx: Transaction) -> tuple[int, int]:
        """The versions of names and of what is watched; the write lock keeps them."""
        version, watched = tx.raw.execute("SELECT version, watched FROM dimension_version").fetchone()
        return version, watched

    def lock_names(self, tx: Transaction) -> None:
        """The write lock is that of everything."""
        tx.begin_write()

    def lock_costs(self, tx: Transaction, organization: int) -> None:  # noqa: ARG002
        """The write lock is that of everything."""
        tx.begin_write()

    def lock_records(self, tx: Transaction) -> None:
        """The write lock is that of everything."""
        tx.begin_write()

    def drop_before(self, tx: Transaction, end_us: int) -> list[str]:  # noqa: ARG002
        """Nothing: a file has no partitions."""
        return []

    def make_room(self, tx: Transaction, table: str, timestamps_us: Iterable[int]) -> None:
        """Nothing: a file has no partitions."""

    def claims(self, tx: Transaction, hashes: Sequence[bytes]) -> list[KeyRow]:
        """The rows of stored keys."""
        found: list[KeyRow] = []
        for start in range(0, len(hashes), _CHUNK):
            chunk = hashes[start : start + _CHUNK]
            found += tx.raw.execute(f"{_CLAIMS} IN ({','.join('?' * len(chunk))})", chunk)
        return found

    def insert_keys(self, tx: Transaction, rows: Sequence[KeyRow]) -> int:
        """Store keys, given in order; how many were not there."""
        return _INSERT_KEYS.run(tx.raw, rows)

    def insert_usage(self, tx: Transaction, records: Sequence[NewRecord]) -> None:
        """Store usage rows."""
        _INSERT_USAGE.run(tx.raw, list(map(values_of, records)))

    def insert_costs(self, tx: Transaction, rows: Sequence[CostRow]) -> None:
        """Store superseding costs."""
        _INSERT_COSTS.run(tx.raw, rows)

    def add_rollups(self, tx: Transaction, rows: Sequence[RollupRow]) -> None:
        """Add sums to rollup rows, given in order."""
        _ADD_ROLLUPS.run(tx.raw, rows)

    def add_spends(self, tx: Transaction, rows: Sequence[SpendRow]) -> None:
        """Add to what is spent of budgets, rows given in order."""
        _ADD_SPENDS.run(tx.raw, rows)

    def find_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of those keys that are stored."""
        matching = " AND ".join(f"{column} = ?" for column in lookup.columns)
        query = f"SELECT id FROM {lookup.table} WHERE {matching}"  # noqa: S608
        found = ((key, tx.raw.execute(query, key).fetchone()) for key in keys)
        return {key: row[0] for key, row in found if row is not None}

    def make_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of keys, given in order, stored where they were not."""
        places = ", ".join("?" * len(lookup.columns))
        insert = f"INSERT INTO {lookup.table} ({', '.join(lookup.columns)}) VALUES ({places})"  # noqa: S608
        return {key: tx.raw.execute(insert, key).lastrowid for key in keys}
