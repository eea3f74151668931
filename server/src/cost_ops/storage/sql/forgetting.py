"""Taking names out of the rollups: a person's, a tag's, those that retention left without sums.

Processes remember the numbers of names. So a version says which state of the names they remember: whoever writes
rollups looks at it first and forgets what an older one taught, and nobody takes names out while somebody writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from cost_ops.storage.tables import cube_sets, dimension_values, dimension_version, rollups
from cost_ops.storage.transaction import Transaction

d, r = dimension_values.c, rollups.c
_CHUNK = 1_000


def forget(tx: Transaction, organization: int, *, user_id: str, tags: Collection[str]) -> None:
    """Take a person's name out, and the values of tags, as far as no record has them any more."""
    _begin(tx)
    person = and_(d.kind == "user", d.value == user_id)
    tagged = and_(d.kind == "tag", d.name.in_(sorted(tags)))
    mine = select(cube_sets.c.id).where(cube_sets.c.organization == organization)
    found = [row[0] for row in tx.rows(select(d.id).where(d.organization == organization, or_(person, tagged)))]
    for start in range(0, len(found), _CHUNK):
        chunk = found[start : start + _CHUNK]
        of_these = and_(r.cube_set.in_(mine), r.dimension.in_(chunk))
        used = {row[0] for row in tx.rows(select(r.dimension).where(of_these, r.requests > 0).distinct())}
        _remove(tx, [number for number in chunk if number not in used], r.cube_set.in_(mine))


def sweep(tx: Transaction) -> None:
    """Take out all names that no rollup row has any more."""
    _begin(tx)
    unused = select(d.id).where(d.id.not_in(select(r.dimension)))
    tx.write(delete(dimension_values).where(d.id.in_(unused)))


def _begin(tx: Transaction) -> None:
    tx.begin_write()
    tx.driver.lock_names(tx)
    tx.write(update(dimension_version).values(version=dimension_version.c.version + 1))


def _remove(tx: Transaction, numbers: Sequence[int], within: ColumnElement[bool]) -> None:
    if numbers:
        tx.write(delete(rollups).where(within, r.dimension.in_(numbers)))
        tx.write(delete(dimension_values).where(d.id.in_(numbers)))
