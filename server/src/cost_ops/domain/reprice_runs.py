"""A re-pricing as a value: what was asked for, how far it is, and what it makes of the costs, by model and day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from cost_ops.domain.costs import Filter
from cost_ops.domain.periods import DAY_US, TimeRange, format_instant, from_us, parse_instant
from cost_ops.domain.repricing import CostedUsage, Kept, NewCost

STALE_AFTER = timedelta(seconds=60)
"""A run that has not written a page for so long is taken to have died: a page takes about a second."""

DIMENSIONS = ("provider", "model", "project", "status")
"""What a re-pricing can be limited to."""


@dataclass(frozen=True, slots=True)
class RepriceRequest:
    """Which records to cost again. `reason` stands in every cost row; `unprice` takes costs whose price is gone."""

    span: TimeRange
    filters: tuple[Filter, ...] = ()
    reason: str = "re-priced"
    unprice: bool = False

    @property
    def stored_filters(self) -> tuple[Filter, ...]:
        """The filters that rows are searched by."""
        return tuple(f for f in self.filters if f.dimension != "status")

    def wants(self, usage: CostedUsage) -> bool:
        """Whether the record's current status is asked for."""
        return all(f.matches(usage.status) for f in self.filters if f.dimension == "status")

    def to_json(self) -> dict[str, Any]:
        """The request as it is kept."""
        return {
            "start": format_instant(self.span.start),
            "end": format_instant(self.span.end),
            "filters": [{"dimension": f.dimension, "op": f.operator, "values": list(f.values)} for f in self.filters],
            "reason": self.reason,
            "unprice": self.unprice,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> RepriceRequest:
        """The request that `to_json` wrote."""
        span = TimeRange(parse_instant(kept["start"], "start"), parse_instant(kept["end"], "end"))
        filters = tuple(Filter(f["dimension"], f["op"], tuple(f["values"])) for f in kept["filters"])
        return cls(span, filters, kept["reason"], kept["unprice"])


@dataclass(slots=True)
class Tally:
    """What was looked at so far, and the sums of it before and after, by currency in 1e-10 units.

    `final` costs are not ours to change; `no_price` are records that keep a cost whose price is gone.
    """

    examined: int = 0
    changed: int = 0
    final: int = 0
    no_price: int = 0
    before_e10: dict[str, int] = field(default_factory=dict)
    after_e10: dict[str, int] = field(default_factory=dict)

    def add(self, usage: CostedUsage, found: NewCost | Kept) -> None:
        """Count a record."""
        self.examined += 1
        after: CostedUsage | NewCost = usage
        if isinstance(found, NewCost):
            self.changed += 1
            after = found
        elif found is Kept.FINAL:
            self.final += 1
        elif found is Kept.NO_PRICE:
            self.no_price += 1
        if usage.cost_e10 is not None:
            currency = usage.currency or ""
            self.before_e10[currency] = self.before_e10.get(currency, 0) + usage.cost_e10
        if after.cost_e10 is not None:
            currency = after.currency or ""
            self.after_e10[currency] = self.after_e10.get(currency, 0) + after.cost_e10

    def to_json(self) -> dict[str, Any]:
        """The counts and sums as they are kept."""
        return {
            "examined": self.examined,
            "changed": self.changed,
            "final": self.final,
            "no_price": self.no_price,
            "before_e10": dict(self.before_e10),
            "after_e10": dict(self.after_e10),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Tally:
        """The tally that `to_json` wrote."""
        return cls(
            kept["examined"],
            kept["changed"],
            kept["final"],
            kept["no_price"],
            dict(kept["before_e10"]),
            dict(kept["after_e10"]),
        )


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


class Reach(NamedTuple):
    """How far a run goes and has come, in microseconds since 1970; `uid` is that of the last record done."""

    first_us: int
    last_us: int
    done_us: int | None = None
    uid: int | None = None

    @property
    def share(self) -> tuple[int, int]:
        """(done, whole): the stretch of time that is done, and all of it."""
        whole = max(self.last_us - self.first_us, 1)
        return (0 if self.done_us is None else min(max(self.done_us - self.first_us, 0), whole)), whole


@dataclass(frozen=True, slots=True)
class RepriceRun:
    """A real re-pricing of one organisation. `holder` is who works on it: a random number that a page checks."""

    number: int
    organization_id: str
    request: RepriceRequest
    status: RunStatus
    reach: Reach
    tally: Tally
    holder: int
    books: tuple[int, int]
    """The versions of the price book that the first and the newest page were costed by."""

    actor: str
    created_at: datetime
    updated_at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether somebody works on it, as far as can be told."""
        return self.status is RunStatus.RUNNING and now - self.updated_at < STALE_AFTER

    def progress_to_json(self) -> dict[str, Any]:
        """Everything that changes while it runs."""
        return {"reach": list(self.reach), "tally": self.tally.to_json(), "holder": self.holder, "books": self.books}

    def with_progress(self, kept: Mapping[str, Any]) -> RepriceRun:
        """The run with what `progress_to_json` wrote."""
        return replace(
            self,
            reach=Reach(*kept["reach"]),
            tally=Tally.from_json(kept["tally"]),
            holder=kept["holder"],
            books=(kept["books"][0], kept["books"][1]),
        )


class DifferenceKey(NamedTuple):
    """A row of a difference: a UTC day counted since 1970, a model, a currency."""

    day: int
    provider: str
    model_id: str
    currency: str


class DifferenceRow(NamedTuple):
    """What changes for one model on one day in one currency."""

    day: datetime
    provider: str
    model_id: str
    currency: str
    records: int
    before_e10: int
    after_e10: int

    @property
    def difference_e10(self) -> int:
        """How much more it is afterwards."""
        return self.after_e10 - self.before_e10


class Difference:
    """Changed records by model and day. One that changes its currency counts in both rows."""

    def __init__(self) -> None:
        """Nothing has changed yet."""
        self._sums: dict[DifferenceKey, list[int]] = {}

    def add(self, usage: CostedUsage, new: NewCost) -> None:
        """Count a changed record."""
        day = usage.timestamp_us // DAY_US
        currencies = {c for c in (usage.currency, new.currency) if c}
        for currency in currencies:
            key = DifferenceKey(day, usage.provider, usage.model_id, currency)
            sums = self._sums.setdefault(key, [0, 0, 0])
            sums[0] += 1
            if usage.currency == currency:
                sums[1] += usage.cost_e10 or 0
            if new.currency == currency:
                sums[2] += new.cost_e10 or 0

    def rows(self) -> list[DifferenceRow]:
        """By day, provider, model and currency."""
        return [
            DifferenceRow(from_us(key.day * DAY_US), key.provider, key.model_id, key.currency, *sums)
            for key, sums in sorted(self._sums.items())
        ]


class DryRun(NamedTuple):
    """What a re-pricing would do: counts and sums of all that it looked at, and the rows that change."""

    tally: Tally
    rows: Sequence[DifferenceRow]


def by_model(rows: Iterable[DifferenceRow]) -> list[DifferenceRow]:
    """The same with the days of a model summed, each at its first day; the largest difference first."""
    found: dict[tuple[str, str, str], DifferenceRow] = {}
    for row in rows:
        key = (row.provider, row.model_id, row.currency)
        seen = found.get(key)
        found[key] = (
            row
            if seen is None
            else seen._replace(
                records=seen.records + row.records,
                before_e10=seen.before_e10 + row.before_e10,
                after_e10=seen.after_e10 + row.after_e10,
            )
        )
    return sorted(found.values(), key=lambda row: (-abs(row.difference_e10), row[1:4]))
