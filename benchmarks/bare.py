"""The bare insert: rows into `usage_records`, their keys into `idempotency_keys`, and nothing else.

No parsing, no prices, no look-up of keys, no rollups; the same tables, the same unique key and the same durability. It
is what the database itself allows, and so what an honest ingest is measured against. Filling ledgers goes this way too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import psycopg

from cost_ops.storage.address import parse_url
from cost_ops.storage.copying import binary_rows
from cost_ops.storage.rows import COLUMNS
from cost_ops.storage.sqlite_connection import WRITER_CACHE_KIB, connect

KeyRow = tuple[bytes, int, int, int]
"""Key hash, timestamp in microseconds, payload hash, organisation number."""

_SQLITE_USAGE = f"INSERT INTO usage_records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SQLITE_KEYS = "INSERT INTO idempotency_keys (key_hash, timestamp, payload_hash, organization) VALUES (?, ?, ?, ?)"
_POSTGRES_USAGE = f"COPY usage_records ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_POSTGRES_KEYS = (
    "INSERT INTO idempotency_keys (key_hash, timestamp, payload_hash, organization)"
    " SELECT * FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::int4[])"
)


class BareInsert(Protocol):
    """A connection of its own that inserts and commits."""

    def insert(self, rows: Sequence[tuple[Any, ...]], keys: Sequence[KeyRow]) -> None:
        """Store rows and keys in one transaction; when this returns, they are on disk."""

    def close(self) -> None:
        """Let go of the connection."""


def open_bare(url: str) -> BareInsert:
    """A bare insert into the database at a URL."""
    address = parse_url(url)
    return BareSqlite(address.target) if address.engine == "sqlite" else BarePostgres(address.target)


class BareSqlite:
    """SQLite, with the settings that the product's writer has: WAL, synchronous FULL."""

    def __init__(self, path: str) -> None:
        self._connection = connect(path, cache_kib=WRITER_CACHE_KIB)

    def insert(self, rows: Sequence[tuple[Any, ...]], keys: Sequence[KeyRow]) -> None:
        """Store rows and keys in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        sqlite_rows(self._connection, rows, keys)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


class BarePostgres:
    """PostgreSQL, with the server's own durability: COPY in binary form for rows, one statement for keys."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def insert(self, rows: Sequence[tuple[Any, ...]], keys: Sequence[KeyRow]) -> None:
        """Store rows and keys in one transaction."""
        postgres_rows(self._connection, rows, keys)
        self._connection.commit()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def sqlite_rows(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]], keys: Sequence[KeyRow]) -> None:
    """Insert inside the transaction that is open."""
    connection.executemany(_SQLITE_USAGE, rows)
    connection.executemany(_SQLITE_KEYS, sorted(keys))


def postgres_rows(connection: psycopg.Connection[Any], rows: Sequence[tuple[Any, ...]], keys: Sequence[KeyRow]) -> None:
    """Insert inside the transaction that is open."""
    with connection.cursor() as cursor:
        with cursor.copy(_POSTGRES_USAGE) as copy:
            copy.write(binary_rows(rows))
        columns = list(zip(*sorted(keys), strict=True))
        hashes = "{" + ",".join(hashed.hex() for hashed in columns[0]) + "}"
        cursor.execute(_POSTGRES_KEYS, [hashes, *(list(column) for column in columns[1:])])
