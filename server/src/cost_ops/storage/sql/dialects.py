"""Where the two dialects of SQL part, for statements built with SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Join,
    Table,
    Text,
    cast,
    column,
    func,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from cost_ops.domain.periods import format_instant, from_us
from cost_ops.storage.tables import Instant
from cost_ops.storage.transaction import Transaction


def value_table(
    tx: Transaction, name: str, columns: Mapping[str, TypeEngine[Any]], rows: Sequence[Sequence[int]]
) -> FromClause:
    """A table made of whole numbers and instants, inside a statement that is the same for any number of rows."""
    named = [column(label, kind) for label, kind in columns.items()]
    if not tx.postgres:
        each = func.json_each(json.dumps(rows)).table_valued("value")
        parts = [
            type_coerce(func.json_extract(each.c.value, f"$[{place}]"), c.type).label(c.name)
            for place, c in enumerate(named)
        ]
        return select(*parts).subquery(name)
    arrays = [
        cast(literal(_array(values, kind)), ARRAY(kind))
        for values, kind in zip(zip(*rows, strict=True), columns.values(), strict=True)
    ]
    return func.unnest(*arrays).table_valued(*named).render_derived(name)


class InOrder(Join):
    """A join that looks up the right side for each row of the left: SQLite would often begin with the larger one."""

    inherit_cache = True


@compiles(InOrder, "sqlite")
def _cross_join(element: InOrder, compiler: SQLCompiler, **options: Any) -> str:
    plain = str(compiler.visit_join(element, **options))  # type: ignore[no-untyped-call]
    return plain.replace(" JOIN ", " CROSS JOIN ", 1)


def _array(values: Sequence[int], kind: TypeEngine[Any]) -> str:
    """An array as PostgreSQL reads it."""
    texts = map(format_instant, map(from_us, values)) if isinstance(kind, Instant) else map(str, values)
    return "{" + ",".join(texts) + "}"


def insert_or_ignore(tx: Transaction, table: Table) -> Any:
    """An insert that leaves existing rows as they are."""
    insert = postgresql.insert(table) if tx.postgres else sqlite.insert(table)
    return insert.on_conflict_do_nothing()


def upsert(tx: Transaction, table: Table) -> Any:
    """An insert that puts new values in place of a row with the same key."""
    insert = postgresql.insert(table) if tx.postgres else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


def insert_or_add(tx: Transaction, table: Table, name: str) -> Any:
    """An insert that adds one column to that of a row with the same key."""
    return _insert_or_add(table, name, postgres=tx.postgres)


@lru_cache(maxsize=16)
def _insert_or_add(table: Table, name: str, *, postgres: bool) -> Any:
    insert = postgresql.insert(table) if postgres else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(index_elements=keys, set_={name: table.c[name] + insert.excluded[name]})


def tag_value(tx: Transaction, tags: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """The value of a tag; NULL for records without it."""
    if tx.postgres:
        return tags.op("->>", return_type=Text())(key)
    each = func.json_each(tags).table_valued("key", "value", name="tag")
    return select(column("value", Text)).select_from(each).where(each.c.key == key).scalar_subquery()


def text_contains(tx: Transaction, value: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Whether a text holds another, whatever the case and the script."""
    if not tx.postgres:
        return func.instr(func.lower(value), part.lower()) > 0
    collation = _collation(tx)
    return func.strpos(func.lower(value if collation is None else value.collate(collation)), part.lower()) > 0


_COLLATIONS = ("und-x-icu", "pg_c_utf8", "C.UTF-8", "C.utf8")
"""What knows the letters of every script, best first; a database's own collation may know ASCII only."""


def _collation(tx: Transaction) -> str | None:
    if not tx.names.collations:
        known = text(
            "SELECT collname FROM pg_collation WHERE collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))"
        )
        found = {row[0] for row in tx.rows(known)}
        tx.names.collations = (next((name for name in _COLLATIONS if name in found), None),)
    return tx.names.collations[0]


def text_starts_with(value: ColumnElement[Any], start: str) -> ColumnElement[bool]:
    """Whether a text begins with another, in the same case."""
    return func.substr(value, 1, len(start)) == start


_POSTGRES_WORDS = {
    "hour": "floor(extract(epoch FROM u.timestamp) / 3600)::int4",
    "day": "floor(extract(epoch FROM u.timestamp) / 86400)::int4",
    "month": (
        "(extract(year FROM date '1970-01-01' + r.bucket) * 12"
        " + extract(month FROM date '1970-01-01' + r.bucket) - 1)::int4"
    ),
    "each_tag": "CROSS JOIN LATERAL jsonb_each_text(u.tags) t",
    "tagged": "AND u.tags IS NOT NULL",
    "tag_key": "t.key",
    "tag_value": "t.value",
    "whole": "::int8",
}
_SQLITE_WORDS = {
    "hour": "u.timestamp / 3600000000",
    "day": "u.timestamp / 86400000000",
    "month": (
        "CAST(strftime('%Y', r.bucket * 86400, 'unixepoch') AS INTEGER) * 12"
        " + CAST(strftime('%m', r.bucket * 86400, 'unixepoch') AS INTEGER) - 1"
    ),
    "each_tag": "JOIN json_each(u.tags) t",
    "tagged": "AND u.tags IS NOT NULL",
    "tag_key": "t.key",
    "tag_value": "t.value",
    "whole": "",
}


def expressions(tx: Transaction) -> dict[str, str]:
    """What statements written out say differently: buckets of `u.timestamp`, months of `r.bucket`, tags, whole sums."""
    return dict(_POSTGRES_WORDS if tx.postgres else _SQLITE_WORDS)
