"""SQLite: one file, one writer, readers beside it (WAL)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from cost_ops.domain.errors import Unavailable
from cost_ops.storage.database import Database
from cost_ops.storage.failures import sqlite_explainer
from cost_ops.storage.sqlite_driver import SqliteDriver
from cost_ops.storage.transaction import Transaction

PAGE_SIZE = 8192
WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024
CHECKPOINT_PAGES = 8192


def connect(
    path: str, *, create: bool = False, cache_kib: int = READER_CACHE_KIB, timeout_seconds: float = 30.0
) -> sqlite3.Connection:
    """A connection with our settings; without `create` the file must be there."""
    connection = sqlite3.connect(
        f"file:{quote(str(Path(path).absolute()))}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    settings = {
        "synchronous": "FULL",
        "cache_size": -cache_kib,
        "wal_autocheckpoint": CHECKPOINT_PAGES,
        "secure_delete": "OFF",
        "temp_store": "MEMORY",
    }
    if create:
        settings = {"page_size": PAGE_SIZE, "journal_mode": "WAL"} | settings
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}")
    connection.create_function("lower", 1, _lower, deterministic=True)
    return connection


def _lower(value: Any) -> Any:
    """Lower case of any script, as Python has it: SQLite's own knows ASCII only."""
    return value.lower() if isinstance(value, str) else value


def _engine(creator: Callable[[], sqlite3.Connection], size: int, timeout_seconds: float) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=creator,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=timeout_seconds,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def migration_engine(path: str) -> Engine:
    """An engine that may create the file."""
    return _engine(lambda: connect(path, create=True), 1, 30.0)


class SqliteStorage(Database):
    """A ledger in one file. What records usage has its own connection with a large cache."""

    def __init__(self, path: str, *, pool_size: int, timeout_seconds: float) -> None:
        super().__init__(SqliteDriver(timeout_seconds), sqlite_explainer(path))
        self.path = path
        self._writer = _engine(
            lambda: connect(path, cache_kib=WRITER_CACHE_KIB, timeout_seconds=timeout_seconds), 1, timeout_seconds
        )
        self._readers = _engine(lambda: connect(path, timeout_seconds=timeout_seconds), pool_size, timeout_seconds)
        self._file: tuple[int, int] | None = None

    @contextmanager
    def _connected(self, *, recording: bool) -> Iterator[Transaction]:
        self._same_file()
        with (self._writer if recording else self._readers).connect() as connection, connection.begin():
            tx = Transaction(connection, self.driver, self.names)
            try:
                if recording:
                    tx.begin_write()
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
