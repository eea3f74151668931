"""SQLite: one file, one writer, readers beside it (WAL)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine

from cost_ops.domain.errors import Unavailable
from cost_ops.storage.database import LIGHT_SECONDS, Database
from cost_ops.storage.failures import sqlite_explainer
from cost_ops.storage.sqlite_connection import WRITER_CACHE_KIB, connect, pooled
from cost_ops.storage.sqlite_driver import SqliteDriver
from cost_ops.storage.transaction import Transaction


class SqliteStorage(Database):
    """A ledger in one file. What records usage has its own connection with a large cache."""

    recorders = 1

    def __init__(self, path: str, *, pool_size: int, timeout_seconds: float) -> None:
        super().__init__(SqliteDriver(timeout_seconds), sqlite_explainer(path))
        self.path = path
        self._writer = pooled(
            lambda: connect(path, cache_kib=WRITER_CACHE_KIB, timeout_seconds=timeout_seconds), 1, timeout_seconds
        )
        self._readers = pooled(lambda: connect(path, timeout_seconds=timeout_seconds), pool_size, timeout_seconds)
        self._light_ones = pooled(lambda: connect(path, timeout_seconds=LIGHT_SECONDS, sync="NORMAL"), 1, LIGHT_SECONDS)
        self._file: tuple[int, int] | None = None

    @contextmanager
    def _connected(self, *, recording: bool) -> Iterator[Transaction]:
        with self._begun(self._writer if recording else self._readers) as tx:
            if recording:
                tx.begin_write()
            yield tx

    @contextmanager
    def _light(self) -> Iterator[Transaction]:
        with self._begun(self._light_ones) as tx:
            yield tx

    @contextmanager
    def _begun(self, pool: Engine) -> Iterator[Transaction]:
        self._same_file()
        with pool.connect() as connection, connection.begin():
            tx = Transaction(connection, self.driver, self.names)
            try:
                yield tx
                connection.commit()
            finally:
                tx.release()

    def _same_file(self) -> None:
        """Open connections outlive a file that was deleted or replaced: let go of them."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            self._let_go()
            raise Unavailable(
                f"there is no database file at {self.path}; restore it, run `cost-ops init`, or set [database] url"
            ) from error
        if self._file != (found.st_dev, found.st_ino):
            if self._file is not None:
                self._let_go()
            self._file = (found.st_dev, found.st_ino)

    def _let_go(self) -> None:
        self._file = None
        self._writer.dispose()
        self._readers.dispose()
        self._light_ones.dispose()
        self.names.forget()

    def _version(self, tx: Transaction) -> str:
        return str(tx.connection.exec_driver_sql("SELECT sqlite_version()").scalar())

    def make_partitions(self, months_ahead: int, now: datetime) -> list[str]:  # noqa: ARG002
        """Nothing: a file has no partitions."""
        return []

    def _sizes(self, tx: Transaction) -> dict[str, int]:
        """Bytes of each table with its indexes, as far as this build of SQLite can tell, and of the file."""
        sizes = {"total_bytes": os.stat(self.path).st_size}
        query = (
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name"
            " WHERE s.aggregate = TRUE GROUP BY m.tbl_name"
        )
        if tx.connection.exec_driver_sql("SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')").scalar():
            sizes |= {f"{table}_bytes": size for table, size in tx.connection.exec_driver_sql(query).all()}
        return sizes

    def close(self) -> None:
        """Let go of all connections."""
        self._writer.dispose()
        self._readers.dispose()
        self._light_ones.dispose()
