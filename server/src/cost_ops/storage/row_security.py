"""Row-level security on PostgreSQL: the second wall between organisations.

The program connects as the owner of the tables, to whom row-level security does not apply. A unit of work of one
organisation is held by a role that owns nothing: `<owner>_tenant`, which may do what `row_rules` says and sees rows of
the organisation that the transaction was bound to. It ends with the transaction, whatever becomes of it. The role is
named by the policies of a database, so that a copy of one uses the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from psycopg.errors import InsufficientPrivilege, InvalidParameterValue
from psycopg.pq import TransactionStatus

from cost_ops.domain.errors import Unavailable
from cost_ops.interfaces.storage import Isolation
from cost_ops.storage.row_rules import NUMBER, ORGANIZATION, RULES
from cost_ops.storage.transaction import Transaction

Mode = Literal["auto", "on", "off"]
"""Use it where it is set up, refuse to work without it, never use it."""

POLICY = "cost_ops_tenant"
_LONGEST_NAME = 63
_SUFFIX = "_tenant"

_ABOUT = """
SELECT pg_get_userbyid(c.relowner), session_user, s.rolsuper OR s.rolbypassrls, current_setting('role'), n.nspname,
       CASE WHEN n.nspname = current_user AND strpos(current_setting('search_path'), '$user') > 0
            THEN quote_ident(n.nspname) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles s
WHERE c.oid = to_regclass('usage_records') AND s.rolname = session_user
"""
_TABLES = """
SELECT c.relname, c.relrowsecurity, r.rolname, obj_description(p.oid, 'pg_policy'),
       has_any_column_privilege(p.polroles[1], c.oid, 'SELECT')
FROM pg_class c
LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = %s
LEFT JOIN pg_roles r ON r.oid = p.polroles[1]
WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('usage_records'))
  AND c.relname = ANY(%s)
"""
_ROLE = """
SELECT r.rolsuper OR r.rolbypassrls OR r.rolcanlogin OR r.rolcreaterole
       OR EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid),
       pg_has_role(session_user, r.oid, CASE WHEN current_setting('server_version_num')::int4 < 160000
                                             THEN 'MEMBER' ELSE 'SET' END)
FROM pg_roles r WHERE r.rolname = %s
"""
_NO_SUCH_ROLE = (InvalidParameterValue, InsufficientPrivilege)
_AS = "SELECT set_config('role', %s, true)"
_ENTER = "SELECT " + ", ".join(f"set_config('{name}', %s, true)" for name in ("role", ORGANIZATION, NUMBER))


class Surroundings(NamedTuple):
    """Who owns the tables, who asks, and under which `role` setting and schema."""

    owner: str
    user: str
    bypassing: bool
    outside: str
    schema: str
    path: str | None
    """The search path by which another role finds the tables; None where the one that is set does."""

    @property
    def tenant(self) -> str:
        """The role of this owner's units of work."""
        kept = self.owner.encode()[: _LONGEST_NAME - len(_SUFFIX)]
        return kept.decode(errors="ignore") + _SUFFIX


class Table(NamedTuple):
    """A table as the database has it: `role` and `fingerprint` are those of its policy."""

    name: str
    enabled: bool
    role: str | None
    fingerprint: str | None
    granted: bool | None

    def follows(self, role: str) -> bool:
        """Whether its rule holds for a role."""
        return bool(
            self.enabled and self.granted and self.role == role and self.fingerprint == RULES[self.name].fingerprint
        )


def surroundings(raw: Any) -> Surroundings | None:
    """Where we are; None where there are no tables yet."""
    found = raw.execute(_ABOUT).fetchone()
    return None if found is None else Surroundings(*found)


def tables(raw: Any) -> list[Table]:
    """The tables that rules name, as they are."""
    return [Table(*row) for row in raw.execute(_TABLES, [POLICY, list(RULES)]).fetchall()]


def look(raw: Any) -> tuple[Isolation, Surroundings | None]:
    """Whether row-level security can be used, and if not why, and what to do."""
    here = surroundings(raw)
    if here is None:
        return Isolation(None, "there are no tables", "run `cost-ops migrate`"), None
    there = tables(raw)
    roles = {table.role for table in there}
    role = roles.pop() if len(roles) == 1 else None
    return _judged(raw, here, there, role), here


def _judged(raw: Any, here: Surroundings, there: Sequence[Table], role: str | None) -> Isolation:
    whole = role is not None and len(there) == len(RULES) and all(table.follows(role) for table in there)
    if whole and role is not None and not any(role_problem(raw, here, role)):
        return Isolation(role, bypassing=here.bypassing)
    problem, advice = role_problem(raw, here, here.tenant)
    if not problem:
        problem, advice = "it is not set up for this version", "run `cost-ops migrate` as the owner of the tables"
    return Isolation(None, problem, advice, here.bypassing)


def role_problem(raw: Any, here: Surroundings, role: str) -> tuple[str, str]:
    """What is wrong with a role, and what to do; two empty texts where it can be used."""
    grant = f'GRANT "{role}" TO "{here.owner}";'
    found = raw.execute(_ROLE, [role]).fetchone()
    if found is None:
        make = f'CREATE ROLE "{role}" NOLOGIN; {grant}'
        return f"there is no role {role}", f"run `{make}` as a superuser, then `cost-ops migrate`"
    powerful, usable = found
    if powerful:
        return (
            f"the role {role} may do more than it should",
            f'drop it, or run `ALTER ROLE "{role}" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE;` as a superuser and '
            "make it a member of no role; then `cost-ops migrate`",
        )
    if not usable:
        return f"{here.user} is no member of {role}", f"run `{grant}` as a superuser, then `cost-ops migrate`"
    return "", ""


class Tenant(NamedTuple):
    """How a transaction takes the role on: `outside` is the setting to go back to, `path` where tables are found."""

    role: str
    outside: str
    path: str | None


class RowSecurity:
    """Holds a process's transactions to rows of their organisation, where the database is set up for it."""

    def __init__(self, mode: Mode) -> None:
        """The database is looked at when the first transaction is bound."""
        self.mode: Mode = mode
        self._isolation: Isolation | None = None
        self._tenant: Tenant | None = None

    def state(self, tx: Transaction) -> Isolation | None:
        """What the database has now; None where it is not wanted. Raises Unavailable where it must be and is not."""
        if self.mode == "off":
            return None
        isolation = look(tx.raw)[0]
        self.check(isolation)
        return isolation

    def check(self, isolation: Isolation) -> None:
        """Raises Unavailable where row-level security must be used and cannot."""
        if self.mode == "on" and isolation.role is None:
            raise Unavailable(
                f"[database] row_level_security is on, but {isolation.problem}: {isolation.advice}; "
                "or set row_level_security to auto"
            )

    def enter(self, tx: Transaction, organization_id: str, number: int) -> None:
        """Hold a transaction to an organisation's rows until it ends. Raises Unavailable where it has to and cannot."""
        if self.mode == "off":
            return
        self.check(self._isolation or self._look(tx))
        if self._tenant is None:
            return
        role, _, path = self._tenant
        query, values = _ENTER, [role, organization_id, str(number)]
        if path is not None:
            query, values = f"{_ENTER}, set_config('search_path', %s, true)", [*values, path]
        try:
            tx.raw.execute(query, values)
        except _NO_SUCH_ROLE as error:
            self._isolation = self._tenant = None
            raise Unavailable(f"the role {role} can no longer be used; try again, or run `cost-ops doctor`") from error
        tx.bound = (organization_id, number)

    def _look(self, tx: Transaction) -> Isolation:
        isolation, here = look(tx.raw)
        if isolation.role is not None and here is not None:
            self._tenant = Tenant(isolation.role, here.outside, here.path)
        self._isolation = isolation
        return isolation

    def enter_again(self, tx: Transaction) -> None:
        """After a commit in its midst: hold the transaction as it was held before."""
        if tx.bound is not None:
            self.enter(tx, *tx.bound)

    @contextmanager
    def left(self, tx: Transaction) -> Iterator[None]:
        """For what the role cannot do, COPY and DDL: the owner's own rights, until the block ends."""
        if tx.bound is None or self._tenant is None:
            yield
            return
        tx.raw.execute(_AS, [self._tenant.outside])
        try:
            yield
        finally:
            if tx.raw.info.transaction_status != TransactionStatus.INERROR:
                tx.raw.execute(_AS, [self._tenant.role])
