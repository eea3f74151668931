"""Which budgets a record counts for, and what it adds to each: looked up, not searched, for every record that comes in.

A budget stands under one value of one of its dimensions, the one that leaves out most; a record looks under its own
values. What a set of values leads to is remembered: records of one feature come again and again. Most budgets are about
one dimension: for them records are added up by value and quarter of an hour first, and only the sums are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cost_ops.domain.budgets import Budget
from cost_ops.domain.periods import DAY_US, from_us, to_us
from cost_ops.domain.rollups import Contribution

_SELECTIVE = ("user", "api_key", "project", "tag", "team", "model", "provider")
_REMEMBERED = 20_000
QUARTER_US = 900_000_000
"""A quarter of an hour: the boundaries of periods fall on one in every zone of our time."""

_QUARTERS_A_DAY = 96
_PLACES = {"project": 4, "user": 5, "team": 7, "api_key": 8}
"""Where a contribution has its value of a dimension."""


class SpendKey(NamedTuple):
    """Where an amount is added: a budget's number, its period's start, the UTC day since 1970, the currency.

    The currency is empty for usage without a price: of it only the requests are known.
    """

    number: int
    period_start_us: int
    day: int
    currency: str


Moves = dict[SpendKey, tuple[int, int]]
"""(cost in 1e-10 units, requests) to add; negative where a correction takes away."""


class Watched:
    """A budget as records are held against it. It remembers the period it was last asked for."""

    __slots__ = ("_from_us", "_period", "_to_us", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        start = budget.counted_from
        if budget.effective_from is not None:
            start = max(start, budget.effective_from)
        self._from_us = to_us(start)
        self._to_us = None if budget.effective_to is None else to_us(budget.effective_to)
        self._period = (0, 0)

    @property
    def even(self) -> bool:
        """Whether a quarter of an hour lies in one period as a whole, and wholly in force or not at all."""
        periods = self.budget.periods
        instants = [self._from_us, self._to_us or 0]
        instants += [to_us(one) for one in (periods.start, periods.end) if one is not None]
        offset = self.budget.counted_from.astimezone(ZoneInfo(periods.zone)).utcoffset() or timedelta(0)
        return not any(us % QUARTER_US for us in instants) and not offset % timedelta(minutes=15)

    def period_start_us(self, timestamp_us: int) -> int | None:
        """The start of the period that an instant counts in; None where it counts in none."""
        if timestamp_us < self._from_us or (self._to_us is not None and timestamp_us >= self._to_us):
            return None
        start_us, end_us = self._period
        if start_us <= timestamp_us < end_us:
            return start_us
        period = self.budget.periods.at(from_us(timestamp_us))
        if period is None:
            return None
        self._period = (period.start_us, period.end_us)
        return period.start_us


class BudgetIndex:
    """The budgets of an organisation, by what they are about."""

    def __init__(self, budgets: Iterable[Budget]) -> None:
        """Index budgets that have not ended."""
        watched = [Watched(budget) for budget in budgets if budget.ended_at is None]
        self.by_number: dict[int, Budget] = {one.budget.number: one.budget for one in watched}
        simple = [one for one in watched if len(one.budget.scope.only) <= 1 and one.even]
        known = {one.budget.number for one in simple}
        self._all = _Lookup(watched)
        self._rest = _Lookup([one for one in watched if one.budget.number not in known])
        self._simple = _Groups(simple)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.by_number)

    def matching(self, value_of: Callable[[str], str | None]) -> Sequence[Watched]:
        """The budgets whose scope holds usage; `value_of` tells its value of a dimension."""
        return self._all.of(tuple(map(value_of, self._all.dimensions)))

    def moves(self, contributions: Sequence[Contribution]) -> Moves:
        """What records add to the budgets they count for."""
        found: dict[SpendKey, list[int]] = {}
        self._simple.add(contributions, found)
        if self._rest:
            self._rest.add(contributions, found)
        return {key: (cost, requests) for key, (cost, requests) in found.items() if cost or requests}


class _Groups:
    """Budgets about one dimension, or about everything: those about the same value are one group."""

    def __init__(self, budgets: Iterable[Watched]) -> None:
        self._members: list[list[Watched]] = []
        self._everything: int | None = None
        self._tables: dict[str, dict[str, int]] = {}
        for watched in budgets:
            if not watched.budget.scope.only:
                self._everything = self._joined(self._everything, watched)
                continue
            ((dimension, values),) = watched.budget.scope.only
            table = self._tables.setdefault(dimension, {})
            for value in values:
                table[value] = self._joined(table.get(value), watched)
        self._placed = [(_PLACES[name], table) for name, table in self._tables.items() if name in _PLACES]
        self._providers = self._tables.get("provider")
        self._models = self._tables.get("model")
        self._tags = {name[4:]: table for name, table in self._tables.items() if name.startswith("tag:")}

    def _joined(self, number: int | None, watched: Watched) -> int:
        """The number of a group that a budget is put into; a new one where there is none yet."""
        if number is None:
            number = len(self._members)
            self._members.append([])
        self._members[number].append(watched)
        return number

    def add(self, contributions: Iterable[Contribution], found: dict[SpendKey, list[int]]) -> None:
        """Add what records contribute."""
        if not self._members:
            return
        sums: dict[tuple[int, int, str], list[int]] = {}
        for contribution in contributions:
            quarter, currency = contribution.timestamp_us // QUARTER_US, contribution.series.currency
            measures = contribution.measures
            cost, requests = measures.cost_e10, measures.requests
            for number in self._of(contribution):
                key = (number, quarter, currency)
                known = sums.get(key)
                if known is None:
                    sums[key] = [cost, requests]
                else:
                    known[0] += cost
                    known[1] += requests
        for (number, quarter, currency), (cost, requests) in sums.items():
            for watched in self._members[number]:
                start_us = watched.period_start_us(quarter * QUARTER_US)
                if start_us is not None:
                    day = quarter // _QUARTERS_A_DAY
                    _add(found, SpendKey(watched.budget.number, start_us, day, currency), cost, requests)

    def _of(self, contribution: Contribution) -> list[int]:
        """The groups that a record counts for."""
        found = [] if self._everything is None else [self._everything]
        for place, table in self._placed:
            number = table.get(contribution[place])  # type: ignore[arg-type]
            if number is not None:
                found.append(number)
        if self._models is not None and (number := self._models.get(contribution.series.model_id)) is not None:
            found.append(number)
        if self._providers is not None and (number := self._providers.get(contribution.series.provider)) is not None:
            found.append(number)
        if self._tags and contribution.tags:
            for name, value in contribution.tags.items():
                if (values := self._tags.get(name)) is not None and (number := values.get(value)) is not None:
                    found.append(number)
        return found


class _Lookup:
    """Budgets of any scope, found by all values of a record at once."""

    def __init__(self, budgets: Iterable[Watched]) -> None:
        self._everywhere: list[Watched] = []
        self._under: dict[tuple[str, str], list[Watched]] = {}
        dimensions: set[str] = set()
        for watched in budgets:
            only = watched.budget.scope.only
            if not only:
                self._everywhere.append(watched)
                continue
            dimensions.update(dimension for dimension, _ in only)
            dimension, values = min(only, key=lambda one: _SELECTIVE.index(one[0].partition(":")[0]))
            for value in values:
                self._under.setdefault((dimension, value), []).append(watched)
        self.dimensions = tuple(sorted(dimensions))
        self._known: dict[tuple[str | None, ...], Sequence[Watched]] = {}

    def __bool__(self) -> bool:
        return bool(self._everywhere or self._under)

    def of(self, key: tuple[str | None, ...]) -> Sequence[Watched]:
        """The budgets of usage with these values of `dimensions`."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._found(dict(zip(self.dimensions, key, strict=True)))
        return found

    def _found(self, values: Mapping[str, str | None]) -> Sequence[Watched]:
        found = list(self._everywhere)
        for dimension, value in values.items():
            if value is not None:
                under = self._under.get((dimension, value), ())
                found += [watched for watched in under if watched.budget.scope.covers(values.get)]
        return tuple(found)

    def add(self, contributions: Iterable[Contribution], found: dict[SpendKey, list[int]]) -> None:
        """Add what records contribute, one by one."""
        for contribution in contributions:
            timestamp_us, measures = contribution.timestamp_us, contribution.measures
            day, currency = timestamp_us // DAY_US, contribution.series.currency
            for watched in self.of(tuple(_value_of(contribution, name) for name in self.dimensions)):
                start_us = watched.period_start_us(timestamp_us)
                if start_us is not None:
                    key = SpendKey(watched.budget.number, start_us, day, currency)
                    _add(found, key, measures.cost_e10, measures.requests)


def _value_of(contribution: Contribution, dimension: str) -> str | None:
    place = _PLACES.get(dimension)
    if place is not None:
        value: str | None = contribution[place]  # type: ignore[assignment]
        return value or None
    if dimension in ("model", "provider"):
        return contribution.series.model_id if dimension == "model" else contribution.series.provider
    return (contribution.tags or {}).get(dimension[4:])


def _add(found: dict[SpendKey, list[int]], key: SpendKey, cost_e10: int, requests: int) -> None:
    known = found.get(key)
    if known is None:
        found[key] = [cost_e10, requests]
    else:
        known[0] += cost_e10
        known[1] += requests
