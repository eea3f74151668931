"""Cost questions and their answers, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.exchange import Converted
from cost_ops.domain.periods import Granularity, TimeRange, buckets, from_us
from cost_ops.domain.rollups import Measures

DIMENSIONS = ("provider", "model", "project", "user", "team", "api_key", "session", "status", "currency")
TIME_DIMENSIONS = tuple(g.value for g in Granularity)
OPERATORS = ("eq", "ne", "in", "not_in", "contains", "starts_with")
METRICS = ("cost", "requests", "input_tokens", "output_tokens", "cached_tokens", "total_tokens")
COMPARISONS = ("gt", "gte", "lt", "lte")
MAX_SLOTS = 20_000
UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Filter:
    """`dimension operator values`; a record without a value for the dimension matches only `ne` and `not_in`."""

    dimension: str
    operator: str
    values: tuple[str, ...]

    def matches(self, value: str | None) -> bool:
        """Whether a value passes."""
        if self.operator in ("eq", "in"):
            return value in self.values
        if self.operator in ("ne", "not_in"):
            return value not in self.values
        if value is None:
            return False
        if self.operator == "contains":
            return any(v.lower() in value.lower() for v in self.values)
        return any(value.startswith(v) for v in self.values)


@dataclass(frozen=True, slots=True)
class Having:
    """A bound on a metric of the grouped rows: cost in 1e-10 currency units, counts as they are."""

    metric: str
    comparison: str
    bound: int

    def holds(self, value: int) -> bool:
        """Whether a row's value is inside."""
        return {
            "gt": value > self.bound,
            "gte": value >= self.bound,
            "lt": value < self.bound,
            "lte": value <= self.bound,
        }[self.comparison]


@dataclass(frozen=True, slots=True)
class CostQuery:
    """One cost question. `group_by` holds dimensions, `tag:KEY` and time units (hour, day, week, month), any mix."""

    span: TimeRange
    zone: ZoneInfo = UTC_ZONE
    group_by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    order_by: str | None = None
    descending: bool = True
    limit: int | None = None
    from_records: bool = False
    """Answer from records alone: the slow truth that rollups are checked against."""
    display_currency: str | None = None
    """Convert amounts into this currency, each UTC day's by its own rate; bounds on cost are then in it."""

    @property
    def granularity(self) -> Granularity | None:
        """The finest time unit asked for."""
        found = [g for g in Granularity if g.value in self.group_by]
        return found[0] if found else None

    @property
    def plain_dimensions(self) -> tuple[str, ...]:
        """What is grouped by beside time."""
        return tuple(d for d in self.group_by if d not in TIME_DIMENSIONS)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All dimensions that must be known to answer: grouped by or filtered on."""
        return tuple(dict.fromkeys((*self.plain_dimensions, *(f.dimension for f in self.filters))))

    def slots(self) -> list[TimeRange]:
        """The stretches of time that are told apart, in order. Raises InvalidInput where they are too many."""
        if self.granularity is None:
            return [self.span]
        found: list[TimeRange] = []
        for bucket in buckets(self.span, self.granularity, self.zone):
            found.append(bucket)
            if len(found) > MAX_SLOTS:
                raise invalid(
                    "group_by",
                    "too_many_buckets",
                    f"more than {MAX_SLOTS} buckets; use a coarser unit or a shorter range",
                )
        return found


def check_dimension(name: str, field_name: str) -> Problem | None:
    """A problem where `name` is not something to group by or filter on."""
    if name in DIMENSIONS or (name.startswith("tag:") and 4 < len(name) <= 132):
        return None
    known = ", ".join((*DIMENSIONS, *TIME_DIMENSIONS, "tag:KEY"))
    return Problem(field_name, "unknown_dimension", f"{field_name} must be of {known}; got {name[:60]!r}")


def check_group_by(names: Sequence[str]) -> tuple[str, ...]:
    """`names` without repetition. Raises InvalidInput naming every unknown one."""
    problems = [
        problem
        for name in names
        if name not in TIME_DIMENSIONS and (problem := check_dimension(name, "group_by")) is not None
    ]
    if problems:
        raise InvalidInput(problems)
    return tuple(dict.fromkeys(names))


class SummedRow(NamedTuple):
    """What storage gives back: one slot, the values of the plain dimensions in query order, and sums."""

    slot: int
    values: tuple[str | None, ...]
    currency: str
    status: str
    measures: Measures


class StatusSum(NamedTuple):
    """The part of a row whose costs have one status."""

    status: str
    requests: int
    cost_e10: int


@dataclass(slots=True)
class CostRow:
    """One line of an answer. `group` holds the values of `group_by` in order; costs in 1e-10 units of `currency`.

    `currency` is empty where nothing in the row has a price. `unpriced_requests` have no known cost and are in no sum
    of money.
    """

    group: tuple[str | None, ...]
    currency: str
    cost_e10: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated_cost_e10: int = 0
    estimated_requests: int = 0
    reported_cost_e10: int = 0
    invoiced_cost_e10: int = 0
    unpriced_requests: int = 0
    reported_requests: int = 0
    invoiced_requests: int = 0

    def add(self, status: str, sums: Measures) -> None:
        """Add sums of records that have this status."""
        self.requests += sums.requests
        self.input_tokens += sums.input_tokens
        self.output_tokens += sums.output_tokens
        self.cached_tokens += sums.cached_tokens
        self.cost_e10 += sums.cost_e10
        if status == "computed":
            return
        if status == "unpriced":
            self.unpriced_requests += sums.requests
        elif status == "estimated":
            self.estimated_cost_e10 += sums.cost_e10
            self.estimated_requests += sums.requests
        elif status == "reported":
            self.reported_cost_e10 += sums.cost_e10
            self.reported_requests += sums.requests
        elif status == "invoiced":
            self.invoiced_cost_e10 += sums.cost_e10
            self.invoiced_requests += sums.requests

    def by_status(self) -> list[StatusSum]:
        """The row split by how sure its costs are, best first; what is neither of the others is computed."""
        sure = StatusSum("invoiced", self.invoiced_requests, self.invoiced_cost_e10)
        told = StatusSum("reported", self.reported_requests, self.reported_cost_e10)
        assumed = StatusSum("estimated", self.estimated_requests, self.estimated_cost_e10)
        unknown = StatusSum("unpriced", self.unpriced_requests, 0)
        others = (sure, told, assumed, unknown)
        computed = StatusSum(
            "computed",
            self.requests - sum(part.requests for part in others),
            self.cost_e10 - sum(part.cost_e10 for part in others),
        )
        return [part for part in (sure, told, computed, assumed, unknown) if part.requests]

    def metric(self, name: str) -> int:
        """The value of a metric: cost in 1e-10 units, or a count."""
        if name == "cost":
            return self.cost_e10
        if name == "total_tokens":
            return self.input_tokens + self.output_tokens
        return int(getattr(self, name))


@dataclass(frozen=True, slots=True)
class CostReport:
    """The answer to a CostQuery: totals per currency (never mixed), and rows where grouping was asked for."""

    query: CostQuery
    totals: tuple[CostRow, ...]
    rows: tuple[CostRow, ...]
    row_count: int
    """Rows before `limit`."""
    data_through: datetime | None = None
    sources: tuple[str, ...] = field(default=())
    """What answered: names of rollup grains, `records`."""
    converted: Converted | None = None
    """How amounts came to be in the display currency, where one was asked for."""
    original_totals: tuple[CostRow, ...] = ()
    """The totals before the conversion."""


def data_through(timestamp_us: int | None) -> datetime | None:
    """The newest usage known, as an instant."""
    return None if timestamp_us is None else from_us(timestamp_us)
