"""Setting row-level security up: the role, its privileges, and a policy for each table that a rule names.

Everybody else sees what they saw before: a permissive policy lets all rows through for whoever has privileges, and a
restrictive one, for the role of units of work alone, narrows that to the rows of an organisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal
from sqlalchemy import Connection, text

from cost_ops.interfaces.storage import Isolation
from cost_ops.storage.row_rules import RULES
from cost_ops.storage.row_security import POLICY, Surroundings, look, role_problem, surroundings, tables

EVERYBODY = "cost_ops_everybody"
_CHANGES = (f"{POLICY}_update", f"{POLICY}_delete")
_OURS = text("""
SELECT p.polrelid::regclass::text, p.polname, quote_ident(r.rolname)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid LEFT JOIN pg_roles r ON r.oid = p.polroles[1]
WHERE p.polname = ANY(:ours)
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('usage_records'))
""")
_LOCK_TIMEOUT_SECONDS = 10
_ATTEMPTS = 5
_TAKEN = (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject, psycopg.errors.InternalError_)
"""What PostgreSQL says where another database's set-up was faster: roles belong to all databases of a server."""


def set_up(raw: psycopg.Connection[Any], lock: int) -> Isolation:
    """Set up what is not as the rules want it, where the user may; what came of it. Again changes nothing.

    Each table has a transaction of its own, so that its readers and writers wait for a moment only. `lock` is the
    advisory lock that lets one set up at a time. Raises what psycopg raises where a table is not to be had.
    """
    with suppress(psycopg.errors.InsufficientPrivilege):
        here = surroundings(raw)
        if here is not None and _has_role(raw, here):
            with _alone(raw, lock):
                _let_in(raw, here)
            for table in tables(raw):
                if not table.follows(here.tenant):
                    with _alone(raw, lock):
                        for statement in _statements(table.name, here.tenant, table.role):
                            raw.execute(statement)
    return look(raw)[0]


@contextmanager
def _alone(raw: psycopg.Connection[Any], lock: int) -> Iterator[None]:
    with raw.transaction():
        raw.execute(f"SELECT pg_advisory_xact_lock({lock})")
        raw.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'")
        yield


def take_down(connection: Connection) -> None:
    """Take policies and privileges away, so that tables can be dropped. The role stays: others may have it too."""
    for table, policy, role in connection.execute(_OURS, {"ours": [EVERYBODY, POLICY, *_CHANGES]}).all():
        connection.exec_driver_sql(f"DROP POLICY {policy} ON {table}")
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        if role is not None:
            connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")


def _has_role(raw: psycopg.Connection[Any], here: Surroundings) -> bool:
    """Make the role and let the owner be it, as far as that is needed; whether it can be used."""
    role, owner = Identifier(here.tenant), Identifier(here.owner)
    for _ in range(_ATTEMPTS):
        if not any(role_problem(raw, here, here.tenant)):
            return True
        with suppress(*_TAKEN):
            if raw.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [here.tenant]).fetchone() is None:
                raw.execute(SQL("CREATE ROLE {} NOLOGIN").format(role))
            else:
                raw.execute(SQL("GRANT {} TO {}").format(role, owner))
    return False


def _let_in(raw: psycopg.Connection[Any], here: Surroundings) -> None:
    """Let the role use the schema; in `public`, everybody may unless that was taken away."""
    allowed = raw.execute("SELECT has_schema_privilege(%s, %s, 'USAGE')", [here.tenant, here.schema]).fetchone()
    if allowed != (True,):
        grant = SQL("GRANT USAGE ON SCHEMA {} TO {}")
        raw.execute(grant.format(Identifier(here.schema), Identifier(here.tenant)))


def _statements(table: str, role: str, former: str | None) -> Iterator[Composed]:
    """What makes a table follow its rule, whatever was there before."""
    rule, on, to = RULES[table], Identifier(table), Identifier(role)
    for one in {role, former} - {None}:
        yield SQL("REVOKE ALL ON {} FROM {}").format(on, Identifier(str(one)))
    yield SQL("GRANT {} ON {} TO {}").format(SQL(rule.privileges), on, to)
    for name in (EVERYBODY, POLICY, *_CHANGES):
        yield SQL("DROP POLICY IF EXISTS {} ON {}").format(Identifier(name), on)
    everybody = SQL("CREATE POLICY {} ON {} USING (true) WITH CHECK (true)")
    yield everybody.format(Identifier(EVERYBODY), on)
    narrow = SQL("CREATE POLICY {} ON {} AS RESTRICTIVE FOR {} TO {} USING ({})")
    rows, changes = SQL(rule.rows), SQL(rule.changes or rule.rows)
    yield SQL("{} WITH CHECK ({})").format(narrow.format(Identifier(POLICY), on, SQL("ALL"), to, rows), changes)
    if rule.changes is not None:
        for name, command in zip(_CHANGES, ("UPDATE", "DELETE"), strict=True):
            yield narrow.format(Identifier(name), on, SQL(command), to, changes)
    yield SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(on)
    yield SQL("COMMENT ON POLICY {} ON {} IS {}").format(Identifier(POLICY), on, Literal(rule.fingerprint))
