"""PostgreSQL's hot statements, on the driver's own connection: one round trip for any number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from cost_ops.domain.errors import Unavailable
from cost_ops.domain.periods import DAY_US
from cost_ops.domain.rollups import month_of_day
from cost_ops.interfaces.recording import Lost, NewRecord
from cost_ops.storage.arrays import int4_array, int8_array
from cost_ops.storage.copying import binary_cost_rows, binary_rows
from cost_ops.storage.partitions import PARTITIONED, Partitions
from cost_ops.storage.row_security import Mode, RowSecurity
from cost_ops.storage.rows import COLUMNS, COST_COLUMNS, values_of
from cost_ops.storage.transaction import CostRow, KeyRow, NameTable, RollupRow, SpendRow, Transaction

_COPY_USAGE = f"COPY usage_records ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_COPY_COSTS = f"COPY cost_records ({', '.join(COST_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_CLAIMS = """
SELECT uuid_send(key_hash), timestamp, payload_hash, organization, COALESCE(uid, 0) FROM idempotency_keys
WHERE key_hash = ANY(%s::uuid[])
"""
_INSERT_KEYS = """
INSERT INTO idempotency_keys (key_hash, timestamp, payload_hash, organization, uid)
SELECT hash, timestamp, payload, organization, NULLIF(uid, 0)
FROM unnest(%s::uuid[], %b::int8[], %b::int8[], %b::int4[], %b::int8[])
    AS keys (hash, timestamp, payload, organization, uid)
ON CONFLICT DO NOTHING
"""
_ADD_ROLLUPS = """
INSERT INTO rollups
    (cube_set, bucket, dimension, series, requests, input_tokens, output_tokens, cached_tokens, cost_e10)
SELECT * FROM unnest(
    %b::int4[], %b::int4[], %b::int4[], %b::int4[], %b::int8[], %b::int8[], %b::int8[], %b::int8[], %b::int8[]
)
ON CONFLICT (cube_set, bucket, dimension, series) DO UPDATE SET
    requests = rollups.requests + excluded.requests,
    input_tokens = rollups.input_tokens + excluded.input_tokens,
    output_tokens = rollups.output_tokens + excluded.output_tokens,
    cached_tokens = rollups.cached_tokens + excluded.cached_tokens,
    cost_e10 = rollups.cost_e10 + excluded.cost_e10
"""
_ADD_SPENDS = """
INSERT INTO budget_spends (budget, period_start, day, currency, organization, folded_e10, folded_requests)
SELECT * FROM unnest(%b::int4[], %b::int8[], %b::int4[], %s::text[], %b::int4[], %b::int8[], %b::int8[])
ON CONFLICT (budget, period_start, day, currency) DO UPDATE SET
    folded_e10 = budget_spends.folded_e10 + excluded.folded_e10,
    folded_requests = budget_spends.folded_requests + excluded.folded_requests
"""
_COST_OWNER = COST_COLUMNS.index("organization_id")
_COST_LOCKS = 4_731_003
_NAMES_LOCK = 4_731_004
LOCK_TIMEOUT_SECONDS = 10
"""How long retention waits for those who read or write; meanwhile others wait for it."""


class PostgresDriver:
    """Statements that name many rows take arrays."""

    name = "postgresql"

    def __init__(self, row_security: Mode = "auto") -> None:
        self.partitions = Partitions()
        self.row_security = RowSecurity(row_security)

    def bind(self, tx: Transaction, organization_id: str, number: int) -> None:
        """Hold a transaction to the rows of one organisation, where row-level security is set up."""
        self.row_security.enter(tx, organization_id, number)

    def read_one_state(self, tx: Transaction) -> None:
        """Begin a reading transaction anew, in which all statements see the same state, however long they take."""
        tx.raw.commit()
        tx.raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tx.raw.execute("SET LOCAL statement_timeout = 0")
        self.row_security.enter_again(tx)

    def begin_write(self, tx: Transaction) -> None:
        """Nothing: every transaction may write, and every statement sees what is committed."""

    def names_version(self, tx: Transaction) -> tuple[int, int]:
        """The versions of names and of what is watched; until this transaction ends, nobody changes either."""
        tx.raw.execute(f"SELECT pg_advisory_xact_lock_shared({_NAMES_LOCK})")
        version, watched = tx.raw.execute("SELECT version, watched FROM dimension_version").fetchone()
        return version, watched

    def lock_names(self, tx: Transaction) -> None:
        """Wait until nobody writes rollups, and let nobody do so until this transaction ends."""
        tx.raw.execute(f"SELECT pg_advisory_xact_lock({_NAMES_LOCK})")

    def lock_costs(self, tx: Transaction, organization: int) -> None:
        """Let one transaction at a time correct the costs of an organisation."""
        tx.raw.execute(f"SELECT pg_advisory_xact_lock({_COST_LOCKS}, {organization})")

    def lock_records(self, tx: Transaction) -> None:
        """Let nobody else touch records and rollups until this transaction ends; in the order that recording takes."""
        tx.raw.execute("SET LOCAL statement_timeout = 0")
        tx.raw.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        tx.raw.execute("LOCK TABLE usage_records, cost_records IN ACCESS EXCLUSIVE MODE")
        tx.raw.execute("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")

    def drop_before(self, tx: Transaction, end_us: int) -> list[str]:
        """Drop the partitions that lie wholly before an instant; their names."""
        return [name for table in PARTITIONED for name in self.partitions.drop_before(tx, table, end_us)]

    def make_room(self, tx: Transaction, table: str, timestamps_us: Iterable[int]) -> None:
        """Have a partition for every month of these instants."""
        months = {month_of_day(day) for day in {timestamp_us // DAY_US for timestamp_us in timestamps_us}}
        if not self.partitions.known(table, months):
            with self.row_security.left(tx):
                self.partitions.cover(tx, table, sorted(months))

    def claims(self, tx: Transaction, hashes: Sequence[bytes]) -> list[KeyRow]:
        """The rows of stored keys."""
        found: list[KeyRow] = tx.raw.execute(_CLAIMS, [_uuids(hashes)]).fetchall()
        return found

    def insert_keys(self, tx: Transaction, rows: Sequence[KeyRow]) -> int:
        """Store keys, given in order; how many were not there."""
        hashes, timestamps_us, payloads, organizations, uids = zip(*rows, strict=True)
        arrays = [_uuids(hashes), *map(int8_array, (timestamps_us, payloads)), int4_array(organizations)]
        arrays.append(int8_array(uids))
        return int(tx.raw.execute(_INSERT_KEYS, arrays).rowcount)

    def insert_usage(self, tx: Transaction, records: Sequence[NewRecord]) -> None:
        """Store usage rows. Raises Lost where a partition has been dropped since it was last looked at."""
        try:
            with tx.raw.cursor() as cursor, cursor.copy(_COPY_USAGE) as copy:
                copy.write(binary_rows(map(values_of, records)))
        except psycopg.errors.CheckViolation as error:
            self.partitions.forget()
            raise Lost from error

    def insert_costs(self, tx: Transaction, rows: Sequence[CostRow]) -> None:
        """Store superseding costs. Raises Unavailable where a partition was dropped since it was last looked at."""
        if tx.bound is not None and any(row[_COST_OWNER] != tx.bound[0] for row in rows):
            raise PermissionError("a unit of work stores costs of its own organisation only")
        try:
            with self.row_security.left(tx), tx.raw.cursor() as cursor, cursor.copy(_COPY_COSTS) as copy:
                copy.write(binary_cost_rows(rows))
        except psycopg.errors.CheckViolation as error:
            self.partitions.forget()
            raise Unavailable("a partition of cost_records was dropped meanwhile; try again") from error

    def add_rollups(self, tx: Transaction, rows: Sequence[RollupRow]) -> None:
        """Add sums to rollup rows, given in order."""
        columns = list(zip(*rows, strict=True))
        tx.raw.execute(_ADD_ROLLUPS, [*map(int4_array, columns[:4]), *map(int8_array, columns[4:])])

    def add_spends(self, tx: Transaction, rows: Sequence[SpendRow]) -> None:
        """Add to what is spent of budgets, rows given in order."""
        numbers, starts_us, days, currencies, organizations, costs, requests = zip(*rows, strict=True)
        arrays: list[Any] = [int4_array(numbers), int8_array(starts_us), int4_array(days), list(currencies)]
        tx.raw.execute(_ADD_SPENDS, [*arrays, int4_array(organizations), *map(int8_array, (costs, requests))])

    def find_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of those keys that are stored."""
        columns = ", ".join(lookup.columns)
        query = (
            f"SELECT id, {columns} FROM {lookup.table}"  # noqa: S608
            f" JOIN unnest({_places(lookup)}) AS wanted ({columns}) USING ({columns})"
        )
        return _ids(tx, query, keys)

    def make_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of keys, given in order, stored where they were not: another replica may have been faster."""
        columns = ", ".join(lookup.columns)
        insert = (
            f"INSERT INTO {lookup.table} ({columns}) SELECT * FROM unnest({_places(lookup)})"  # noqa: S608
            f" ON CONFLICT DO NOTHING RETURNING id, {columns}"
        )
        made = _ids(tx, insert, keys)
        others = [key for key in keys if key not in made]
        return made | self.find_ids(tx, lookup, others) if others else made


def _ids(tx: Transaction, query: str, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    arrays = [list(column) for column in zip(*keys, strict=True)]
    return {row[1:]: row[0] for row in tx.raw.execute(query, arrays).fetchall()}


def _places(lookup: NameTable) -> str:
    return ", ".join(f"%s::{name}[]" for name in lookup.types)


def _uuids(hashes: Iterable[bytes]) -> str:
    """An array of UUIDs, as PostgreSQL reads it."""
    return "{" + ",".join([hashed.hex() for hashed in hashes]) + "}"
