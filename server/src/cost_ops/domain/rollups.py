"""Rollups: sums kept beside the records, folded in the same transaction, and the plan of which ones answer a question.

A cube is one way of summing: a grain of time (UTC hour, day or month) and at most one dimension beside the series. A
series is (provider, model, currency, status); cubes that leave the model out have it empty. The promise is that an
answer from cubes equals the answer from records, so a plan covers a range exactly: whole months, days and hours from
cubes, the rest from records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from cost_ops.domain.periods import DAY_US, HOUR_US, from_us, to_us
from cost_ops.domain.usage import Quantity, cached_tokens, token_totals


class Grain(StrEnum):
    """A UTC calendar unit that sums are kept in."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Cube:
    """One way of summing. `code` is what databases store; codes never change."""

    code: int
    dimension: str | None
    grain: Grain
    by_model: bool


CUBES: tuple[Cube, ...] = (
    Cube(1, None, Grain.HOUR, True),
    Cube(2, None, Grain.DAY, True),
    Cube(3, None, Grain.MONTH, True),
    Cube(4, "project", Grain.DAY, True),
    Cube(5, "project", Grain.MONTH, True),
    Cube(6, "user", Grain.DAY, False),
    Cube(7, "user", Grain.MONTH, False),
    Cube(8, "tag", Grain.DAY, False),
    Cube(9, "tag", Grain.MONTH, False),
    Cube(10, "user", Grain.WEEK, False),
)
CUBE_OF_CODE = {cube.code: cube for cube in CUBES}


class Series(NamedTuple):
    """What sums are split by in every cube; provider and model are empty where the cube leaves them out."""

    provider: str
    model_id: str
    currency: str
    status: str


class Dimension(NamedTuple):
    """A value of a cube's dimension; `name` is the tag's key, empty for projects and users.

    An empty `value` of a project or user stands for records without one. Records without a tag have no row: they are
    the rest between the tag's sums and the cube without a dimension.
    """

    kind: str
    name: str
    value: str


NO_DIMENSION = Dimension("", "", "")


RollupKey = tuple[str, int, int, Dimension, Series]
"""(organisation, cube code, bucket, dimension, series): the row that a sum belongs to.

A bucket counts UTC hours, days or weeks since 1970, or months since year 0. A plain tuple: a record makes several.
"""


class Measures:
    """The sums of one rollup row, mutable while folding. Tokens are inclusive; cost in 1e-10 currency units."""

    __slots__ = ("cached_tokens", "cost_e10", "input_tokens", "output_tokens", "requests")

    def __init__(
        self,
        requests: int = 0,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
        cost_e10: int = 0,
    ) -> None:
        """Start from the given sums."""
        self.requests = requests
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cached_tokens = cached_tokens
        self.cost_e10 = cost_e10

    def add(self, other: Measures) -> None:
        """Add another row's sums."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cached_tokens += other.cached_tokens
        self.cost_e10 += other.cost_e10

    def subtract(self, other: Measures) -> None:
        """Take another row's sums away."""
        self.requests -= other.requests
        self.input_tokens -= other.input_tokens
        self.output_tokens -= other.output_tokens
        self.cached_tokens -= other.cached_tokens
        self.cost_e10 -= other.cost_e10

    def copy(self) -> Measures:
        """The same sums, to be added to on their own."""
        return Measures(self.requests, self.input_tokens, self.output_tokens, self.cached_tokens, self.cost_e10)

    @property
    def is_nothing(self) -> bool:
        """Whether all sums are zero."""
        return not (self.requests or self.cost_e10 or self.input_tokens or self.output_tokens or self.cached_tokens)

    def astuple(self) -> tuple[int, int, int, int, int]:
        """(requests, input_tokens, output_tokens, cached_tokens, cost_e10)."""
        return self.requests, self.input_tokens, self.output_tokens, self.cached_tokens, self.cost_e10

    def __eq__(self, other: object) -> bool:
        """Equal sums."""
        return isinstance(other, Measures) and self.astuple() == other.astuple()

    def __repr__(self) -> str:
        """The five sums."""
        return f"Measures{self.astuple()}"

    __hash__ = None  # type: ignore[assignment]


def measure(quantities: Mapping[str, Quantity], cost_e10: int, sign: int = 1) -> Measures:
    """The sums of one record; with sign -1, what a superseded cost of it takes away."""
    sent, received = token_totals(quantities)
    cached = cached_tokens(quantities)
    return Measures(sign, sign * sent, sign * received, sign * cached, cost_e10)


class Contribution(NamedTuple):
    """What one record adds to the rollups; with negative measures, what a superseded cost takes away."""

    organization_id: str
    timestamp_us: int
    series: Series
    measures: Measures
    project_id: str | None
    user_id: str | None
    tags: Mapping[str, str] | None
    team_id: str | None = None
    api_key_id: str | None = None


@lru_cache(maxsize=4096)
def month_of_day(day: int) -> int:
    """The month (counted since year 0) of a UTC day counted since 1970."""
    instant = from_us(day * DAY_US)
    return instant.year * 12 + instant.month - 1


_MONDAY_OFFSET = 3
"""1970 began on a Thursday, three days after a Monday."""


def week_of_day(day: int) -> int:
    """The week, beginning on Monday, of a UTC day counted since 1970; week 0 holds the first of January 1970."""
    return (day + _MONDAY_OFFSET) // 7


def month_start_us(month: int) -> int:
    """The first instant of a month counted since year 0, in microseconds since 1970."""
    return to_us(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))


def bucket_of(grain: Grain, timestamp_us: int) -> int:
    """The bucket of a grain that holds an instant."""
    if grain is Grain.HOUR:
        return timestamp_us // HOUR_US
    day = timestamp_us // DAY_US
    if grain is Grain.DAY:
        return day
    return week_of_day(day) if grain is Grain.WEEK else month_of_day(day)


def bucket_start_us(grain: Grain, bucket: int) -> int:
    """The first instant of a bucket, in microseconds since 1970."""
    if grain is Grain.HOUR:
        return bucket * HOUR_US
    if grain is Grain.WEEK:
        return (bucket * 7 - _MONDAY_OFFSET) * DAY_US
    return bucket * DAY_US if grain is Grain.DAY else month_start_us(bucket)


Folded = dict[RollupKey, Measures]


@lru_cache(maxsize=65536)
def _without_model(currency: str, status: str) -> Series:
    return Series("", "", currency, status)


@lru_cache(maxsize=65536)
def _dimension(kind: str, name: str, value: str) -> Dimension:
    return Dimension(kind, name, value)


def fold(contributions: Iterable[Contribution]) -> Folded:
    """The sums to add to each rollup row. Order does not matter; rows that come out as nothing are left out."""
    fine: Folded = {}
    for organization_id, timestamp_us, series, measures, project_id, user_id, tags, _, _ in contributions:
        day = timestamp_us // DAY_US
        project, user = _dimension("project", "", project_id or ""), _dimension("user", "", user_id or "")
        plain = _without_model(series.currency, series.status)
        _add(fine, (organization_id, 1, timestamp_us // HOUR_US, NO_DIMENSION, series), measures)
        _add(fine, (organization_id, 4, day, project, series), measures)
        _add(fine, (organization_id, 6, day, user, plain), measures)
        if tags:
            for name, value in tags.items():
                _add(fine, (organization_id, 8, day, _dimension("tag", name, value), plain), measures)
    return {key: sums for key, sums in _with_coarser(fine).items() if not sums.is_nothing}


_COARSER: dict[int, tuple[tuple[int, Callable[[int], int]], ...]] = {
    4: ((5, month_of_day),),
    6: ((7, month_of_day), (10, week_of_day)),
    8: ((9, month_of_day),),
}
"""Cube by day → the cubes summed from it, with the bucket of a day in each."""


def _with_coarser(fine: Folded) -> Folded:
    """The same with days summed from hours, weeks and months summed from days."""
    out = dict(fine)
    for (organization_id, cube, bucket, dimension, series), sums in fine.items():
        if cube == 1:
            day = bucket // 24
            _add(out, (organization_id, 2, day, dimension, series), sums)
            _add(out, (organization_id, 3, month_of_day(day), dimension, series), sums)
        else:
            for coarser, bucket_of_day in _COARSER[cube]:
                _add(out, (organization_id, coarser, bucket_of_day(bucket), dimension, series), sums)
    return out


def _add(folded: Folded, key: RollupKey, measures: Measures) -> None:
    found = folded.get(key)
    if found is None:
        folded[key] = measures.copy()
    else:
        found.add(measures)


class Window(NamedTuple):
    """A stretch `[start, end)` that goes into one slot of the answer: buckets of a cube, or microseconds of records."""

    start: int
    end: int
    slot: int


class Read(NamedTuple):
    """One statement of a plan: windows read from a cube, or from records where `cube` is None."""

    cube: Cube | None
    windows: tuple[Window, ...]


def cubes_for(dimensions: Sequence[str]) -> tuple[Cube, ...]:
    """The cubes, coarse to fine, that know all of `dimensions` (names as in a query); empty where only records do."""
    wanted = set(dimensions) - {"status", "currency"}
    by_model = bool(wanted & {"provider", "model"})
    special = {"tag" if name.startswith("tag:") else name for name in wanted - {"provider", "model"}}
    tag_keys = {name for name in wanted if name.startswith("tag:")}
    if len(special) > 1 or len(tag_keys) > 1 or not special <= {"project", "user", "tag"}:
        return ()
    dimension = next(iter(special), None)
    found = [c for c in CUBES if c.dimension == dimension and (c.by_model or not by_model)]
    order = [Grain.MONTH, Grain.WEEK, Grain.DAY, Grain.HOUR]
    return tuple(sorted(found, key=lambda c: order.index(c.grain)))


def plan(slots: Sequence[tuple[int, int]], cubes: Sequence[Cube]) -> tuple[Read, ...]:
    """The reads that cover the slots exactly: slot i is `[start_us, end_us)`; `cubes` run from coarse to fine."""
    windows: dict[Cube | None, list[Window]] = {}
    for slot, (start_us, end_us) in enumerate(slots):
        for cube, start, end in _cover(start_us, end_us, cubes):
            found = windows.setdefault(cube, [])
            if found and found[-1].slot == slot and found[-1].end == start:
                found[-1] = Window(found[-1].start, end, slot)
            else:
                found.append(Window(start, end, slot))
    return tuple(Read(cube, tuple(sorted(found))) for cube, found in windows.items())


def _cover(start_us: int, end_us: int, cubes: Sequence[Cube]) -> Iterator[tuple[Cube | None, int, int]]:
    if start_us >= end_us:
        return
    if not cubes:
        yield None, start_us, end_us
        return
    cube, finer = cubes[0], cubes[1:]
    first = bucket_of(cube.grain, start_us)
    if bucket_start_us(cube.grain, first) < start_us:
        first += 1
    last = bucket_of(cube.grain, end_us)
    if first >= last:
        yield from _cover(start_us, end_us, finer)
        return
    yield from _cover(start_us, bucket_start_us(cube.grain, first), finer)
    yield cube, first, last
    yield from _cover(bucket_start_us(cube.grain, last), end_us, finer)
