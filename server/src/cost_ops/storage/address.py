"""Database URLs: which engine, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cost_ops.domain.errors import InvalidInput, invalid

FORMS = "sqlite:cost-ops.db or postgresql://user:password@localhost:5432/costops"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL: `target` is a file's path for SQLite and a connection URL for PostgreSQL."""

    engine: Literal["sqlite", "postgresql"]
    target: str = field(repr=False)


def parse_url(url: str) -> Address:
    """The address in a database URL. Raises InvalidInput that shows the right form.

    `sqlite:file.db`, `sqlite://file.db` and `sqlite:///file.db` are relative paths, `sqlite:/file.db` and
    `sqlite:////file.db` absolute ones.
    """
    text = url.strip()
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise _refused(f"the database URL must be like {FORMS}")
    scheme = scheme.lower()
    if scheme == "sqlite":
        return Address("sqlite", _sqlite_path(rest))
    if scheme == "postgresql" and rest.startswith("//"):
        return Address("postgresql", "postgresql:" + rest)
    if scheme == "postgres":
        raise _refused(
            "a database URL that begins with postgres:// is not taken; write "
            "postgresql://user:password@localhost:5432/costops"
        )
    raise _refused(f"no database is called {scheme[:20]!r}; the database URL must be like {FORMS}")


def _sqlite_path(rest: str) -> str:
    path = rest.partition("?")[0]
    for slashes in ("///", "//"):
        if path.startswith(slashes):
            path = path.removeprefix(slashes)
            break
    if not path or path == ":memory:":
        raise _refused("the database URL must name a file, such as sqlite:cost-ops.db: a ledger is kept on disk")
    return path


def _refused(message: str) -> InvalidInput:
    return invalid("database.url", "invalid_url", message)
