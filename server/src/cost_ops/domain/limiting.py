"""Counting requests against limits: windows of the UTC clock, and how many permits a taker gets out of them.

A window is a stretch of so many seconds since 1970: the hours and minutes of the UTC clock. Permits are counted by
whoever keeps the counts (a database, Redis) and taken in blocks, so that not every request has to ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cost_ops.domain.periods import to_us
from cost_ops.domain.plans import BURST_SECONDS, HOUR_SECONDS, Limits

LARGEST_SHARE = 16
"""What is taken ahead of need is at most this part of what is left: near the end permits go out one by one."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` permits in each stretch of `seconds`; `name` is that of the limit."""

    name: str
    seconds: int
    limit: int


class Count(NamedTuple):
    """A stretch of a window: when it began (unix seconds), and the permits that were given out in it."""

    started: int
    used: int


class Taken(NamedTuple):
    """What a taker got, and the count of each window afterwards."""

    granted: int
    counts: tuple[Count, ...]


def holder_of(organization_id: str) -> str:
    """The name under which an organisation's permits are counted."""
    return f"organization:{organization_id}"


def windows_of(limits: Limits) -> tuple[Window, ...]:
    """The windows of limits, the longest first."""
    wanted = (("requests_per_hour", HOUR_SECONDS, limits.requests_per_hour), ("burst", BURST_SECONDS, limits.burst))
    return tuple(Window(name, seconds, limit) for name, seconds, limit in wanted if limit is not None)


def unix_seconds(instant: datetime) -> int:
    """Whole seconds since 1970."""
    return to_us(instant) // 1_000_000


def current(window: Window, stored: Count | None, at: int) -> Count:
    """The count of the stretch that `at` (unix seconds) lies in.

    Of takers whose clocks differ a little, the first to reach the next stretch begins it for all: counts do not go
    back. One that lies more than a stretch ahead was begun by a clock that was wrong, and does not count.
    """
    started = at - at % window.seconds
    if stored is None or not started <= stored.started <= started + window.seconds:
        return Count(started, 0)
    return stored


def share(left: int, needed: int, ahead: int) -> int:
    """How many of the permits that are left a taker gets who needs some now and would like `ahead` more."""
    return max(0, min(left, max(needed, min(needed + ahead, left // LARGEST_SHARE))))


def take(windows: Sequence[Window], stored: Mapping[int, Count], needed: int, ahead: int, at: int) -> Taken:
    """Permits out of all windows at once; `stored` holds the last known counts by the windows' seconds."""
    counts = [current(window, stored.get(window.seconds), at) for window in windows]
    left = min(window.limit - count.used for window, count in zip(windows, counts, strict=True))
    granted = share(left, needed, ahead)
    return Taken(granted, tuple(Count(count.started, count.used + granted) for count in counts))


def exhausted(windows: Sequence[Window], counts: Sequence[Count]) -> tuple[Window, Count] | None:
    """The window that has nothing left, of several the one that lasts longest; None where all have some."""
    full = [(w, c) for w, c in zip(windows, counts, strict=True) if c.used >= w.limit]
    return max(full, key=lambda found: found[1].started + found[0].seconds, default=None)
