"""Rollup rows: adding to them, and counting records by them."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import func, select

from cost_ops.domain.rollups import Folded
from cost_ops.storage.sql import names, organizations
from cost_ops.storage.tables import cube_sets, rollups
from cost_ops.storage.transaction import Ids, RollupRow, Transaction

Key = TypeVar("Key")
_UNKNOWN = -1

MONTHS_OF_ALL = 3
"""The cube of everything by month."""


class _Numbers(dict[Key, int]):
    """Numbers of names: looked up when first asked for, and the unknown ones noted."""

    def __init__(self, ids: Ids[Key]) -> None:
        super().__init__()
        self._ids = ids
        self.unknown: list[Key] = []

    def __missing__(self, key: Key) -> int:
        number = self._ids.get(key)
        if number is None:
            self.unknown.append(key)
            number = _UNKNOWN
        self[key] = number
        return number


class _AllNumbers:
    """The numbers of all names that occur in some sums."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.cube_sets = _Numbers(tx.cube_sets)
        self.dimensions = _Numbers(tx.dimensions)
        self.series = _Numbers(tx.series)

    def rows(self, sums: Folded) -> list[RollupRow]:
        """The rows of sums; names without numbers get some."""
        rows = self._rows(sums)
        if self.cube_sets.unknown or self.dimensions.unknown or self.series.unknown:
            self._learn()
            rows = self._rows(sums)
        return rows

    def _learn(self) -> None:
        tx = self._tx
        owners = {key[0] for key in self.cube_sets.unknown} | {key[0] for key in self.dimensions.unknown}
        numbers = organizations.numbers_of(tx, owners)
        self.cube_sets |= names.know_cube_sets(tx, self.cube_sets.unknown, numbers)
        self.dimensions |= names.know_dimensions(tx, self.dimensions.unknown, numbers)
        self.series |= names.know_series(tx, self.series.unknown)

    def _rows(self, sums: Folded) -> list[RollupRow]:
        cube_sets, dimensions, all_series = self.cube_sets, self.dimensions, self.series
        return [
            (
                cube_sets[organization_id, cube, dimension[1]],
                bucket,
                dimensions[organization_id, dimension] if dimension[0] else 0,
                all_series[series],
                m.requests,
                m.input_tokens,
                m.output_tokens,
                m.cached_tokens,
                m.cost_e10,
            )
            for (organization_id, cube, bucket, dimension, series), m in sums.items()
        ]


def add(tx: Transaction, sums: Folded) -> None:
    """Add sums to the rollup rows, in the order of their key."""
    if not sums:
        return
    tx.check_names()
    rows = _AllNumbers(tx).rows(sums)
    rows.sort()
    tx.driver.add_rollups(tx, rows)


def record_count(tx: Transaction) -> int:
    """How many usage records there are, from the monthly sums."""
    counted = select(func.coalesce(func.sum(rollups.c.requests), 0)).where(
        rollups.c.cube_set.in_(select(cube_sets.c.id).where(cube_sets.c.cube == MONTHS_OF_ALL))
    )
    return int(tx.rows(counted)[0][0])
