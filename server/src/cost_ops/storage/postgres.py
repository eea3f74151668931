"""PostgreSQL: many writers, usage and costs in monthly partitions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
from sqlalchemy import Engine

from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import Grain, bucket_of
from cost_ops.interfaces.recording import Lost
from cost_ops.interfaces.storage import Isolation
from cost_ops.storage.database import LIGHT_SECONDS, Database
from cost_ops.storage.partitions import PARTITIONED
from cost_ops.storage.postgres_connection import connector, explain, pooled
from cost_ops.storage.postgres_driver import PostgresDriver
from cost_ops.storage.row_security import Mode
from cost_ops.storage.transaction import Transaction

LIGHT_CONNECTIONS = 2


class PostgresStorage(Database):
    """A ledger on a PostgreSQL server. A second recorder prepares while the first one's rows are written."""

    recorders = 2

    def __init__(
        self, url: str, *, pool_size: int, timeout_seconds: float, pgbouncer: bool, row_security: Mode = "auto"
    ) -> None:
        self._postgres = PostgresDriver(row_security)
        super().__init__(self._postgres, explain)
        connect = connector(url, timeout_seconds=timeout_seconds, pgbouncer=pgbouncer)
        self._pool = pooled(connect, pool_size, timeout_seconds)
        briefly = connector(url, timeout_seconds=LIGHT_SECONDS, pgbouncer=pgbouncer)
        self._light_ones = pooled(briefly, LIGHT_CONNECTIONS, LIGHT_SECONDS)

    @contextmanager
    def _connected(self, *, recording: bool) -> Iterator[Transaction]:
        try:
            with self._transaction(self._pool) as tx:
                yield tx
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
            if recording:
                raise Lost from error
            raise

    @contextmanager
    def _light(self) -> Iterator[Transaction]:
        with self._transaction(self._light_ones) as tx:
            tx.raw.execute("SET LOCAL synchronous_commit = off")
            yield tx

    @contextmanager
    def _transaction(self, pool: Engine) -> Iterator[Transaction]:
        with pool.connect() as connection:
            begun = connection.begin()
            tx = Transaction(connection, self.driver, self.names)
            try:
                yield tx
                begun.commit()
            except BaseException:
                if tx.raw.closed:
                    connection.invalidate()
                else:
                    begun.rollback()
                raise
            finally:
                tx.release()

    def _version(self, tx: Transaction) -> str:
        return str(tx.connection.exec_driver_sql("SHOW server_version").scalar())

    def _isolation(self, tx: Transaction) -> Isolation | None:
        return self._postgres.row_security.state(tx)

    def make_partitions(self, months_ahead: int, now: datetime) -> list[str]:
        """Create the monthly partitions up to `months_ahead` beyond `now`; their names."""
        first = bucket_of(Grain.MONTH, to_us(now))
        months = range(first, first + months_ahead + 1)
        with self.transaction() as tx:
            return [name for table in PARTITIONED for name in self._postgres.partitions.cover(tx, table, months)]

    def _sizes(self, tx: Transaction) -> dict[str, int]:
        """Bytes of each table with its indexes, partitions added up, and of all."""
        query = """
            SELECT coalesce(parent.relname, c.relname), sum(pg_total_relation_size(c.oid))::int8
            FROM pg_class c
            LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
            LEFT JOIN pg_class parent ON parent.oid = i.inhparent
            WHERE c.relkind = 'r'
              AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'usage_records'::regclass)
            GROUP BY 1 ORDER BY 1
        """
        sizes = {f"{table}_bytes": int(size) for table, size in tx.connection.exec_driver_sql(query).all()}
        return {"total_bytes": sum(sizes.values()), **sizes}

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.dispose()
        self._light_ones.dispose()
