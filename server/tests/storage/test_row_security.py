"""The second wall: what an organisation's unit of work cannot reach, whatever statement it runs.

Every statement here is one that the program would never send: it has no condition on the organisation.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any

import psycopg
import pytest
from sqlalchemy import Boolean, Column, LargeBinary, Table, Text, Uuid, insert
from sqlalchemy.dialects.postgresql import UUID

import cost_ops.storage.ledger  # noqa: F401  (with it, every table is known)
from cost_ops.domain.errors import Unavailable
from cost_ops.interfaces.storage import Correction, Storage
from cost_ops.storage import open_storage
from cost_ops.storage.row_rules import OUT_OF_REACH, RULES
from cost_ops.storage.tables import Instant, metadata
from cost_ops.storage.transaction import Transaction
from tests.storage.builders import NOON, NOW, new, organize, refs, store

MINE, THEIRS = "org-mine", "org-theirs"
SHARED = frozenset(name for name, rule in RULES.items() if rule.rows == "true")
OWNED = sorted(RULES.keys() - SHARED)
_FIRST = ("organizations", "cube_sets", "contracts")
_numbers = cycle(range(1, 30_000))  # what the narrowest column holds


def transaction_of(unit: Any) -> Transaction:
    """The transaction behind a unit of work."""
    return unit._tx  # type: ignore[no-any-return]


def value(column: Column[Any], owner: str) -> Any:
    """Some value for a column, its owner's name in every text."""
    kind = column.type
    if isinstance(kind, Instant):
        return NOON + next(_numbers)
    if isinstance(kind, Text):
        return f"{owner}-{next(_numbers)}"
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind.dialect_impl(_dialect()), UUID | Uuid):
        return uuid.uuid4()
    if isinstance(kind, LargeBinary):
        return f"{owner}-{next(_numbers)}".encode()
    return {"of": owner} if kind.python_type is dict else next(_numbers)


def _dialect() -> Any:
    from sqlalchemy.dialects.postgresql import dialect

    return dialect()


def row_of(table: Table, owner: str, known: dict[str, Any]) -> dict[str, Any]:
    """A whole row that belongs to an owner, as far as its columns say whose a row is."""
    made: dict[str, Any] = {}
    for column in table.columns:
        if column.name in known:
            made[column.name] = known[column.name]
        elif not (column.primary_key and column.autoincrement is not False and column.type.python_type is int):
            made[column.name] = value(column, owner)
    return made


def known_of(tx: Transaction, owner: str) -> dict[str, Any]:
    """What the columns that name an owner hold for this one."""
    [(number,)] = tx.raw.execute("SELECT number FROM organizations WHERE organization_id = %s", [owner]).fetchall()
    return {"organization_id": owner, "chain": owner, "organization": number}


@pytest.fixture
def filled(postgres_storage: Storage) -> Storage:
    """One row of each of two organisations in every table that there is."""
    organize(postgres_storage, MINE, THEIRS)
    postgres_storage.make_partitions(0, NOW)
    with postgres_storage.installation() as installation:
        tx = transaction_of(installation)
        for owner in (MINE, THEIRS):
            known = known_of(tx, owner)
            for name in sorted(metadata.tables, key=lambda name: name not in _FIRST):
                table = metadata.tables[name]
                if name == "organizations":
                    continue
                stored = tx.connection.execute(insert(table).values(row_of(table, owner, known)).returning(table)).one()
                if name == "cube_sets":
                    known["cube_set"] = stored.id
                elif name == "contracts":
                    known["contract"] = stored.number
    return postgres_storage


@pytest.fixture
def mine(filled: Storage) -> Iterator[Transaction]:
    """A unit of work of one of them; its end is of no interest."""
    with suppress(_Over), filled.ledger(MINE) as ledger:
        yield transaction_of(ledger)
        raise _Over


class _Over(Exception):
    """Rolls back what a test has done."""


def readable(tx: Transaction, table: str) -> list[str]:
    """The columns of a table that a unit of work may read."""
    query = "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0"
    query += " AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attname, 'SELECT')"
    return [row[0] for row in tx.raw.execute(query, [table]).fetchall()]


def changeable(tx: Transaction, table: str) -> list[str]:
    """The columns of a table that a unit of work may change."""
    query = "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0"
    query += " AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attname, 'UPDATE')"
    return [row[0] for row in tx.raw.execute(query, [table]).fetchall()]


def may(tx: Transaction, table: str, privilege: str) -> bool:
    """Whether a unit of work has a privilege on a whole table."""
    found = tx.raw.execute("SELECT has_table_privilege(%s::regclass, %s)", [table, privilege]).fetchone()
    return bool(found[0])


def rows_of(storage: Storage, table: str) -> list[str]:
    """All rows of a table, as the owner sees them."""
    with storage.installation() as installation:
        rows = transaction_of(installation).raw.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def test_every_table_is_given_to_units_of_work_or_kept_from_them() -> None:
    assert set(metadata.tables) == RULES.keys() | OUT_OF_REACH
    assert not RULES.keys() & OUT_OF_REACH
    telling = {"organization_id", "organization", "chain", "cube_set", "contract"}
    assert {name for name in SHARED if telling & {c.name for c in metadata.tables[name].columns}} == set()


@pytest.mark.parametrize("table", OWNED)
def test_a_statement_without_any_condition_sees_nothing_of_others(mine: Transaction, table: str) -> None:
    columns = ", ".join(f"t.{name}" for name in readable(mine, table))
    everything = f"SELECT row_to_json(r)::text FROM (SELECT {columns} FROM {table} t WHERE true OR %s = '') r"
    seen = mine.raw.execute(everything, ["x"]).fetchall()
    assert len(seen) == 1, "one's own row is there"
    assert mine.raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    told = seen[0][0]
    assert THEIRS not in told
    assert THEIRS.encode().hex() not in told


@pytest.mark.parametrize("table", sorted(OUT_OF_REACH))
def test_what_is_the_installations_is_out_of_reach(mine: Transaction, table: str) -> None:
    for statement in (f"SELECT 1 FROM {table}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), mine.raw.transaction():
            mine.raw.execute(statement)


@pytest.mark.parametrize("table", OWNED)
def test_nothing_of_others_is_changed_or_deleted(filled: Storage, table: str) -> None:
    before = rows_of(filled, table)
    with filled.ledger(MINE) as ledger:
        tx = transaction_of(ledger)
        for column in changeable(tx, table):
            assert tx.raw.execute(f"UPDATE {table} SET {column} = {column}").rowcount == 1
        if may(tx, table, "DELETE"):
            assert tx.raw.execute(f"DELETE FROM {table}").rowcount == 1
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.raw.transaction():
                tx.raw.execute(f"DELETE FROM {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.raw.transaction():
            tx.raw.execute(f"TRUNCATE {table}")
        allowed = may(tx, table, "DELETE")
    after = rows_of(filled, table)
    assert len(after) == len(before) - allowed
    assert set(after) <= set(before)


@pytest.mark.parametrize("table", OWNED)
def test_nothing_is_stored_under_anothers_name(filled: Storage, table: str) -> None:
    with filled.installation() as installation:
        tx = transaction_of(installation)
        theirs = known_of(tx, THEIRS)
        for column, owner in (("cube_set", "cube_sets"), ("contract", "contracts")):
            of = {"cube_sets": "id, organization = %s", "contracts": "number, organization_id = %s"}[owner]
            wanted = theirs["organization" if owner == "cube_sets" else "organization_id"]
            found = tx.raw.execute(f"SELECT {of} FROM {owner}", [wanted]).fetchall()
            theirs[column] = next(number for number, belongs in found if belongs)
    before = rows_of(filled, table)
    stored = insert(metadata.tables[table]).values(row_of(metadata.tables[table], THEIRS, theirs))
    with suppress(_Over), filled.ledger(MINE) as ledger:
        tx = transaction_of(ledger)
        with pytest.raises(Exception, match=r"row-level security|permission denied"), tx.raw.transaction():
            tx.connection.execute(stored)
        for column in theirs.keys() & set(changeable(tx, table)):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.raw.transaction():
                tx.raw.execute(f"UPDATE {table} SET {column} = %s", [theirs[column]])
        raise _Over
    assert rows_of(filled, table) == before


def test_catalogue_prices_are_read_and_never_changed(filled: Storage) -> None:
    shared = "INSERT INTO prices SELECT 99, NULL, layer, 'shared', model_id, currency, rates, NULL, NULL, source, now()"
    with filled.installation() as installation:
        transaction_of(installation).raw.execute(f"{shared} FROM prices LIMIT 1")
    with filled.ledger(MINE) as ledger:
        tx = transaction_of(ledger)
        assert tx.raw.execute("SELECT count(*) FROM prices").fetchone() == (2,)
        assert tx.raw.execute("UPDATE prices SET effective_to = now()").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.raw.transaction():
            tx.raw.execute("UPDATE prices SET organization_id = %s", [MINE])
    with filled.installation() as installation:
        ended = transaction_of(installation).raw.execute("SELECT effective_to FROM prices WHERE number = 99").fetchone()
    assert ended == (None,)


def test_partitions_cannot_be_read_beside_their_table(filled: Storage) -> None:
    with filled.installation() as installation:
        query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_records'::regclass"
        partitions = [row[0] for row in transaction_of(installation).raw.execute(query).fetchall()]
    assert partitions
    with filled.ledger(MINE) as ledger:
        for name in partitions:
            raw = transaction_of(ledger).raw
            with pytest.raises(psycopg.errors.InsufficientPrivilege), raw.transaction():
                raw.execute(f"SELECT 1 FROM {name}")


def whose(tx: Transaction) -> tuple[str, str | None]:
    """Who the database thinks is asking, and for which organisation."""
    found = tx.raw.execute("SELECT current_user, NULLIF(current_setting('cost_ops.organization', true), '')").fetchone()
    return str(found[0]), found[1]


ENDINGS = ("", "SELECT 1 / 0", "SELECT * FROM users", "COMMIT", "ROLLBACK", "SAVEPOINT s")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("pgbouncer", [False, True])
def test_the_role_ends_with_the_transaction_however_it_ends(
    postgres_database: str, ending: str, *, pgbouncer: bool
) -> None:
    storage = open_storage(postgres_database, pool_size=1, pgbouncer=pgbouncer)
    organize(storage, MINE, THEIRS)
    with storage.installation() as installation:
        outside = whose(transaction_of(installation))
    assert outside[1] is None
    for raising in (False, True) * 6:  # prepared statements are those of before, too
        with suppress(_Over, Unavailable, psycopg.Error), storage.ledger(MINE) as ledger:
            assert whose(transaction_of(ledger)) == (f"{outside[0]}_tenant", MINE)
            if ending:
                transaction_of(ledger).raw.execute(ending)
            if raising:
                raise _Over
        with storage.installation() as installation:
            assert whose(transaction_of(installation)) == outside
        with storage.ledger(THEIRS) as ledger:
            assert whose(transaction_of(ledger)) == (f"{outside[0]}_tenant", THEIRS)
    storage.close()


def test_a_savepoint_that_is_rolled_back_leaves_the_role(mine: Transaction) -> None:
    here = whose(mine)
    with suppress(psycopg.Error), mine.raw.transaction():
        mine.raw.execute("SELECT 1 / 0")
    with mine.raw.transaction(force_rollback=True):
        mine.raw.execute("SET LOCAL ROLE NONE")
    assert whose(mine) == here


def test_corrections_go_around_the_role_and_come_back(filled: Storage) -> None:
    [stored] = store(filled, [new(MINE)])
    [at, uid] = refs([stored])[0]
    with filled.ledger(MINE) as ledger:
        here = whose(transaction_of(ledger))
        ledger.costs.correct([Correction(at, uid, "computed", "USD", 5, 1, "dearer")], NOW)
        assert whose(transaction_of(ledger)) == here
        assert [version.cost_e10 for version in ledger.costs.versions(at, uid)] == [1_000, 5]
    with filled.ledger(MINE) as ledger:
        tx = transaction_of(ledger)
        with pytest.raises(PermissionError):
            tx.driver.insert_costs(tx, [(at, uid, at, 5, 9, 1, 3, THEIRS, "USD", "stolen", None, None)])


def test_what_reads_one_state_stays_bound(postgres_storage: Storage) -> None:
    organize(postgres_storage, MINE, THEIRS)
    store(postgres_storage, [new(owner) for owner in (MINE, THEIRS)])
    with postgres_storage.ledger(MINE) as ledger:
        here = whose(transaction_of(ledger))
        assert ledger.costs.rollup_differences() == []
        assert whose(transaction_of(ledger)) == here


def test_sums_are_rebuilt_under_the_role(postgres_storage: Storage) -> None:
    organize(postgres_storage, MINE, THEIRS)
    store(postgres_storage, [new(owner, tags={"team": owner}) for owner in (MINE, THEIRS)])
    before = rows_of(postgres_storage, "rollups")
    with postgres_storage.ledger(MINE) as ledger:
        ledger.costs.rebuild_rollups()
    assert rows_of(postgres_storage, "rollups") == before


def test_statements_of_ones_own_choice_are_the_limit(mine: Transaction) -> None:
    """Who may run any statement may leave the role: this guards against forgotten and broken conditions."""
    with mine.raw.transaction(force_rollback=True):
        mine.raw.execute("RESET ROLE")
        assert mine.raw.execute("SELECT count(*) FROM usage_records").fetchone() == (2,)
