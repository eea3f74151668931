"""The databases: one implementation of `interfaces.storage` for SQLite and one for PostgreSQL.

Importing this package is cheap; drivers are imported when a database is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cost_ops.domain.errors import invalid
from cost_ops.storage.address import Address, parse_url

if TYPE_CHECKING:
    from cost_ops.interfaces.limits import PermitStore
    from cost_ops.interfaces.storage import Storage
    from cost_ops.storage.row_security import Mode

__all__ = ["Address", "migrate", "open_redis_permits", "open_storage", "parse_url"]


def open_storage(
    url: str,
    *,
    pool_size: int = 10,
    timeout_seconds: float = 30.0,
    pgbouncer: bool = False,
    row_security: Mode = "auto",
) -> Storage:
    """Open the database at `url`; nothing is connected or created yet.

    `pool_size` bounds the connections, `timeout_seconds` the wait for one, for a lock and for one statement's answer.
    `pgbouncer` keeps away from what transaction pooling breaks. `row_security`: whether PostgreSQL holds units of work
    to their organisation's rows (auto: where it is set up). Raises InvalidInput for an impossible URL.
    """
    address = parse_url(url)
    if address.engine == "sqlite":
        from cost_ops.storage.sqlite import SqliteStorage

        return SqliteStorage(address.target, pool_size=pool_size, timeout_seconds=timeout_seconds)
    from cost_ops.storage.postgres import PostgresStorage

    return PostgresStorage(
        address.target,
        pool_size=pool_size,
        timeout_seconds=timeout_seconds,
        pgbouncer=pgbouncer,
        row_security=row_security,
    )


def open_redis_permits(url: str) -> PermitStore:
    """Count requests in the Redis at `url`; nothing is connected yet.

    Raises InvalidInput for an impossible URL, and where the client for Redis is not installed.
    """
    try:
        from cost_ops.storage.redis_limits import RedisPermits
    except ModuleNotFoundError as error:
        message = "limits.redis_url needs the client for Redis: pip install 'cost-ops-server[redis]'"
        raise invalid("limits.redis_url", "not_installed", message) from error
    return RedisPermits(url)


def migrate(url: str, to: str = "head", row_security: Mode = "auto") -> str:
    """Bring the schema at `url` to a revision (`head`, `base` or an id), creating a database file where there is none.

    Row-level security is set up as well where the user may do that. Returns the revision it is at now. Raises
    InvalidInput, Unavailable: also where `row_security` is on and cannot be had.
    """
    from cost_ops.storage.migrating import migrate_address

    return migrate_address(parse_url(url), to, row_security)
