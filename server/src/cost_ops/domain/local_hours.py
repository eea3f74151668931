"""The hours of a zone's clock, in absolute time.

An hour that is repeated because the clock is put back is two hours. Where the offset changes by a part of an hour (Lord
Howe Island: 30 minutes) the hour in which that happens is cut there, so that none is longer than 60 minutes.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cost_ops.domain.periods import EPOCH, TimeRange

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def hour_at(instant: datetime, zone: ZoneInfo) -> TimeRange:
    """The local hour that holds `instant`, an aware UTC time; in UTC."""
    local = instant.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    start, end = instant - into, instant - into + HOUR
    if _phase(start, zone) != _phase(instant, zone):
        start = _change(start, instant, zone)
    if _phase(end, zone) != _phase(instant, zone):
        end = _change(instant, end, zone)
    return TimeRange(start, end)


def _phase(instant: datetime, zone: ZoneInfo) -> timedelta:
    """The part of an hour by which the local clock is ahead of UTC."""
    return (instant.astimezone(zone).utcoffset() or timedelta()) % HOUR


def _change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The second, after `start` and not after `end`, in which the phase becomes that of `end`; there is one."""
    after = _phase(end, zone)
    least, most = (start - EPOCH) // SECOND, (end - EPOCH) // SECOND
    found = bisect_left(range(least, most + 1), True, key=lambda s: _phase(EPOCH + s * SECOND, zone) == after)
    return EPOCH + (least + found) * SECOND
