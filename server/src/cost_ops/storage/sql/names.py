"""Numbers for names: rollups hold small numbers, and these tables say what they mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy import select

from cost_ops.domain.rollups import Dimension, Series
from cost_ops.storage.rows import STATUS_CODE, STATUS_NAME
from cost_ops.storage.tables import cost_series, dimension_values
from cost_ops.storage.transaction import Ids, NameTable, Transaction

Key = TypeVar("Key")
_CHUNK = 5_000


CUBE_SETS = NameTable("cube_sets", ("organization", "cube", "name"), ("int4", "int4", "text"))
DIMENSIONS = NameTable("dimension_values", ("organization", "kind", "name", "value"), ("int4", "text", "text", "text"))
SERIES = NameTable("cost_series", ("provider", "model_id", "currency", "status"), ("text", "text", "text", "int2"))


def cube_set(tx: Transaction, organization_id: str, organization: int, cube: int, tag: str = "") -> int | None:
    """The id of an organisation's cube (of a tag's key); None where nothing was ever added to it."""
    known = tx.cube_sets.get((organization_id, cube, tag))
    if known is None:
        key = (organization, cube, tag)
        known = tx.driver.find_ids(tx, CUBE_SETS, [key]).get(key)
        if known is not None:
            tx.cube_sets.fresh[(organization_id, cube, tag)] = known
    return known


def know_cube_sets(
    tx: Transaction, keys: Collection[tuple[str, int, str]], numbers: Mapping[str, int]
) -> dict[tuple[str, int, str], int]:
    """Ids of (organisation, cube, tag key), new where there was none."""
    return _know(tx, CUBE_SETS, tx.cube_sets, {key: (numbers[key[0]], key[1], key[2]) for key in keys})


def know_dimensions(
    tx: Transaction, keys: Collection[tuple[str, Dimension]], numbers: Mapping[str, int]
) -> dict[tuple[str, Dimension], int]:
    """Ids of dimension values of organisations, new where there was none."""
    return _know(tx, DIMENSIONS, tx.dimensions, {key: (numbers[key[0]], *key[1]) for key in keys})


def know_series(tx: Transaction, keys: Collection[Series]) -> dict[Series, int]:
    """Ids of series, new where there was none."""
    return _know(tx, SERIES, tx.series, {key: (*key[:3], STATUS_CODE[key.status]) for key in keys})


def _know(
    tx: Transaction, table: NameTable, ids: Ids[Key], columns_of: Mapping[Key, tuple[Any, ...]]
) -> dict[Key, int]:
    """Find or make the ids of keys, in sorted order so that replicas do not wait for each other in circles."""
    wanted = sorted(columns_of.values())
    if not wanted:
        return {}
    found = tx.driver.find_ids(tx, table, wanted)
    missing = [columns for columns in wanted if columns not in found]
    if missing:
        found |= tx.driver.make_ids(tx, table, missing)
    numbers = {key: found[columns] for key, columns in columns_of.items()}
    ids.fresh.update(numbers)
    return numbers


def series_of(tx: Transaction, ids: Iterable[int]) -> dict[int, Series]:
    """Id → series."""
    s = cost_series.c
    columns = (s.id, s.provider, s.model_id, s.currency, s.status)
    found: dict[int, Series] = {}
    unknown = []
    for number in ids:
        series = tx.names.series_by_id.get(number)
        if series is None:
            unknown.append(number)
        else:
            found[number] = series
    for start in range(0, len(unknown), _CHUNK):
        for number, provider, model_id, currency, status in tx.rows(
            select(*columns).where(s.id.in_(unknown[start : start + _CHUNK]))
        ):
            series = found[number] = Series(provider, model_id, currency, STATUS_NAME[status])
            tx.names.series_by_id.put(number, series)
    return found


def values_of(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """Id → value of a dimension."""
    d = dimension_values.c
    found: dict[int, str] = {}
    unknown = []
    for number in ids:
        value = tx.names.values_by_id.get(number)
        if value is None:
            unknown.append(number)
        else:
            found[number] = value
    for start in range(0, len(unknown), _CHUNK):
        for number, value in tx.rows(select(d.id, d.value).where(d.id.in_(unknown[start : start + _CHUNK]))):
            found[number] = value
            tx.names.values_by_id.put(number, value)
    return found
