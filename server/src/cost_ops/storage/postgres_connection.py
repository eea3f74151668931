"""Connections to a PostgreSQL server, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError

from cost_ops.domain.errors import Conflict, CostOpsError, Unavailable, invalid
from cost_ops.storage.arrays import register
from cost_ops.storage.failures import EXISTS, MIGRATE, OUT_OF_RANGE

CONNECT_TIMEOUT_SECONDS = 10
IDLE_TRANSACTION_SECONDS = 300
WORKING_MEMORY = "32MB"
"""Enough to sum by users in a hash table; PostgreSQL's 4 MB make it sort on disk, which takes twice as long."""


def connector(url: str, *, timeout_seconds: float | None, pgbouncer: bool) -> Callable[[], psycopg.Connection[Any]]:
    """What opens connections with our settings; behind PgBouncer without those that it cannot pass on."""
    parameters = conninfo_to_dict(url)
    parameters.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    parameters.setdefault("application_name", "cost-ops")
    if not pgbouncer:
        settings = {
            "timezone": "UTC",
            "jit": "off",
            "work_mem": WORKING_MEMORY,
            "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS}s",
        }
        if timeout_seconds is not None:
            settings["statement_timeout"] = f"{round(timeout_seconds * 1000)}ms"
        ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
        parameters["options"] = f"{ours} {parameters.get('options') or ''}".strip()

    def connect() -> psycopg.Connection[Any]:
        threshold = None if pgbouncer else 5
        connection = psycopg.connect(**parameters, prepare_threshold=threshold)  # type: ignore[arg-type]
        register(connection)
        return connection

    return connect


def pooled(connect: Callable[[], psycopg.Connection[Any]], size: int, timeout_seconds: float) -> Engine:
    """A pool of at most `size` connections."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=timeout_seconds,
        pool_use_lifo=True,
        use_native_hstore=False,
    )
    event.listen(engine, "checkout", _check)
    return engine


def _check(connection: Any, record: object, proxy: object) -> None:  # noqa: ARG001
    """Refuse a connection that the server has closed, without a round trip: an idle one has nothing to say."""
    if connection.closed or _has_something_to_say(connection.fileno()):
        raise DisconnectionError


def _has_something_to_say(descriptor: int) -> bool:
    with DefaultSelector() as selector:
        selector.register(descriptor, EVENT_READ)
        return bool(selector.select(0))


def migration_engine(url: str) -> Engine:
    """An engine without a limit on how long a statement takes."""
    return pooled(connector(url, timeout_seconds=None, pgbouncer=False), 1, 30.0)


_CIRCUMSTANCES = {
    "08": "the connection to the database was lost; try again",
    "28": "the database refused the user or password in [database] url",
    "3D": "the database named in [database] url does not exist; create it with `createdb`",
    "40": "the database stopped this transaction in favour of another one; try again",
    "53": "the database is out of resources (disk, memory or connections); look at its log",
    "54": "the database is out of resources (disk, memory or connections); look at its log",
    "55": "the database is busy: a lock was not given in time; try again",
    "57": "the database stopped the statement or is shutting down; try again",
    "58": "the database's disk or system failed; look at its log",
}
_BY_STATE = {
    "25006": "the database accepts no writes (a replica?); set [database] url to the primary",
    "42501": "the database user lacks a permission; grant it, or use the owner of the tables",
    "42P01": MIGRATE,
    "42703": MIGRATE,
}
_CONNECTION = "cannot reach the database: {error}; check that it runs and that [database] url is right"


def explain(error: BaseException) -> CostOpsError | None:
    """The translation of psycopg's errors."""
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    if state == "23505":
        return Conflict(EXISTS)
    if state == "22003" or isinstance(error, psycopg.errors.NumericValueOutOfRange):
        return Conflict(OUT_OF_RANGE)
    if state in ("22021", "22P05") or (state is None and "NUL" in str(error)):
        return invalid("", "invalid_characters", "a text holds a NUL character, which no database text can hold")
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        first_line = str(error).strip().partition("\n")[0]
        return Unavailable(_CONNECTION.format(error=first_line)) if lost else None
    message = _BY_STATE.get(state) or _CIRCUMSTANCES.get(state[:2])
    return None if message is None else Unavailable(message)
