"""Where rollups and records disagree: records are folded again by the domain's own rule, a day at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, or_, select, text

from cost_ops.domain.periods import DAY_US, from_us
from cost_ops.domain.rollups import (
    CUBE_OF_CODE,
    Contribution,
    Dimension,
    Measures,
    Series,
    bucket_start_us,
    fold,
)
from cost_ops.storage.rows import STATUS_NAME
from cost_ops.storage.sql.current import CURRENT_COST, CURRENT_CURRENCY, CURRENT_STATUS, WITH_LATEST
from cost_ops.storage.sql.dialects import expressions
from cost_ops.storage.tables import cost_series, cube_sets, dimension_values, rollups, usage_records
from cost_ops.storage.transaction import Transaction

u, r = usage_records.c, rollups.c
MOST = 100
_HOURS = 1
_DAYS = (2, 4, 6, 8)
_COARSER = ((2, 3, "{month}"), (4, 5, "{month}"), (6, 7, "{month}"), (6, 10, "(r.bucket + 3) / 7"), (8, 9, "{month}"))
"""Cube by day, the cube summed from it, and the bucket of a day there."""
_CHUNK = 2_000


class Place(NamedTuple):
    """A rollup row by its names."""

    cube: int
    bucket: int
    dimension: Dimension
    series: Series


def found(tx: Transaction, organization_id: str, organization: int) -> list[str]:
    """Differences in words, at most `MOST`; all from one state of the database. Changes nothing."""
    if not tx.writing:
        tx.driver.read_one_state(tx)
    words: list[str] = []
    for difference in _all(tx, organization_id, organization):
        words.append(difference)
        if len(words) == MOST:
            break
    return words


def _all(tx: Transaction, organization_id: str, organization: int) -> Iterator[str]:
    rows = select(cube_sets.c.cube, cube_sets.c.id).where(cube_sets.c.organization == organization)
    sets = tx.rows(rows)
    hours = [number for cube, number in sets if cube == _HOURS]
    days = [number for cube, number in sets if cube in _DAYS]
    open_days = _stored_days(tx, hours, days)
    for day, contributions in groupby(_contributions(tx, organization_id), lambda c: c.timestamp_us // DAY_US):
        yield from _differences_of_day(tx, hours, days, day, contributions)
        open_days.discard(day)
    for day in sorted(open_days):
        yield from _differences_of_day(tx, hours, days, day, ())
    for fine, coarse, bucket in _COARSER:
        yield from _differences_of_coarser(tx, organization, fine, coarse, bucket)


def _stored_days(tx: Transaction, hours: list[int], days: list[int]) -> set[int]:
    of_days = select(r.bucket).where(r.cube_set.in_(days)).distinct()
    of_hours = select(r.bucket).where(r.cube_set.in_(hours)).distinct()
    return {row[0] for row in tx.rows(of_days)} | {row[0] // 24 for row in tx.rows(of_hours)}


def _contributions(tx: Transaction, organization_id: str) -> Iterator[Contribution]:
    """What each record adds, oldest first."""
    for row in _records(tx, organization_id):
        series = Series(row.provider, row.model_id, row.currency_ or "", STATUS_NAME[row.status_])
        measures = Measures(1, row.input_tokens, row.output_tokens, row.cached_tokens or 0, row.cost_ or 0)
        yield Contribution(organization_id, row.timestamp, series, measures, row.project_id, row.user_id, row.tags)


def _records(tx: Transaction, organization_id: str) -> Iterator[Any]:
    last: Any = None
    while True:
        rows = tx.rows(_chunk(organization_id, last))
        yield from rows
        if len(rows) < _CHUNK:
            return
        last = rows[-1]


def _chunk(organization_id: str, last: Any) -> Select[Any]:
    columns = (
        u.timestamp,
        u.uid,
        u.provider,
        u.model_id,
        u.project_id,
        u.user_id,
        u.tags,
        u.input_tokens,
        u.output_tokens,
        u.cached_tokens,
        CURRENT_CURRENCY.label("currency_"),
        CURRENT_STATUS.label("status_"),
        CURRENT_COST.label("cost_"),
    )
    mine = select(*columns).select_from(WITH_LATEST).where(u.organization_id == organization_id)
    if last is not None:
        later = or_(u.timestamp > last.timestamp, and_(u.timestamp == last.timestamp, u.uid > last.uid))
        mine = mine.where(u.timestamp >= last.timestamp, later)
    return mine.order_by(u.timestamp, u.uid).limit(_CHUNK)


def _differences_of_day(
    tx: Transaction, hours: list[int], days: list[int], day: int, contributions: Iterable[Contribution]
) -> Iterator[str]:
    expected = {
        Place(cube, bucket, dimension, series): sums.astuple()
        for (_, cube, bucket, dimension, series), sums in fold(contributions).items()
        if cube == _HOURS or cube in _DAYS
    }
    stored = _stored(tx, hours, days, day)
    nothing = Measures().astuple()
    for place in sorted(expected.keys() | stored.keys()):
        should, has = expected.get(place, nothing), stored.get(place, nothing)
        if should != has:
            yield (
                f"{_described(place)}: rollup has {has}, records give {should}"
                " (requests, input, output, cached tokens, cost in 1e-10)"
            )


def _described(place: Place) -> str:
    cube = CUBE_OF_CODE[place.cube]
    of = f" of {place.dimension.kind} {place.dimension.name}={place.dimension.value!r}" if cube.dimension else ""
    return f"{cube.grain} {place.bucket}{of}, {'/'.join(place.series)}"


def _stored(tx: Transaction, hours: list[int], days: list[int], day: int) -> dict[Place, tuple[int, ...]]:
    d, s = dimension_values.c, cost_series.c
    rows = tx.rows(
        select(
            cube_sets.c.cube,
            r.bucket,
            d.kind,
            d.name,
            d.value,
            s.provider,
            s.model_id,
            s.currency,
            s.status,
            r.requests,
            r.input_tokens,
            r.output_tokens,
            r.cached_tokens,
            r.cost_e10,
        )
        .select_from(
            rollups.join(cube_sets, cube_sets.c.id == r.cube_set)
            .join(cost_series, s.id == r.series)
            .outerjoin(dimension_values, d.id == r.dimension)
        )
        .where(
            or_(
                and_(r.cube_set.in_(hours), r.bucket >= day * 24, r.bucket < day * 24 + 24),
                and_(r.cube_set.in_(days), r.bucket == day),
            )
        )
    )
    return {
        Place(
            row[0],
            row[1],
            Dimension(row[2] or "", row[3] or "", row[4] or ""),
            Series(row[5], row[6], row[7], STATUS_NAME[row[8]]),
        ): tuple(row[9:])
        for row in rows
        if any(row[9:])
    }


_SUMMED = """
SELECT m, dimension, series, sum(requests) FROM (
    SELECT {bucket} AS m, r.dimension, r.series,
        r.requests, r.input_tokens, r.output_tokens, r.cached_tokens, r.cost_e10
    FROM rollups r JOIN cube_sets f ON f.id = r.cube_set WHERE f.organization = {number} AND f.cube = {fine}
    UNION ALL
    SELECT r.bucket, r.dimension, r.series,
        -r.requests, -r.input_tokens, -r.output_tokens, -r.cached_tokens, -r.cost_e10
    FROM rollups r JOIN cube_sets f ON f.id = r.cube_set WHERE f.organization = {number} AND f.cube = {coarse}
) both_ways
GROUP BY m, dimension, series
HAVING sum(requests) <> 0 OR sum(input_tokens) <> 0 OR sum(output_tokens) <> 0
    OR sum(cached_tokens) <> 0 OR sum(cost_e10) <> 0
ORDER BY m, dimension, series LIMIT {most}
"""


def _differences_of_coarser(tx: Transaction, organization: int, fine: int, coarse: int, bucket: str) -> Iterator[str]:
    place = bucket.format(**expressions(tx))
    query = _SUMMED.format(bucket=place, number=organization, fine=fine, coarse=coarse, most=MOST)
    cube = CUBE_OF_CODE[coarse]
    for number, dimension, series, requests in tx.rows(text(query)):
        begins = f"{from_us(bucket_start_us(cube.grain, number)):%Y-%m-%d}"
        yield (
            f"{cube.grain} from {begins} of cube {cube.code} (dimension {dimension}, series {series}):"
            f" its days have {int(requests)} requests more, or other sums"
        )
