"""The two databases as benchmarks have them: real files, durable, with a folder to keep filled ledgers in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from tests.scenarios.durable_postgres import DURABLE, DurablePostgres

ENGINES = ("sqlite", "postgresql")
POSTGRES = dict(DURABLE) | {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
"""A server of its own machine size, as our guide advises; everything else is PostgreSQL's own choice."""

FILLING = POSTGRES | {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""While a ledger is made up, which can be done again."""


@contextmanager
def database(engine: str, folder: Path, settings: Mapping[str, str] = POSTGRES) -> Iterator[str]:
    """The URL of a database in `folder`, new or as it was left; PostgreSQL runs as long as the block."""
    folder.mkdir(parents=True, exist_ok=True)
    if engine == "sqlite":
        yield f"sqlite:{folder / 'ledger.db'}"
        return
    server = DurablePostgres(folder / "postgresql", settings)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def fresh(url: str, name: str) -> str:
    """The URL of another, empty database beside the one at `url`: a file, or one on the same server."""
    if url.startswith("sqlite:"):
        return f"sqlite:{Path(url.removeprefix('sqlite:')).with_name(name + '.db')}"
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def new_folder(cache: Path) -> Iterator[Path]:
    """An empty folder on the cache's disk, gone afterwards; the database's own user may enter it."""
    with TemporaryDirectory(prefix="run-", dir=cache) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def copied(folder: Path, cache: Path) -> Iterator[Path]:
    """A copy of a filled ledger that may be written to."""
    with new_folder(cache) as parent:
        target = parent / folder.name
        subprocess.run(["cp", "--archive", "--reflink=auto", str(folder), str(target)], check=True)
        yield target
        shutil.rmtree(target)


def settle(url: str) -> None:
    """After a fill: statistics for the planner, and on SQLite the log of writes put into the file."""
    if url.startswith("sqlite:"):
        from cost_ops.storage.sqlite_connection import connect

        connection = connect(url.removeprefix("sqlite:"))
        connection.execute("PRAGMA analysis_limit = 1000")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute("VACUUM (ANALYZE)")
        server.execute("CHECKPOINT")
