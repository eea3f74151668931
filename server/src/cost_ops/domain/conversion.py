"""Summed rows in one currency: each UTC day's sums by that day's rate, shared among the rows of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from cost_ops.domain.costs import SummedRow
from cost_ops.domain.exchange import Conversion, Converted, NotConverted, RateTable, UsedRate, shared
from cost_ops.domain.periods import DAY_US, TimeRange, from_us
from cost_ops.domain.rollups import Measures


class Part(NamedTuple):
    """A piece of a slot that lies on one UTC day."""

    slot: int
    day: date
    start_us: int
    end_us: int


def parts_of(slots: Sequence[TimeRange], first_us: int, last_us: int) -> list[Part]:
    """The slots cut at every UTC midnight, in order, on the UTC days from that of the first instant to the last's."""
    least, most = first_us // DAY_US * DAY_US, (last_us // DAY_US + 1) * DAY_US
    found = []
    for number, slot in enumerate(slots):
        start, stop = max(slot.start_us, least), min(slot.end_us, most)
        while start < stop:
            end = min(stop, (start // DAY_US + 1) * DAY_US)
            found.append(Part(number, from_us(start).date(), start, end))
            start = end
    return found


_Cell = tuple[date, str, int, tuple[str | None, ...], str]
"""(day, currency, slot, values, status)."""


def convert(
    rows: Iterable[SummedRow], parts: Sequence[Part], table: RateTable, into: str
) -> tuple[list[SummedRow], Converted]:
    """Rows by part become rows by slot in one currency; usage without a price, and what has no rate, stays as it is."""
    cells: dict[_Cell, Measures] = {}
    for row in rows:
        part = parts[row.slot]
        cell = (part.day, row.currency, part.slot, row.values, row.status)
        cells.setdefault(cell, Measures()).add(row.measures)
    converted: list[SummedRow] = []
    used: dict[tuple[str, Conversion], int] = {}
    missing: dict[str, list[date]] = {}
    ordered = sorted(cells.items(), key=lambda item: (item[0][:2], _order(item[0])))
    for (day, currency), group in groupby(ordered, key=lambda item: item[0][:2]):
        found = list(group)
        rate = table.find(currency, into, day) if currency else None
        if rate is None:
            converted.extend(SummedRow(c[2], c[3], currency, c[4], sums) for c, sums in found)
            if currency:
                missing.setdefault(currency, []).append(day)
            continue
        converted.extend(_converted(found, rate.ratio, into))
        if currency != into:
            used[currency, rate] = used.get((currency, rate), 0) + 1
    told = [UsedRate(currency, rate, days) for (currency, rate), days in sorted(used.items(), key=itemgetter(0))]
    lacking = [NotConverted(c, days[0], days[-1], len(days)) for c, days in sorted(missing.items())]
    return converted, Converted(into, told, lacking)


def _order(cell: _Cell) -> tuple[int, tuple[str, ...], str]:
    """An order of cells that does not depend on how they were read; an absent value comes before every text."""
    return cell[2], tuple("" if value is None else f"\x01{value}" for value in cell[3]), cell[4]


def _converted(cells: Sequence[tuple[_Cell, Measures]], ratio: Fraction, into: str) -> Iterator[SummedRow]:
    """The cells of a day and currency, their amounts converted so that they add up to the day's converted sum."""
    amounts = shared([sums.cost_e10 for _, sums in cells], ratio)
    for (cell, sums), amount in zip(cells, amounts, strict=True):
        one = sums.copy()
        one.cost_e10 = amount
        yield SummedRow(cell[2], cell[3], into, cell[4], one)
