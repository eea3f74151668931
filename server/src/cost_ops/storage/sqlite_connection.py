"""Connections to a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

PAGE_SIZE = 4096
WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024
CHECKPOINT_PAGES = 16384


def connect(
    path: str,
    *,
    create: bool = False,
    cache_kib: int = READER_CACHE_KIB,
    timeout_seconds: float = 30.0,
    sync: str = "FULL",
) -> sqlite3.Connection:
    """A connection with our settings; without `create` the file must be there. `sync`: what a commit waits for."""
    connection = sqlite3.connect(
        f"file:{quote(str(Path(path).absolute()))}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    settings = {
        "synchronous": sync,
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


def pooled(creator: Callable[[], sqlite3.Connection], size: int, timeout_seconds: float) -> Engine:
    """A pool of at most `size` connections, each transaction of which is begun by us."""
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
    return pooled(lambda: connect(path, create=True), 1, 30.0)
