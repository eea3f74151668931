"""Rollups of made-up records: the sums that the product's own `fold` gives, many times as fast.

The numbers that stand for names are asked for once, and records are summed under them: what comes out are rows as the
storage's driver takes them. `fill --check` holds the result against the product: the rollups of a filled ledger must
show no difference from its records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.population import Facts, Population

from cost_ops.domain.periods import DAY_US, HOUR_US
from cost_ops.domain.rollups import Dimension, Series, month_of_day, week_of_day
from cost_ops.storage.sql import names
from cost_ops.storage.transaction import RollupRow, Transaction

Sums = list[int]
"""Requests, input, output, cached tokens, cost."""

RowKey = tuple[int, int, int, int]
"""Cube set, bucket, dimension, series."""

_FEATURE, _ENVIRONMENT = "feature", "environment"
_CODES = (1, 2, 3, 4, 5, 6, 7, 10)
_TAG_CODES = (8, 9)


class Folding:
    """The numbers of a population's organisations, dimension values and series in one database."""

    def __init__(self, tx: Transaction, population: Population, numbers: Sequence[int]) -> None:
        """Ask for all numbers, which are made where there are none."""
        self.numbers = list(numbers)
        ids = population.organizations
        number_of = dict(zip(ids, numbers, strict=True))
        plain = Series("", "", "USD", population.series[0].status)
        cubes = [(code, "") for code in _CODES] + [
            (code, tag) for code in _TAG_CODES for tag in (_FEATURE, _ENVIRONMENT)
        ]
        names.know_cube_sets(tx, [(i, code, tag) for i in ids for code, tag in cubes], number_of)
        names.know_series(tx, [*population.series, plain])
        values = [_values(population, owner) for owner in range(len(ids))]
        names.know_dimensions(
            tx, [(i, value) for i, lists in zip(ids, values, strict=True) for v in lists for value in v], number_of
        )
        self._series = [_known(tx.series.get(series)) for series in population.series]
        self._plain = _known(tx.series.get(plain))
        self._cubes = [{key: _known(tx.cube_sets.get((i, *key))) for key in cubes} for i in ids]
        self._values = [
            [[_known(tx.dimensions.get((i, value))) for value in found] for found in lists]
            for i, lists in zip(ids, values, strict=True)
        ]
        self._coarser = {
            cubes_[(fine, tag)]: cubes_[(coarse, tag)]
            for cubes_ in self._cubes
            for fine, coarse, tag in (
                (2, 3, ""), (4, 5, ""), (6, 7, ""), (8, 9, _FEATURE), (8, 9, _ENVIRONMENT),
            )
        }  # fmt: skip
        self._weeks = {cubes_[(6, "")]: cubes_[(10, "")] for cubes_ in self._cubes}
        self._days = {cubes_[(1, "")]: cubes_[(2, "")] for cubes_ in self._cubes}

    def rows(self, facts: Iterable[Facts]) -> list[RollupRow]:
        """What the records add to the rollups, in the order of the rows' keys."""
        places: list[tuple[Any, ...]] = [
            (c[(1, "")], c[(4, "")], c[(6, "")], c[(8, _FEATURE)], c[(8, _ENVIRONMENT)], *v)
            for c, v in zip(self._cubes, self._values, strict=True)
        ]
        series, plain = self._series, self._plain
        found: dict[RowKey, Sums] = {}
        get = found.get
        for owner, timestamp_us, shape, project, user, tag in facts:
            model, _, _, _, sent, received, cached, cost = shape
            day, number = timestamp_us // DAY_US, series[model]
            hours, projects, users, features, environments, of_project, of_user, of_feature, of_env = places[owner]
            keys: tuple[RowKey, ...] = (
                (hours, timestamp_us // HOUR_US, 0, number),
                (projects, day, of_project[project], number),
                (users, day, of_user[user], plain),
                (features, day, of_feature[tag.feature], plain),
                (environments, day, of_env[tag.environment], plain),
            )
            for key in keys:
                sums = get(key)
                if sums is None:
                    found[key] = [1, sent, received, cached, cost]
                else:
                    sums[0] += 1
                    sums[1] += sent
                    sums[2] += received
                    sums[3] += cached
                    sums[4] += cost
        _sum_up(found, self._days, lambda hour: hour // 24)
        _sum_up(found, self._weeks, week_of_day)
        _sum_up(found, self._coarser, month_of_day)
        return sorted((*key, *sums) for key, sums in found.items())  # type: ignore[misc]


def _values(population: Population, owner: int) -> tuple[list[Dimension], ...]:
    """The dimension values of one organisation: projects, users, and the values of both tags."""
    return (
        [Dimension("project", "", value) for value in population.projects],
        [Dimension("user", "", value) for value in population.users[owner]],
        [Dimension("tag", _FEATURE, value) for value in population.features],
        [Dimension("tag", _ENVIRONMENT, value) for value in population.environments],
    )


def _sum_up(found: dict[RowKey, Sums], coarser: dict[int, int], bucket_of: Callable[[int], int]) -> None:
    """Add the rows of finer cubes to those of the coarser ones."""
    for (cube, bucket, dimension, series), sums in list(found.items()):
        if cube not in coarser:
            continue
        key = (coarser[cube], bucket_of(bucket), dimension, series)
        whole = found.get(key)
        if whole is None:
            found[key] = list(sums)
        else:
            for index, value in enumerate(sums):
                whole[index] += value


def _known(number: int | None) -> int:
    if number is None:
        raise LookupError("a name has no number")
    return number
