"""Every row of every table, and whose it is: what a stranger's request must leave as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from cost_ops.storage import access_tables, budget_tables, notification_tables
from cost_ops.storage.tables import metadata

TABLES = sorted(metadata.tables)
assert {access_tables.users.name, budget_tables.budgets.name, notification_tables.jobs.name} <= {*TABLES}

INSTALLATION = ""
Row = tuple[Any, ...]
Table = list[dict[str, Any]]
Snapshot = dict[str, frozenset[tuple[str, Row]]]
"""Table → (owner, row) of every row."""

COUNTERS = {"price_book_version", "dimension_version"}
"""Versions that count everybody's changes; they are in no answer."""

BESIDE = {("api_keys", "last_used_at")}
"""Columns that a server writes some time after what they tell of."""

SHARED = {"cost_series"}
"""Names of providers, models and currencies that several tenants share: rows may come, none may change."""


NUMBERED = ("prices", "contracts", "reprice_runs")
"""Tables whose rows are named by a number."""

FAR = 90_000


@contextmanager
def far_numbers(url: str) -> Iterator[None]:
    """What is made in this block has numbers that nobody else will get."""
    if not url.startswith("sqlite:"):
        with psycopg.connect(url, autocommit=True) as connection:
            for table in NUMBERED:
                connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), {FAR})")
        yield
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection:
        for table in NUMBERED:  # SQLite goes on from the highest number: a row stands there meanwhile
            first = next(_select(connection, table))
            row = first | {"number": FAR} | {name: "nobody" for name in ("provider", "model_id") if name in first}
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))
        yield
        for table in NUMBERED:
            connection.execute(f"DELETE FROM {table} WHERE number = {FAR}")


def tables_of(url: str) -> dict[str, Table]:
    """Everything that is stored."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            return {name: list(_select(connection, name)) for name in TABLES}
    with psycopg.connect(url) as connection:
        return {name: list(_select(connection, name)) for name in TABLES}


def _select(connection: Any, table: str) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        yield dict(zip(names, row, strict=True))


def snapshot(url: str) -> Snapshot:
    """Every row with its owner. Raises KeyError for a table that nobody said whose rows it holds."""
    stored = tables_of(url)
    owners = Owners(stored)
    return {
        name: frozenset(
            (owners.of(name, row), tuple(repr(v) for column, v in row.items() if (name, column) not in BESIDE))
            for row in rows
        )
        for name, rows in stored.items()
        if name not in COUNTERS
    }


class Owners:
    """Whose a row is: an organisation's id, or the installation's, which is the empty text."""

    def __init__(self, stored: Mapping[str, Table]) -> None:
        organization = {row["number"]: row["organization_id"] for row in stored["organizations"]}
        cubes = {row["id"]: organization[row["organization"]] for row in stored["cube_sets"]}
        contracts = {row["number"]: row["organization_id"] for row in stored["contracts"]}
        members: dict[str, str] = {}
        for row in stored["memberships"]:  # of several organisations, the last by name: the victim's comes last
            members[row["user_id"]] = max(row["organization_id"], members.get(row["user_id"], ""))

        def by_number(row: Mapping[str, Any]) -> str:
            return str(organization.get(row["organization"], INSTALLATION))

        addresses = {row["user_id"]: row["email"] for row in stored["users"]}

        def by_user(row: Mapping[str, Any]) -> str:
            named = [name for name in organization.values() if addresses[row["user_id"]].startswith(name)]
            return str(members.get(row["user_id"], named[0] if named else INSTALLATION))

        def by_holder(row: Mapping[str, Any]) -> str:
            named = [name for name in organization.values() if name in row["holder"]]
            return named[0] if named else INSTALLATION

        self._special: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "idempotency_keys": by_number,
            "cube_sets": by_number,
            "dimension_values": by_number,
            "budget_spends": by_number,
            "budget_holds": by_number,
            "lease_holds": by_number,
            "rollups": lambda row: cubes[row["cube_set"]],
            "contract_months": lambda row: contracts[row["contract"]],
            "users": by_user,
            "one_time_tokens": by_user,
            "limit_windows": by_holder,
            "audit_chains": lambda row: str(row["chain"]),
            **dict.fromkeys(_INSTALLATION_S, lambda row: INSTALLATION),
        }

    def of(self, table: str, row: Mapping[str, Any]) -> str:
        """The owner of a row."""
        if table in self._special:
            return self._special[table](row)
        return str(row["organization_id"] or INSTALLATION)


_INSTALLATION_S = ("cost_series", "data_keys", "exchange_rates", "model_aliases", "price_reviews", "signing_keys")


def changes(before: Snapshot, after: Snapshot, *, mine: set[str]) -> list[str]:
    """What changed beside the rows of those who asked. The installation's audit trail may grow: it keeps refusals."""
    found: list[str] = []
    for table in before:
        gone, come = before[table] - after[table], after[table] - before[table]
        for sign, rows in (("-", gone), ("+", come)):
            for owner, row in rows:
                grown = sign == "+" and (table in SHARED or (table == "audit_events" and owner == INSTALLATION))
                counted = table in ("audit_chains", "limit_windows") and owner == INSTALLATION
                if owner not in mine and not grown and not counted:
                    found.append(f"{sign}{table} of {owner or 'the installation'}: {', '.join(row)[:300]}")
    return found


def table_of(change: str) -> str:
    """The table that a change is of."""
    return change[1:].partition(" of ")[0]
