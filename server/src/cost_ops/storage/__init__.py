"""The databases: one implementation of `interfaces.storage` for SQLite and one for PostgreSQL.

Importing this package is cheap; drivers are imported when a database is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cost_ops.storage.address import Address, parse_url

if TYPE_CHECKING:
    from cost_ops.interfaces.storage import Storage

__all__ = ["Address", "migrate", "open_storage", "parse_url"]


def open_storage(
    url: str,
    *,
    pool_size: int = 10,
    timeout_seconds: float = 30.0,
    pgbouncer: bool = False,
) -> Storage:
    """Open the database at `url`; nothing is connected or created yet.

    `pool_size` bounds the connections, `timeout_seconds` the wait for one, for a lock and for one statement's answer.
    `pgbouncer` keeps away from what transaction pooling breaks. Raises InvalidInput for an impossible URL.
    """
    address = parse_url(url)
    if address.engine == "sqlite":
        from cost_ops.storage.sqlite import SqliteStorage

        return SqliteStorage(address.target, pool_size=pool_size, timeout_seconds=timeout_seconds)
    from cost_ops.storage.postgres import PostgresStorage

    return PostgresStorage(address.target, pool_size=pool_size, timeout_seconds=timeout_seconds, pgbouncer=pgbouncer)


def migrate(url: str, to: str = "head") -> str:
    """Bring the schema at `url` to a revision (`head`, `base` or an id), creating a database file where there is none.

    Returns the revision it is at now. Raises InvalidInput, Unavailable.
    """
    from cost_ops.storage.migrating import migrate_address

    return migrate_address(parse_url(url), to)
