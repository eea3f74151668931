"""Time: half-open ranges of aware UTC instants, calendar buckets in any IANA zone, named presets.

Instants are stored as whole microseconds since 1970 (`_us`), which both databases order and compare exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cost_ops.domain.errors import invalid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)\Z", re.ASCII)
_BARE_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


class Granularity(StrEnum):
    """The size of a time bucket; calendar buckets follow the query's zone."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def to_us(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware datetime."""
    return (instant - EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The aware UTC datetime of a count of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with a trailing `Z`; fractions only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str, field: str) -> datetime:
    """An aware UTC datetime from RFC 3339 text with an offset.

    Raises InvalidInput (`invalid_date_format`) for a bare date, a missing offset or an impossible date.
    """
    if _BARE_DATE.match(text):
        raise invalid(
            field,
            "invalid_date_format",
            f"{field} must be an RFC 3339 time with an offset such as {text}T00:00:00Z, not a bare date",
        )
    if not _RFC3339.match(text):
        raise invalid(
            field,
            "invalid_date_format",
            f"{field} must be an RFC 3339 time with an offset such as 2025-01-01T00:00:00Z, got {text[:40]!r}",
        )
    try:
        parsed = datetime.fromisoformat(text.upper())
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(field, "invalid_date", f"{field} is not a possible date: {text[:40]!r}") from error


def parse_date_or_instant(text: str, field: str, zone: ZoneInfo) -> datetime:
    """As `parse_instant`, but a bare date is midnight in `zone` (the CLI's form)."""
    if not _BARE_DATE.match(text):
        return parse_instant(text, field)
    try:
        return midnight(date.fromisoformat(text), zone)
    except (ValueError, OverflowError) as error:
        raise invalid(field, "invalid_date", f"{field} is not a possible date: {text!r}") from error


def parse_zone(name: str, field: str = "timezone") -> ZoneInfo:
    """The IANA zone called `name`. Raises InvalidInput (`unknown_timezone`)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid(
            field, "unknown_timezone", f"{field} must be an IANA name such as Europe/Berlin, got {name[:60]!r}"
        ) from error


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range `[start, end)` of aware UTC instants; an empty or reversed one is refused."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a range that holds nothing."""
        if self.end <= self.start:
            raise invalid(
                "end_date",
                "empty_range",
                f"end_date {format_instant(self.end)} must be after start_date {format_instant(self.start)}",
            )

    @property
    def start_us(self) -> int:
        """The start in microseconds since 1970."""
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        """The end, exclusive, in microseconds since 1970."""
        return to_us(self.end)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day` in `zone`, in UTC; where midnight is skipped, the first instant after the gap."""
    naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (the zone is attached in the next line)
    return naive.replace(tzinfo=zone).astimezone(UTC)


def _first_day(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.WEEK:
        return day - timedelta(days=day.weekday())
    if granularity is Granularity.MONTH:
        return day.replace(day=1)
    return day


def _next_first_day(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.WEEK:
        return day + timedelta(days=7)
    if granularity is Granularity.MONTH:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=1)


def bucket_start(instant: datetime, granularity: Granularity, zone: ZoneInfo) -> datetime:
    """The start, in UTC, of the bucket that holds `instant`. Weeks begin on Monday (ISO 8601)."""
    local = instant.astimezone(zone)
    if granularity is Granularity.HOUR:
        return instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return midnight(_first_day(local.date(), granularity), zone)


def buckets(span: TimeRange, granularity: Granularity, zone: ZoneInfo) -> Iterator[TimeRange]:
    """The buckets that `span` touches, in order, the first and last clipped to `span`; together they are `span`."""
    start = span.start
    while start < span.end:
        end = min(_bucket_end(start, granularity, zone), span.end)
        yield TimeRange(start, end)
        start = end


def _bucket_end(instant: datetime, granularity: Granularity, zone: ZoneInfo) -> datetime:
    if granularity is Granularity.HOUR:
        end = bucket_start(instant, granularity, zone) + timedelta(hours=1)
    else:
        day = _first_day(instant.astimezone(zone).date(), granularity)
        end = midnight(_next_first_day(day, granularity), zone)
        if end <= instant:  # a clock set back over midnight repeats part of a day
            end = midnight(_next_first_day(_next_first_day(day, granularity), granularity), zone)
    return end if end > instant else instant + timedelta(hours=1)


def format_bucket(start: datetime, granularity: Granularity, zone: ZoneInfo) -> str:
    """The label of the bucket holding `start`: `2025-01`, `2025-W03`, `2025-01-15`, or a local hour with its offset."""
    local = bucket_start(start, granularity, zone).astimezone(zone)
    if granularity is Granularity.MONTH:
        return f"{start.astimezone(zone):%Y-%m}"
    if granularity is Granularity.WEEK:
        year, week, _ = start.astimezone(zone).isocalendar()
        return f"{year}-W{week:02d}"
    if granularity is Granularity.DAY:
        return f"{start.astimezone(zone):%Y-%m-%d}"
    return local.isoformat(timespec="minutes")


_ROLLING = {
    "last-hour": timedelta(hours=1),
    "last-24-hours": timedelta(hours=24),
    "last-7-days": timedelta(days=7),
    "last-30-days": timedelta(days=30),
    "last-90-days": timedelta(days=90),
}
_CALENDAR = {
    "today": ("day", 0),
    "yesterday": ("day", 1),
    "this-week": ("week", 0),
    "last-week": ("week", 1),
    "this-month": ("month", 0),
    "last-month": ("month", 1),
    "this-quarter": ("quarter", 0),
    "last-quarter": ("quarter", 1),
    "this-year": ("year", 0),
    "last-year": ("year", 1),
}
PRESETS = (*_ROLLING, *_CALENDAR)


def preset_range(name: str, *, now: datetime, zone: ZoneInfo, field: str = "range") -> TimeRange:
    """The range called `name`: `last-N-…` rolls back from `now`, the others are calendar periods in `zone`.

    Raises InvalidInput (`unknown_range`) that lists the names.
    """
    if name in _ROLLING:
        return TimeRange(now - _ROLLING[name], now)
    if name not in _CALENDAR:
        raise invalid(field, "unknown_range", f"{field} must be one of {', '.join(PRESETS)}; got {name[:40]!r}")
    unit, back = _CALENDAR[name]
    first = _period_first(now.astimezone(zone).date(), unit)
    for _ in range(back):
        first = _period_first(first - timedelta(days=1), unit)
    return TimeRange(midnight(first, zone), midnight(_period_next(first, unit), zone))


def _period_first(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    if unit == "year":
        return day.replace(month=1, day=1)
    return day


def _period_next(first: date, unit: str) -> date:
    days = {"day": 1, "week": 7, "month": 31, "quarter": 93, "year": 366}[unit]
    following = first + timedelta(days=days)
    return following if unit in ("day", "week") else _period_first(following, unit)


def previous_range(name: str, *, now: datetime, zone: ZoneInfo, field: str = "range") -> TimeRange:
    """What comes right before the range called `name`: as long for `last-N-…`, else the calendar period before."""
    span = preset_range(name, now=now, zone=zone, field=field)
    if name in _ROLLING:
        return TimeRange(span.start - _ROLLING[name], span.start)
    unit, _ = _CALENDAR[name]
    first = _period_first(span.start.astimezone(zone).date() - timedelta(days=1), unit)
    return TimeRange(midnight(first, zone), span.start)
