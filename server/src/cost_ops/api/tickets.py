"""What a request is let in with, and what its answer says about how many are left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cost_ops.domain.errors import RateLimited
from cost_ops.domain.limiting import Count, Window, unix_seconds
from cost_ops.domain.periods import format_instant
from cost_ops.domain.plans import HOUR_SECONDS

Pairs = tuple[tuple[bytes, bytes], ...]

NO_LIMIT = 2**31 - 1
"""What answers say where there is no limit."""


class Underway:
    """Where requests count that were let in and are not answered yet."""

    __slots__ = ("running",)

    def __init__(self) -> None:
        self.running = 0


class Ticket:
    """One request that was let in; or that was refused, for the sake of what its answer says.

    `underway` is where it counts until it is answered; `shown` None stands for "no limit".
    """

    __slots__ = ("remaining", "shown", "underway")

    def __init__(self, underway: Underway | None, shown: Pairs | None, remaining: int) -> None:
        self.underway = underway
        self.shown = shown
        self.remaining = remaining


class TooMany(RateLimited):
    """A request beyond a limit; `ticket` says what its answer tells."""

    def __init__(self, retry_after: int, ticket: Ticket, **details: object) -> None:
        super().__init__(retry_after, **details)
        self.ticket = ticket


def shown(window: Window, count: Count) -> Pairs:
    """The headers about a window, but for what is left of it."""
    return _pairs(window.limit, count.started + window.seconds, window.seconds)


def _pairs(limit: int, reset: int, seconds: int) -> Pairs:
    return (
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-reset", b"%d" % reset),
        (b"x-ratelimit-window", b"%d" % seconds),
    )


def header_pairs(told: Pairs, remaining: int) -> Pairs:
    """The headers of an answer."""
    return (told[0], (b"x-ratelimit-remaining", b"%d" % remaining), told[1], told[2])


def unlimited_until(now: datetime) -> tuple[datetime, Pairs]:
    """The headers of an answer without a limit, and until when they hold: the end of the hour."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    ends = hour + timedelta(hours=1)
    return ends, header_pairs(_pairs(NO_LIMIT, unix_seconds(ends), HOUR_SECONDS), NO_LIMIT)


def refusal(window: Window, count: Count, now: datetime) -> TooMany:
    """The error for a window that has nothing left."""
    reset = count.started + window.seconds
    return TooMany(
        max(1, reset - unix_seconds(now)),
        Ticket(None, shown(window, count), 0),
        limit=window.name,
        maximum=window.limit,
        reset_at=format_instant(datetime.fromtimestamp(reset, UTC)),
    )
