"""Rollup rows: adding to them, and counting records by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import func, select

from cost_ops.domain.rollups import Dimension, Folded, Series
from cost_ops.storage.sql import names, organizations
from cost_ops.storage.tables import cube_sets, rollups
from cost_ops.storage.transaction import Ids, RollupRow, Transaction

Key = TypeVar("Key")
CubeSet = tuple[str, int, str]
OwnDimension = tuple[str, Dimension]

MONTHS_OF_ALL = 3
"""The cube of everything by month."""


class _Numbers:
    """The numbers of all names that occur in some sums."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.cube_sets: dict[CubeSet, int] = {}
        self.dimensions: dict[OwnDimension, int] = {}
        self.series: dict[Series, int] = {}

    def read(self, sums: Folded) -> None:
        """Find the numbers, or give new ones."""
        tx = self._tx
        cube_sets, dimensions, series = self._occurring(sums)
        unknown_sets = _unknown(cube_sets, tx.cube_sets, self.cube_sets)
        unknown_dimensions = _unknown(dimensions, tx.dimensions, self.dimensions)
        unknown_series = _unknown(series, tx.series, self.series)
        if unknown_sets or unknown_dimensions or unknown_series:
            numbers = organizations.numbers_of(tx, {key[0] for key in cube_sets})
            self.cube_sets |= names.know_cube_sets(tx, unknown_sets, numbers)
            self.dimensions |= names.know_dimensions(tx, unknown_dimensions, numbers)
            self.series |= names.know_series(tx, unknown_series)

    @staticmethod
    def _occurring(sums: Folded) -> tuple[set[CubeSet], set[OwnDimension], set[Series]]:
        cube_sets = {(organization_id, cube, dimension[1]) for organization_id, cube, _, dimension, _ in sums}
        dimensions = {(key[0], key[3]) for key in sums if key[3][0]}
        return cube_sets, dimensions, {key[4] for key in sums}

    def rows(self, sums: Folded) -> list[RollupRow]:
        """The rows of sums."""
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


def _unknown(keys: Iterable[Key], ids: Ids[Key], known: dict[Key, int]) -> list[Key]:
    """The keys without a number yet; the others' numbers go into `known`."""
    unknown = []
    for key in keys:
        number = ids.get(key)
        if number is None:
            unknown.append(key)
        else:
            known[key] = number
    return unknown


def add(tx: Transaction, sums: Folded) -> None:
    """Add sums to the rollup rows, in the order of their key."""
    if not sums:
        return
    tx.begin_write()
    numbers = _Numbers(tx)
    numbers.read(sums)
    rows = numbers.rows(sums)
    rows.sort()
    tx.driver.add_rollups(tx, rows)


def record_count(tx: Transaction) -> int:
    """How many usage records there are, from the monthly sums."""
    counted = select(func.coalesce(func.sum(rollups.c.requests), 0)).where(
        rollups.c.cube_set.in_(select(cube_sets.c.id).where(cube_sets.c.cube == MONTHS_OF_ALL))
    )
    return int(tx.rows(counted)[0][0])
