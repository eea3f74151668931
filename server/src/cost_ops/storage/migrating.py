"""Bringing a schema to a revision, with Alembic and the revisions inside this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from cost_ops.domain.errors import invalid
from cost_ops.storage.address import Address
from cost_ops.storage.failures import sqlite_explainer, translated
from cost_ops.storage.revision import REVISIONS, SCHEMA_HEAD

if TYPE_CHECKING:
    from cost_ops.storage.row_security import Mode

_ADVISORY_LOCK = 4_731_002


def migrate_address(address: Address, to: str, row_security: Mode) -> str:
    """Migrate the database at an address; the revision it is at afterwards (empty at `base`)."""
    if to not in ("head", "base", *REVISIONS):
        known = ", ".join((*REVISIONS, "head", "base"))
        raise invalid("to", "unknown_revision", f"no schema revision {to[:40]!r}; known are {known}")
    if address.engine == "sqlite":
        from cost_ops.storage import sqlite_connection

        engine, explain = sqlite_connection.migration_engine(address.target), sqlite_explainer(address.target)
    else:
        from cost_ops.storage import postgres_connection

        engine, explain = postgres_connection.migration_engine(address.target), postgres_connection.explain
    try:
        with translated(explain), engine.begin() as connection:
            if address.engine == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            _run(connection, to)
            revision = revision_of(connection) or ""
    finally:
        engine.dispose()
    if address.engine == "postgresql" and revision == SCHEMA_HEAD and row_security != "off":
        _secure_rows(address, row_security)
    return revision


def _secure_rows(address: Address, mode: Mode) -> None:
    from cost_ops.storage import postgres_connection
    from cost_ops.storage.row_policies import set_up
    from cost_ops.storage.row_security import RowSecurity

    connect = postgres_connection.connector(address.target, timeout_seconds=None, pgbouncer=False)
    with translated(postgres_connection.explain), connect() as raw:
        raw.autocommit = True
        RowSecurity(mode).check(set_up(raw, _ADVISORY_LOCK))


def _run(connection: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    here = revision_of(connection)
    if to == "base" or (to in REVISIONS and here in REVISIONS and REVISIONS.index(to) < REVISIONS.index(here)):
        if connection.dialect.name == "postgresql":
            from cost_ops.storage.row_policies import take_down

            take_down(connection)
        command.downgrade(config, to)
    else:
        command.upgrade(config, to)


def revision_of(connection: Connection) -> str | None:
    """The revision that a database says it is at; None where it has no schema of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
