"""Summing an organisation's rollups anew from its records, inside the database.

The finest cubes are summed from records, the coarser ones from those: hours make days, days make months.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, text

from cost_ops.storage.sql.dialects import expressions
from cost_ops.storage.tables import cube_sets, rollups
from cost_ops.storage.transaction import Transaction

_CURRENT = """
FROM usage_records u
LEFT JOIN cost_records c
    ON c.organization_id = u.organization_id AND c.timestamp = u.timestamp AND c.uid = u.uid
    AND NOT EXISTS (
        SELECT 1 FROM cost_records n
        WHERE n.organization_id = c.organization_id AND n.timestamp = c.timestamp AND n.uid = c.uid
          AND n.version > c.version
    )
{each_tag}
WHERE u.organization_id = :organization_id {tagged}
"""

_CURRENCY = "coalesce(CASE WHEN c.version IS NULL THEN u.currency ELSE c.currency END, '')"
_STATUS = "CASE WHEN c.version IS NULL THEN u.cost_status ELSE c.cost_status END"
_COST = "coalesce(CASE WHEN c.version IS NULL THEN u.cost_e10 ELSE c.cost_e10 END, 0)"

_NAMES = (
    (
        "INSERT INTO cost_series (provider, model_id, currency, status)"
        f" SELECT DISTINCT u.provider, u.model_id, {_CURRENCY}, {_STATUS} {{records}} ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO cost_series (provider, model_id, currency, status)"
        f" SELECT DISTINCT '', '', {_CURRENCY}, {_STATUS} {{records}} ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO dimension_values (organization, kind, name, value)"
        " SELECT DISTINCT {number}, 'project', '', coalesce(u.project_id, '') {records} ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO dimension_values (organization, kind, name, value)"
        " SELECT DISTINCT {number}, 'user', '', coalesce(u.user_id, '') {records} ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO dimension_values (organization, kind, name, value)"
        " SELECT DISTINCT {number}, 'tag', {tag_key}, {tag_value} {tagged_records} ON CONFLICT DO NOTHING"
    ),
)

# cube code, bucket, provider and model, kind of dimension, its name and value, source
_FINEST = (
    (1, "{hour}", True, None, "''", "''", "{records}"),
    (4, "{day}", True, "project", "''", "coalesce(u.project_id, '')", "{records}"),
    (6, "{day}", False, "user", "''", "coalesce(u.user_id, '')", "{records}"),
    (8, "{day}", False, "tag", "{tag_key}", "{tag_value}", "{tagged_records}"),
)

# fine cube, coarse cube, coarse bucket
_COARSER = (
    (1, 2, "r.bucket / 24"),
    (2, 3, "{month}"),
    (4, 5, "{month}"),
    (6, 7, "{month}"),
    (6, 10, "(r.bucket + 3) / 7"),
    (8, 9, "{month}"),
)

_MEASURES = "requests, input_tokens, output_tokens, cached_tokens, cost_e10"


def rebuild(tx: Transaction, organization_id: str, organization: int) -> None:
    """Throw the rollups of an organisation away and sum them anew. On PostgreSQL recording waits meanwhile."""
    tx.begin_write()
    words = _words(tx, organization)
    if tx.postgres:
        _run(tx, "SET LOCAL statement_timeout = 0")
        _run(tx, "LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")
    mine = delete(rollups).where(
        rollups.c.cube_set.in_(select(cube_sets.c.id).where(cube_sets.c.organization == organization))
    )
    tx.write(mine)
    bound = {"organization_id": organization_id}
    for statement in (*_NAMES, *_cube_sets(), *map(_from_records, _FINEST)):
        _run(tx, statement.format(**words), bound)
    for fine, coarse, bucket in _COARSER:
        _run(tx, _from_finer(fine, coarse, bucket).format(**words))


def _words(tx: Transaction, organization: int) -> dict[str, Any]:
    words = expressions(tx)
    return words | {
        "number": organization,
        "records": _CURRENT.format(each_tag="", tagged=""),
        "tagged_records": _CURRENT.format(each_tag=words["each_tag"], tagged=words["tagged"]),
    }


def _run(tx: Transaction, statement: str, bound: dict[str, Any] | None = None) -> None:
    tx.connection.execute(text(statement), {k: v for k, v in (bound or {}).items() if f":{k}" in statement})


def _cube_sets() -> list[str]:
    insert = "INSERT INTO cube_sets (organization, cube, name) "
    untagged = ", ".join(f"({{number}}, {cube}, '')" for cube in (*range(1, 8), 10))
    of_tags = (
        "SELECT DISTINCT organization, {cube}, name FROM dimension_values"
        " WHERE organization = {{number}} AND kind = 'tag'"
    )
    return [
        insert + f"VALUES {untagged} ON CONFLICT DO NOTHING",
        *(insert + of_tags.format(cube=cube) + " ON CONFLICT DO NOTHING" for cube in (8, 9)),
    ]


def _from_records(finest: tuple[int, str, bool, str | None, str, str, str]) -> str:
    cube, bucket, by_model, kind, name, value, source = finest
    provider, model = ("u.provider", "u.model_id") if by_model else ("''", "''")
    dimension = "0" if kind is None else "d.id"
    joined = (
        ""
        if kind is None
        else f" JOIN dimension_values d ON d.organization = {{number}} AND d.kind = '{kind}'"
        " AND d.name = a.name AND d.value = a.value"
    )
    return (
        f"INSERT INTO rollups (cube_set, bucket, dimension, series, {_MEASURES})"  # noqa: S608
        f" SELECT cs.id, a.bucket, {dimension}, s.id, {_MEASURES} FROM ("
        f" SELECT {bucket} AS bucket, {provider} AS provider, {model} AS model_id, {_CURRENCY} AS currency,"
        f" {_STATUS} AS status, {name} AS name, {value} AS value, count(*) AS requests,"
        " sum(u.input_tokens){whole} AS input_tokens, sum(u.output_tokens){whole} AS output_tokens,"
        " sum(coalesce(u.cached_tokens, 0)){whole} AS cached_tokens,"
        f" sum({_COST}){{whole}} AS cost_e10 {source} GROUP BY 1, 2, 3, 4, 5, 6, 7) a"
        " JOIN cost_series s ON s.provider = a.provider AND s.model_id = a.model_id"
        " AND s.currency = a.currency AND s.status = a.status"
        f" JOIN cube_sets cs ON cs.organization = {{number}} AND cs.cube = {cube} AND cs.name = a.name{joined}"
        " ORDER BY 1, 2, 3, 4"
    )


def _from_finer(fine: int, coarse: int, bucket: str) -> str:
    sums = ", ".join(f"sum(r.{name}){{whole}}" for name in _MEASURES.split(", "))
    return (
        f"INSERT INTO rollups (cube_set, bucket, dimension, series, {_MEASURES})"  # noqa: S608
        f" SELECT c.id, {bucket}, r.dimension, r.series, {sums} FROM rollups r"
        f" JOIN cube_sets f ON f.id = r.cube_set AND f.organization = {{number}} AND f.cube = {fine}"
        f" JOIN cube_sets c ON c.organization = f.organization AND c.name = f.name AND c.cube = {coarse}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
