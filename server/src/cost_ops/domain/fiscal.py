"""Fiscal years: calendar months from any day, or months of whole weeks (4-4-5 and its kin). Dates only, no zone."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from cost_ops.domain.errors import Problem

MONTHS_A_YEAR = 12
LAST_START_DAY = 28
PATTERNS = {"4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}
_MONTH_DAY = re.compile(r"\d\d-\d\d\Z", re.ASCII)


class FiscalSpan(NamedTuple):
    """Months of a fiscal year: its number, the index of the first month (0 to 11), first day, day after the last."""

    year: int
    month: int
    first: date
    following: date


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """When a year begins, and what its months are.

    `start` is the month and the day; the day is at most 28 where the months are calendar months, which then all begin
    on that day. With a `pattern` (the weeks of the months of a quarter) the year begins on the weekday nearest to
    `start` and has 52 or 53 weeks; a 53rd week belongs to the last month.
    """

    start: tuple[int, int] = (1, 1)
    pattern: tuple[int, int, int] | None = None

    def span(self, day: date, months: int, *, weekday: int = 0) -> FiscalSpan:
        """The month, quarter or year (`months` 1, 3 or 12) that holds `day`; weeks begin on `weekday`, 0 is Monday."""
        # Moved to the nearest weekday, a year can begin in the last days of December or the first of January.
        near = range(day.year + 1, day.year - 3, -1)
        begin = next(year for year in near if self._first_day(year, weekday) <= day)
        starts = self._month_starts(begin, weekday)
        month = bisect_right(starts, day) - 1
        month -= month % months
        return FiscalSpan(self._number(begin), month, starts[month], starts[month + months])

    def _number(self, begin: int) -> int:
        """A year is called by the calendar year it ends in; one that begins on January 1st by that year."""
        return begin if self.start == (1, 1) else begin + 1

    def _first_day(self, begin: int, weekday: int) -> date:
        nominal = date(begin, *self.start)
        if self.pattern is None:
            return nominal
        return nominal + timedelta(days=(weekday - nominal.weekday() + 3) % 7 - 3)

    def _month_starts(self, begin: int, weekday: int) -> list[date]:
        """The first days of the twelve months, and that of the next year."""
        first = self._first_day(begin, weekday)
        if self.pattern is None:
            return [_months_later(first, count) for count in range(MONTHS_A_YEAR + 1)]
        weeks = accumulate((*self.pattern * 4,)[:-1], initial=0)
        return [*(first + timedelta(weeks=count) for count in weeks), self._first_day(begin + 1, weekday)]


def _months_later(day: date, count: int) -> date:
    months = day.month - 1 + count
    return day.replace(year=day.year + months // MONTHS_A_YEAR, month=months % MONTHS_A_YEAR + 1)


def read_fiscal(start: str | None, pattern: str | None, problems: list[Problem]) -> FiscalYear | None:
    """The fiscal year of a document: `04-06`, `4-4-5`; None without both. What is wrong is added to `problems`."""
    if start is None and pattern is None:
        return None
    if pattern is not None and pattern not in PATTERNS:
        message = f"fiscal_pattern must be one of {', '.join(PATTERNS)}; got {pattern[:40]!r}"
        problems.append(Problem("fiscal_pattern", "invalid_value", message))
    month, day = (1, 1) if start is None else _month_day(start, problems)
    if day > LAST_START_DAY and pattern is None:
        message = f"fiscal_year_start must have a day of 1 to {LAST_START_DAY}, which every month has; got {start!r}"
        problems.append(Problem("fiscal_year_start", "out_of_range", message))
    return FiscalYear((month, day), PATTERNS.get(pattern or ""))


def _month_day(text: str, problems: list[Problem]) -> tuple[int, int]:
    """A month and a day that every year has."""
    if _MONTH_DAY.match(text):
        try:
            day = date(2001, int(text[:2]), int(text[3:]))
        except ValueError:
            pass
        else:
            return day.month, day.day
    message = f"fiscal_year_start must be a month and a day such as 04-06, got {text[:40]!r}"
    problems.append(Problem("fiscal_year_start", "invalid_value", message))
    return 1, 1
