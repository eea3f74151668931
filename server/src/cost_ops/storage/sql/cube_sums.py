"""Sums from rollups, on numbers throughout; names come in at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import select

from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.rollups import Cube, Measures, Series, Window
from cost_ops.storage.rows import STATUS_NAME
from cost_ops.storage.sql import names
from cost_ops.storage.tables import cost_series, dimension_values
from cost_ops.storage.transaction import Transaction

_OF_SERIES: dict[str, Callable[[Series], str | None]] = {
    "provider": lambda series: series.provider or None,
    "model": lambda series: series.model_id or None,
    "currency": lambda series: series.currency or None,
    "status": lambda series: series.status,
}
MOST_APART = 16
_MEASURES = ("requests", "input_tokens", "output_tokens", "cached_tokens", "cost_e10")


def sums(
    tx: Transaction,
    organization_id: str,
    organization: int,
    cube: Cube,
    windows: Sequence[Window],
    *,
    dimensions: Sequence[str],
    filters: Sequence[Filter],
) -> Sequence[SummedRow]:
    """One row per slot, values of `dimensions`, currency and status."""
    special = next((d for d in chain(dimensions, (f.dimension for f in filters)) if d not in _OF_SERIES), None)
    tag = special.removeprefix("tag:") if special is not None and cube.dimension == "tag" else ""
    cube_set = names.cube_set(tx, organization_id, organization, cube.code, tag)
    wanted = _wanted(tx, organization, cube, tag, filters)
    if cube_set is None or wanted is None or not windows:
        return []
    split = special is not None and special in dimensions
    apart = _apart(cube, dimensions)
    by = ["dimension"] if split else []
    by += ["series"] if apart is None else apart
    shape = _Shape(by, split=split, whole=apart is None and (split or cube.dimension is None), merged=apart is not None)
    rows, slot_of = _read(tx, cube_set, windows, shape, wanted)
    found = _named(tx, rows, slot_of, dimensions, split=split)
    return found if len({w.slot for w in windows}) == len(windows) else _collapsed(found)


class _Shape(NamedTuple):
    """How rows are put together: `by` what; `whole` rollup rows as they are; `merged` series that come out alike."""

    by: Sequence[str]
    split: bool
    whole: bool
    merged: bool

    @property
    def kept(self) -> tuple[str, str]:
        """The numbers of a dimension's value and of a series; of merged ones that of any stands for all."""
        return "dimension" if self.split else "0", "min(series)" if self.merged else "series"


def _apart(cube: Cube, dimensions: Sequence[str]) -> list[str] | None:
    """What tells the answer's series apart, where that is less than the whole series."""
    if not cube.by_model or ("provider" in dimensions and "model" in dimensions):
        return None
    wanted = {"provider": "provider", "model": "model_id"}
    return [*(column for name, column in wanted.items() if name in dimensions), "currency", "status"]


def _wanted(tx: Transaction, organization: int, cube: Cube, tag: str, filters: Sequence[Filter]) -> list[str] | None:
    """Conditions on numbers that stand for the filters; None where nothing can pass."""
    wanted: list[str] = []
    on_series = [f for f in filters if f.dimension in _OF_SERIES]
    on_values = [f for f in filters if f.dimension not in _OF_SERIES]
    if on_series:
        s = cost_series.c
        rows = tx.rows(select(s.id, s.provider, s.model_id, s.currency, s.status))
        everything = ((row[0], Series(row[1], row[2], row[3], STATUS_NAME[row[4]])) for row in rows)
        passed = [
            number
            for number, series in everything
            if all(f.matches(_OF_SERIES[f.dimension](series)) for f in on_series)
        ]
        wanted.append(_among("series", passed))
    if on_values:
        d = dimension_values.c
        kind = cube.dimension
        of_kind = select(d.id, d.value).where(d.organization == organization, d.kind == kind, d.name == tag)
        exact = {value or "" for f in on_values if f.operator in ("eq", "in") for value in f.values}
        if exact:
            of_kind = of_kind.where(d.value.in_(exact))
        absent = None if kind != "tag" else ""
        passed = [number for number, value in tx.rows(of_kind) if all(f.matches(value or absent) for f in on_values)]
        wanted.append(_among("dimension", passed))
    return None if "" in wanted else wanted


def _among(column: str, numbers: Sequence[int]) -> str:
    """A condition; empty where nothing can hold it."""
    return f"{column} IN ({','.join(map(str, numbers))})" if numbers else ""


def _read(
    tx: Transaction, cube_set: int, windows: Sequence[Window], shape: _Shape, wanted: Sequence[str]
) -> tuple[Sequence[Any], Callable[[int], int | None]]:
    """Rows of (place, dimension, series, sums), and what makes a slot of a place."""
    conditions = [f"cube_set = {cube_set}", _from_first_to_last(windows), *wanted]
    source = "rollups JOIN cost_series ON id = series" if shape.merged else "rollups"
    slots = _slots_of_buckets(windows)
    if slots is not None:
        if shape.whole:
            return _run(tx, ("bucket", *shape.kept, *_MEASURES), source, conditions), slots.get
        columns = ("bucket", *shape.kept, *_summed(tx))
        return _run(tx, columns, source, conditions, ["bucket", *shape.by]), slots.get
    if len(windows) == 1:
        return _run(tx, (str(windows[0].slot), *shape.kept, *_summed(tx)), source, conditions, shape.by), _itself
    if tx.postgres:
        bounds, slot_of = _stretches(windows)
        conditions[1] = _within(windows)
        place = f"width_bucket(bucket, '{{{','.join(map(str, bounds))}}}'::int4[])"
        columns = (f"{place} AS place", *shape.kept, *_summed(tx))
        return _run(tx, columns, source, conditions, ["place", *shape.by]), slot_of.get
    source = f"{_window_table(windows)} CROSS JOIN {source}"
    conditions[1] = "bucket >= starts AND bucket < ends"
    return _run(tx, ("slot", *shape.kept, *_summed(tx)), source, conditions, ["slot", *shape.by]), _itself


def _from_first_to_last(windows: Sequence[Window]) -> str:
    return f"bucket >= {windows[0].start} AND bucket < {max(w.end for w in windows)}"


def _within(windows: Sequence[Window]) -> str:
    """A condition on the bucket: each window by itself where they are few, so that nothing between them is read."""
    if len(windows) > MOST_APART:
        return _from_first_to_last(windows)
    return "(" + " OR ".join(f"(bucket >= {start} AND bucket < {end})" for start, end, _ in windows) + ")"


def _stretches(windows: Sequence[Window]) -> tuple[list[int], dict[int, int]]:
    """The bounds of windows in order, and which slot the stretch after each bound (counted from 1) belongs to."""
    bounds = sorted({bound for start, end, _ in windows for bound in (start, end)})
    slots = {start: slot for start, _, slot in windows}
    return bounds, {number: slots[bound] for number, bound in enumerate(bounds, 1) if bound in slots}


def _itself(slot: int) -> int:
    return slot


def _summed(tx: Transaction) -> list[str]:
    return [f"sum({column})::int8" if tx.postgres else f"sum({column})" for column in _MEASURES]


def _run(
    tx: Transaction, columns: Sequence[str], source: str, conditions: Sequence[str], by: Sequence[str] = ()
) -> Sequence[Any]:
    """Run a statement made of names and numbers of ours."""
    grouped = f" GROUP BY {', '.join(by)}" if by else ""
    query = f"SELECT {', '.join(columns)} FROM {source} WHERE {' AND '.join(conditions)}{grouped}"  # noqa: S608
    found: Sequence[Any] = tx.raw.execute(query).fetchall()
    return found


def _slots_of_buckets(windows: Sequence[Window]) -> dict[int, int] | None:
    """Bucket → slot where every window is one bucket and most buckets between the first and the last are asked for."""
    if len(windows) < 2 or any(end - start != 1 for start, end, _ in windows):
        return None
    slots = {start: slot for start, _, slot in windows}
    dense = windows[-1].end - windows[0].start <= 2 * len(windows)
    return slots if dense and len(slots) == len(windows) and windows[0].start == min(slots) else None


def _window_table(windows: Sequence[Window]) -> str:
    """A table `w (starts, ends, slot)` inside a statement for SQLite."""
    rows = ",".join(f"({start},{end},{slot})" for start, end, slot in windows)
    return f"(SELECT column1 AS starts, column2 AS ends, column3 AS slot FROM (VALUES {rows})) AS w"  # noqa: S608


def _named(
    tx: Transaction,
    rows: Sequence[Any],
    slot_of: Callable[[int], int | None],
    dimensions: Sequence[str],
    *,
    split: bool,
) -> list[SummedRow]:
    """Names for numbers, and one row for what went into one slot; what corrections left empty is no row."""
    series = names.series_of(tx, {row[2] for row in rows})
    values = names.values_of(tx, {row[1] for row in rows}) if split else {0: ""}
    label = _labeller(dimensions, series, values)
    about = {number: (s.currency, s.status) for number, s in series.items()}
    found: list[SummedRow] = []
    for place, dimension, number, *sums_ in rows:
        slot = slot_of(place)
        if slot is not None and sums_[0]:
            currency, status = about[number]
            found.append(SummedRow(slot, label(dimension, number), currency, status, Measures(*sums_)))
    return found


def _labeller(
    dimensions: Sequence[str], series: dict[int, Series], values: dict[int, str]
) -> Callable[[int, int], tuple[str | None, ...]]:
    """A function from (dimension, series) numbers to the values of the dimensions asked for."""
    if all(name in _OF_SERIES for name in dimensions):
        fixed = {number: tuple(_OF_SERIES[name](s) for name in dimensions) for number, s in series.items()}
        return lambda _, number: fixed[number]
    is_tag = any(name.startswith("tag:") for name in dimensions)
    shown: dict[int, str | None] = {n: value if is_tag else value or None for n, value in values.items()}
    if len(dimensions) == 1:
        alone = {number: (value,) for number, value in shown.items()}
        return lambda dimension, _: alone[dimension]
    return lambda dimension, number: tuple(
        _OF_SERIES[name](series[number]) if name in _OF_SERIES else shown[dimension] for name in dimensions
    )


def _collapsed(rows: Sequence[SummedRow]) -> list[SummedRow]:
    """One row for what went into one slot through several windows."""
    found: dict[tuple[Any, ...], SummedRow] = {}
    for row in rows:
        seen = found.setdefault(row[:4], row)
        if seen is not row:
            seen.measures.add(row.measures)
    return list(found.values())
