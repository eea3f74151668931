"""Driver errors in the system's own words: what went wrong, and what to do.

What is not listed here is a fault of ours and passes through as it is.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cost_ops.domain.errors import Conflict, CostOpsError, Unavailable, invalid

Explain = Callable[[BaseException], CostOpsError | None]
"""A driver's error → ours; None where it is not a matter of circumstances."""

OUT_OF_RANGE = "a number is out of range: an amount or a sum does not fit 64 bits of 1e-10 currency units"
EXISTS = "the same exists already"
MIGRATE = "the database has no schema of this program's version; run `cost-ops migrate`"


@contextmanager
def translated(explain: Explain) -> Iterator[None]:
    """Raise CostOpsError for what a driver raises inside."""
    try:
        yield
    except CostOpsError:
        raise
    except Exception as error:
        ours = _explained(error, explain)
        if ours is None:
            raise
        raise ours from error


def _explained(error: Exception, explain: Explain) -> CostOpsError | None:
    if isinstance(error, PoolTimeoutError | InvalidatePoolError):
        return Unavailable("all database connections are in use; try again, or raise [database] pool_size")
    if isinstance(error, OverflowError | struct.error):
        return Conflict(OUT_OF_RANGE)
    if isinstance(error, UnicodeEncodeError):
        return invalid("", "invalid_characters", "a text holds broken unicode that no database can store")
    original = error.orig if isinstance(error, DBAPIError) else error
    return explain(original) if original is not None else None


_SQLITE_CIRCUMSTANCES = (
    ("locked", "the database is busy: another process holds its write lock; try again"),
    ("busy", "the database is busy: another process holds its write lock; try again"),
    ("full", "the disk that holds the database is full; free some space"),
    (
        "unable to open",
        "there is no database file at {path} that can be opened; run `cost-ops init`, or set [database] url",
    ),
    ("no such table", MIGRATE),
    ("no such column", MIGRATE),
    ("readonly", "the database file {path} cannot be written; check its owner and permissions"),
    ("disk I/O", "the disk that holds {path} failed; check it, then restore a backup if need be"),
    ("not a database", "{path} is not a SQLite database; set [database] url to the right file"),
    ("malformed", "the database file {path} is damaged; restore a backup"),
    ("interrupted", "the statement was stopped; try again"),
)


def sqlite_explainer(path: str) -> Explain:
    """The translation of sqlite3's errors for the database at `path`."""

    def explain(error: BaseException) -> CostOpsError | None:
        text = str(error)
        if isinstance(error, sqlite3.IntegrityError):
            return Conflict(OUT_OF_RANGE if "CHECK" in text else EXISTS)
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        if "integer overflow" in text:
            return Conflict(OUT_OF_RANGE)
        for sign, message in _SQLITE_CIRCUMSTANCES:
            if sign in text:
                return Unavailable(message.format(path=path))
        return None

    return explain
