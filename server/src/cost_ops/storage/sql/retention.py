"""Removing what is old, a month at a time: records, their costs and earlier forms, and what rollups hold of them.

On PostgreSQL a partition that lies wholly before the end of the month is dropped, and writers wait meanwhile: a sum
that came in between would stand for records that are gone.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, cast, delete, func, insert, literal, select

from cost_ops.domain.periods import DAY_US, from_us
from cost_ops.domain.rollups import CUBES, Cube, Grain, bucket_of, bucket_start_us, month_start_us
from cost_ops.interfaces.changes import MonthOf, Removed
from cost_ops.storage.sql import budget_spends, forgetting
from cost_ops.storage.sql.rollups import MONTHS_OF_ALL
from cost_ops.storage.tables import (
    cost_records,
    cube_sets,
    idempotency_keys,
    organizations,
    rollups,
    usage_records,
    usage_revisions,
)
from cost_ops.storage.transaction import Transaction

r, s = rollups.c, cube_sets.c
_WEEKS = next(cube for cube in CUBES if cube.grain is Grain.WEEK)
_DAYS_OF_WEEKS = next(c for c in CUBES if c.dimension == _WEEKS.dimension and c.grain is Grain.DAY)


class StoredRetention:
    """Old records of all organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def months_before(self, month: int) -> list[MonthOf]:
        """The months before one that hold records, oldest first."""
        o = organizations.c
        rows = self._tx.rows(
            select(r.bucket, o.organization_id, func.sum(r.requests))
            .select_from(rollups.join(cube_sets, s.id == r.cube_set).join(organizations, o.number == s.organization))
            .where(s.cube == MONTHS_OF_ALL, r.bucket < month)
            .group_by(r.bucket, o.organization_id)
            .having(func.sum(r.requests) > 0)
            .order_by(r.bucket, o.organization_id)
        )
        return [MonthOf(row[0], row[1], int(row[2])) for row in rows]

    def remove_month(self, month: int) -> Removed:
        """Remove a month, and whatever is older: records, costs, earlier forms, and what the rollups hold of it."""
        tx, end_us = self._tx, month_start_us(month + 1)
        tx.begin_write()
        tx.driver.lock_records(tx)
        records = self._counted(MONTHS_OF_ALL, month + 1)
        costs = self._count(cost_records, end_us)
        budget_spends.keep(tx, from_us(end_us))
        dropped = tx.driver.drop_before(tx, end_us)
        for table in (usage_records, cost_records):
            self._delete(table, end_us)
        revisions = self._delete(usage_revisions, end_us)
        for cube in CUBES:
            self._forget(cube, end_us)
        return Removed(records, costs, revisions, tuple(dropped))

    def _counted(self, cube: int, before: int) -> int:
        of_all = select(s.id).where(s.cube == cube)
        rows = self._tx.rows(select(func.sum(r.requests)).where(r.cube_set.in_(of_all), r.bucket < before))
        return int(rows[0][0] or 0)

    def _count(self, table: Table, end_us: int) -> int:
        return int(self._tx.rows(select(func.count()).select_from(table).where(*_before(table, end_us)))[0][0])

    def _delete(self, table: Table, end_us: int) -> int:
        return int(self._tx.write(delete(table).where(*_before(table, end_us))).rowcount)

    def _forget(self, cube: Cube, end_us: int) -> None:
        """Remove the rows of a cube before an instant; of a week that it cuts, the days that stay are summed anew."""
        sets = select(s.id).where(s.cube == cube.code)
        last = bucket_of(cube.grain, end_us - 1)
        self._tx.write(delete(rollups).where(r.cube_set.in_(sets), r.bucket <= last))
        following_us = bucket_start_us(cube.grain, last + 1)
        if following_us > end_us:
            self._sum_days(last, end_us // DAY_US, following_us // DAY_US)

    def _sum_days(self, week: int, first_day: int, end_day: int) -> None:
        days, weeks = cube_sets.alias("days"), cube_sets.alias("weeks")
        measures = (r.requests, r.input_tokens, r.output_tokens, r.cached_tokens, r.cost_e10)
        sums = [cast(func.sum(column), column.type).label(column.name) for column in measures]
        kept = (
            select(weeks.c.id, literal(week).label("bucket"), r.dimension, r.series, *sums)
            .select_from(
                rollups.join(days, days.c.id == r.cube_set).join(
                    weeks, (weeks.c.organization == days.c.organization) & (weeks.c.name == days.c.name)
                )
            )
            .where(days.c.cube == _DAYS_OF_WEEKS.code, weeks.c.cube == _WEEKS.code)
            .where(r.bucket >= first_day, r.bucket < end_day)
            .group_by(weeks.c.id, r.dimension, r.series)
        )
        self._tx.write(insert(rollups).from_select([c.name for c in rollups.columns], kept))

    def remove_keys(self, before_us: int) -> int:
        """Remove the idempotency keys of records before an instant; how many there were."""
        return int(self._tx.write(delete(idempotency_keys).where(idempotency_keys.c.timestamp < before_us)).rowcount)

    def forget_names(self) -> None:
        """Take out the names of users, projects and tags that nothing is summed for any more."""
        forgetting.sweep(self._tx)


def _before(table: Table, end_us: int) -> list[ColumnElement[bool]]:
    """Rows before an instant, in the words of the primary key."""
    known = select(organizations.c.organization_id)
    return [table.c.organization_id.in_(known), table.c.timestamp < end_us]
