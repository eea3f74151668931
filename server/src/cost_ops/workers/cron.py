"""When a cron expression fires, in any time zone.

cronsim reads the expression and knows its days; walking through time is ours, as cronsim 2.8 skips runs around the
half-hour changes of Lord Howe and never comes back from a change at a quarter to three in the Chatham Islands. The
rules are those of Debian's cron:

- Where minute and hour are both stated (they do not begin with a star) the job belongs to the wall clock. A time that
  the clock skips fires right after the gap; one that comes twice fires the first time; each fires once.
- Otherwise the job follows real time: it fires in every minute whose wall time matches, twice if that comes twice, not
  at all if it is skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_FIELDS = 5
_QUARTER = 15
_LOOK_BACK = (timedelta(hours=3), timedelta(days=3), timedelta(days=70), timedelta(days=800), timedelta(days=3_000))


class Cron:
    """A schedule: five fields (minute, hour, day of month, month, day of week), and the zone of its wall clock."""

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        """Raises ValueError where it is no expression, ZoneInfoNotFoundError (a KeyError) where it is no zone."""
        parts = expression.split()
        try:
            self._fields = CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 (only its fields are used)
        except CronSimError as error:
            raise ValueError(f"{expression!r} is no cron expression: {error}") from error
        if len(parts) != _FIELDS:
            raise ValueError(f"{expression!r} has {len(parts)} fields; minute, hour, day, month and weekday are needed")
        self.expression = expression
        self.zone = ZoneInfo(zone)
        self._by_the_clock = not parts[0].startswith("*") and not parts[1].startswith("*")
        self._steps = [_to_next(minute, self._fields.minutes) for minute in range(60)]

    def explain(self) -> str:
        """The expression in words."""
        return self._fields.explain()

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every instant after this one at which it fires, in UTC, in order; endless, or empty where none comes."""
        return self._wall_times(instant) if self._by_the_clock else self._real_minutes(instant)

    def latest(self, now: datetime) -> datetime | None:
        """The last instant up to `now` at which it fired; None where that is years ago."""
        for span in _LOOK_BACK:
            last = None
            for found in self.after(now - span):
                if found > now:
                    break
                last = found
            if last is not None:
                return last
        return None

    def _days(self, first: date) -> Iterator[date]:
        """Every day that matches, from `first` on, as far as the calendar goes."""
        day = first
        last = date(min(first.year + 60, date.max.year), 1, 1)
        while day < last:
            if day.month in self._fields.months and self._fields.match_day(day):
                yield day
            day += _DAY

    def _wall_times(self, instant: datetime) -> Iterator[datetime]:
        newest = instant
        for day in self._days(instant.astimezone(self.zone).date() - _DAY):
            for hour in sorted(self._fields.hours):
                for minute in sorted(self._fields.minutes):
                    found = self._instant_of(datetime.combine(day, time(hour, minute)))
                    if found > newest:
                        newest = found
                        yield found

    def _instant_of(self, wall: datetime) -> datetime:
        """The first instant at which the clock shows a time, or the end of the gap that it falls in."""
        while True:
            found = wall.replace(tzinfo=self.zone).astimezone(UTC)
            if found.astimezone(self.zone).replace(tzinfo=None) == wall:
                return found
            wall += _MINUTE

    def _real_minutes(self, instant: datetime) -> Iterator[datetime]:
        """Days are looked up one by one, their hours by quarters: clocks are never put forward or back at another."""
        start = instant.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        for day in self._days(start.astimezone(self.zone).date()):
            moment = max(start, datetime.combine(day, time(), self.zone).astimezone(UTC))
            local = moment.astimezone(self.zone)
            while local.date() <= day:
                if local.date() == day and local.hour in self._fields.hours:
                    if local.minute in self._fields.minutes:
                        yield moment
                    moment += self._steps[local.minute]
                else:
                    moment += (_QUARTER - local.minute % _QUARTER) * _MINUTE
                local = moment.astimezone(self.zone)
            start = moment


def _to_next(minute: int, wanted: Collection[int]) -> timedelta:
    """From a minute of the hour to the next that is wanted, or to the end of its quarter, whichever comes first."""
    end = minute + _QUARTER - minute % _QUARTER
    return next((m for m in range(minute + 1, end) if m in wanted), end) * _MINUTE - minute * _MINUTE
