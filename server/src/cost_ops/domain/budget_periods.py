"""The periods of a budget: how they follow each other in a zone, what they are called, and their document.

Every instant lies in exactly one period; periods are half-open, in UTC, and begin at a local midnight; hours begin at a
local full hour, see `local_hours`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.fiscal import FiscalYear, read_fiscal
from cost_ops.domain.local_hours import hour_at
from cost_ops.domain.periods import (
    MICROSECOND,
    TimeRange,
    format_instant,
    midnight,
    parse_instant,
    parse_zone,
)

DAY = timedelta(days=1)
MAX_DAYS = 366
FIRST_YEAR, LAST_YEAR = 1900, 9000
MONDAY = date(1970, 1, 5)  # the first day of some period of days where no anchor is given


class Unit(StrEnum):
    """How long a period is."""

    HOUR = "hourly"
    DAY = "daily"
    WEEK = "weekly"
    MONTH = "monthly"
    QUARTER = "quarterly"
    YEAR = "yearly"
    DAYS = "days"
    ONCE = "once"


_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Periods:
    """How the periods of a budget follow each other.

    `days` (1 to 366) and `anchor`, the first day of some period, belong to `DAYS`; the weekday of `anchor` is the one
    on which weeks begin for `WEEK` and for fiscal years of weeks (else Monday). `fiscal` belongs to `MONTH`, `QUARTER`
    and `YEAR`; `start` and `end` (exclusive, both aware) to `ONCE`.
    """

    unit: Unit
    zone: str = "UTC"
    days: int | None = None
    anchor: date | None = None
    fiscal: FiscalYear | None = None
    start: datetime | None = None
    end: datetime | None = None

    def at(self, instant: datetime) -> TimeRange | None:
        """The period that holds `instant`; None only for `ONCE` outside of it.

        Raises InvalidInput (`out_of_range`) before the year 1900 and after the year 9000.
        """
        if self.unit is Unit.ONCE:
            whole = self._whole()
            return whole if whole.start <= instant < whole.end else None
        if not FIRST_YEAR <= instant.year <= LAST_YEAR:
            message = f"a time must lie in the years {FIRST_YEAR} to {LAST_YEAR}, got {instant.isoformat()}"
            raise invalid("timestamp", "out_of_range", message)
        zone = ZoneInfo(self.zone)
        if self.unit is Unit.HOUR:
            return hour_at(instant.astimezone(UTC), zone)
        first, following = self._span(instant.astimezone(zone).date())
        while midnight(first, zone) > instant:
            first, following = self._span(first - DAY)
        while midnight(following, zone) <= instant:  # a day the zone skipped, or part of one that it repeats
            first, following = self._span(following)
        return TimeRange(midnight(first, zone), midnight(following, zone))

    def before(self, period: TimeRange) -> TimeRange | None:
        """The period right before `period`, which is one of these; None for `ONCE`."""
        return None if self.unit is Unit.ONCE else self.at(period.start - MICROSECOND)

    def after(self, period: TimeRange) -> TimeRange | None:
        """The period right after `period`, which is one of these; None for `ONCE`."""
        return None if self.unit is Unit.ONCE else self.at(period.end)

    def label(self, period: TimeRange) -> str:
        """What people call `period`, in its zone: `2026-11`, `2026-Q4`, `FY2027-P08`, `2026-W47`, `2026-11-22T14`.

        Runs of days are `2026-11-08 to 2026-11-21`, the last day included. An hour that is repeated says its offset.
        """
        zone = ZoneInfo(self.zone)
        if self.unit is Unit.ONCE:
            return _once_label(period, zone)
        local = period.start.astimezone(zone)
        if self.unit is Unit.HOUR:
            return f"{local:%Y-%m-%dT%H}{_offset_if_repeated(local)}"
        if self.unit in _MONTHS:
            return self._month_label(local.date())
        first, following = self._span(local.date())
        if self.unit is Unit.WEEK and first.weekday() == 0:
            year, week, _ = first.isocalendar()
            return f"{year}-W{week:02d}"
        return _days_label(first, following - DAY)

    def _month_label(self, day: date) -> str:
        year, month, _, _ = (self.fiscal or FiscalYear()).span(day, _MONTHS[self.unit], weekday=self._weekday())
        named = f"{year}" if self.fiscal is None else f"FY{year}"
        if self.unit is Unit.YEAR:
            return named
        if self.unit is Unit.QUARTER:
            return f"{named}-Q{month // 3 + 1}"
        return f"{named}-{month + 1:02d}" if self.fiscal is None else f"{named}-P{month + 1:02d}"

    def _weekday(self) -> int:
        return 0 if self.anchor is None else self.anchor.weekday()

    def _whole(self) -> TimeRange:
        if self.start is None or self.end is None:
            raise invalid(
                "start_date", "missing_required_field", "start_date and end_date are required with period once"
            )
        return TimeRange(self.start, self.end)

    def _span(self, day: date) -> tuple[date, date]:
        """The first day of the period that holds the local `day`, and the first day of the next."""
        if self.unit in _MONTHS:
            span = (self.fiscal or FiscalYear()).span(day, _MONTHS[self.unit], weekday=self._weekday())
            return span.first, span.following
        length = {Unit.DAY: 1, Unit.WEEK: 7}.get(self.unit, self.days)
        if length is None:
            raise invalid("period_days", "missing_required_field", "period_days is required with period days")
        first = day - timedelta(days=(day - (self.anchor or MONDAY)).days % length)
        return first, first + timedelta(days=length)


def _offset_if_repeated(local: datetime) -> str:
    other = local.replace(fold=1 - local.fold)
    # A time that is skipped has two offsets as well, but no instant is called by it.
    return local.isoformat(timespec="seconds")[19:] if other.utcoffset() != local.utcoffset() else ""


def _days_label(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _once_label(period: TimeRange, zone: ZoneInfo) -> str:
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    if period.start == midnight(start.date(), zone) and period.end == midnight(end.date(), zone):
        return _days_label(start.date(), end.date() - DAY)
    return f"{start.isoformat(timespec='minutes')} to {end.isoformat(timespec='minutes')}"


_WORDS = {
    **{str(unit): unit for unit in Unit},
    "hour": Unit.HOUR,
    "day": Unit.DAY,
    "week": Unit.WEEK,
    "month": Unit.MONTH,
    "quarter": Unit.QUARTER,
    "year": Unit.YEAR,
    "custom": Unit.DAYS,
}
_FISCAL = frozenset({"fiscal_year_start", "fiscal_pattern", "anchor_date"})
_TAKES = {
    Unit.HOUR: frozenset[str](),
    Unit.DAY: frozenset[str](),
    Unit.WEEK: frozenset({"anchor_date"}),
    Unit.MONTH: _FISCAL,
    Unit.QUARTER: _FISCAL,
    Unit.YEAR: _FISCAL,
    Unit.DAYS: frozenset({"period_days", "anchor_date"}),
    Unit.ONCE: frozenset({"start_date", "end_date"}),
}
_NEEDS = {Unit.DAYS: ("period_days",), Unit.ONCE: ("start_date", "end_date")}
_OPTIONS = ("period_days", "anchor_date", "fiscal_year_start", "fiscal_pattern", "start_date", "end_date")
_COUNTED = re.compile(r"(\d{1,9}) ?d(?:ays?)?\Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


def read_periods(document: Mapping[str, Any], *, field: str = "") -> Periods:
    """The periods a document asks for; other fields of it are left alone, null is as good as absent.

    `period` is required: a `Unit`, `hour` to `year`, `custom` (as `days`) or a length such as `14 days` or `14d`.
    Raises InvalidInput with every problem, its fields placed under `field`.
    """
    given = {name: document[name] for name in ("period", "timezone", *_OPTIONS) if document.get(name) is not None}
    problems: list[Problem] = []
    unit = _read_unit(given, problems)
    if unit is not None:
        problems += _contradictions(unit, given)
    periods = Periods(
        unit or Unit.MONTH,
        _read_zone(given, problems),
        _read_days(given, problems),
        _read_date("anchor_date", given, problems),
        read_fiscal(_text("fiscal_year_start", given, problems), _text("fiscal_pattern", given, problems), problems),
        _read_instant("start_date", given, problems),
        _read_instant("end_date", given, problems),
    )
    if periods.start is not None and periods.end is not None and periods.end <= periods.start:
        problems.append(Problem("end_date", "empty_range", "end_date must be after start_date"))
    if problems:
        raise InvalidInput([problem.at(field) if field else problem for problem in problems])
    return periods


def periods_json(periods: Periods) -> dict[str, Any]:
    """The document that `read_periods` reads as `periods`; what is not set is left out."""
    fiscal = periods.fiscal
    fields = {
        "period": str(periods.unit),
        "timezone": periods.zone,
        "period_days": periods.days,
        "anchor_date": periods.anchor and periods.anchor.isoformat(),
        "fiscal_year_start": fiscal and f"{fiscal.start[0]:02d}-{fiscal.start[1]:02d}",
        "fiscal_pattern": fiscal and fiscal.pattern and "-".join(map(str, fiscal.pattern)),
        "start_date": periods.start and format_instant(periods.start),
        "end_date": periods.end and format_instant(periods.end),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _read_unit(given: dict[str, Any], problems: list[Problem]) -> Unit | None:
    """The unit; a length in `period` becomes `period_days`."""
    text = _text("period", given, problems)
    if text is None:
        if "period" not in given:
            problems.append(Problem("period", "missing_required_field", f"period is required: {', '.join(Unit)}"))
        return None
    if counted := _COUNTED.match(text):
        days = int(counted[1])
        if given.setdefault("period_days", days) != days:
            message = f"period is {text!r} and period_days {str(given['period_days'])[:20]!r}: give one of them"
            problems.append(Problem("period_days", "contradiction", message))
        return Unit.DAYS
    if text not in _WORDS:
        message = f"period must be one of {', '.join(Unit)} or a length such as 14 days; got {text[:40]!r}"
        problems.append(Problem("period", "invalid_value", message))
    return _WORDS.get(text)


def _contradictions(unit: Unit, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _NEEDS.get(unit, ()):
        if name not in given:
            yield Problem(name, "missing_required_field", f"{name} is required with period {unit}")
    for name in _OPTIONS:
        if name in given and name not in _TAKES[unit]:
            fitting = " or ".join(other for other in Unit if name in _TAKES[other])
            yield Problem(name, "contradiction", f"{name} goes with period {fitting}, not with {unit}")
    if unit in _MONTHS and "anchor_date" in given and "fiscal_pattern" not in given:
        message = f"anchor_date goes with period {unit} only where a fiscal_pattern is given: months have no weekday"
        yield Problem("anchor_date", "contradiction", message)


def _text(name: str, given: Mapping[str, Any], problems: list[Problem]) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        problems.append(Problem(name, "invalid_type", f"{name} must be a text"))
        return None
    return value


def _read_zone(given: Mapping[str, Any], problems: list[Problem]) -> str:
    name = _text("timezone", given, problems)
    if name is not None:
        try:
            return parse_zone(name).key
        except InvalidInput as error:
            problems += error.problems
    return "UTC"


def _read_days(given: Mapping[str, Any], problems: list[Problem]) -> int | None:
    days = given.get("period_days")
    if days is None:
        return None
    if isinstance(days, bool) or not isinstance(days, int):
        problems.append(Problem("period_days", "invalid_type", "period_days must be a whole number"))
        return None
    if not 1 <= days <= MAX_DAYS:
        problems.append(Problem("period_days", "out_of_range", f"period_days must be 1 to {MAX_DAYS}, got {days}"))
    return days


def _read_date(name: str, given: Mapping[str, Any], problems: list[Problem]) -> date | None:
    text = _text(name, given, problems)
    if text is None:
        return None
    if not _DATE.match(text):
        message = f"{name} must be a date such as 2026-01-05, got {text[:40]!r}"
        problems.append(Problem(name, "invalid_date_format", message))
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        problems.append(Problem(name, "invalid_date", f"{name} is not a possible date: {text!r}"))
        return None


def _read_instant(name: str, given: Mapping[str, Any], problems: list[Problem]) -> datetime | None:
    text = _text(name, given, problems)
    if text is None:
        return None
    try:
        instant = parse_instant(text, name)
    except InvalidInput as error:
        problems += error.problems
        return None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        message = f"{name} must lie in the years {FIRST_YEAR} to {LAST_YEAR}, got {text!r}"
        problems.append(Problem(name, "out_of_range", message))
    return instant
