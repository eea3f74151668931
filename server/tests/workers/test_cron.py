"""Cron over five years in ten zones, held against an oracle that shares no code with it, and against two libraries.

The oracle goes through real time and looks at the wall clock; it reads the expressions by itself. It goes by quarters
of an hour: no clock is changed at another, and all expressions fire at quarters; some weeks are looked at by the minute.

cronsim agrees but where clocks change by half an hour (it skips runs on Lord Howe), at midnight (it fires once more in
Santiago and Havana) and at a quarter to three (a step of it never ends in the Chatham Islands); croniter where clocks
are never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from cronsim import CronSim

from cost_ops.workers.cron import Cron

START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
A_YEAR_LATER = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # changes at midnight, in the southern half of the year
    "America/Havana",  # the hour after midnight comes twice
    "Asia/Kathmandu",  # no changes, and 45 minutes off
    "Africa/Casablanca",  # four changes a year, around Ramadan
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",  # changes at a quarter to three
    "Antarctica/Troll",  # changes by two hours
)
OTHERWISE = ("America/Santiago", "America/Havana", "Australia/Lord_Howe", "Pacific/Chatham")
"""Where cronsim differs."""

EXPRESSIONS = (
    "0 1 * * *",
    "30 2 * * *",
    "45 2,3 * * *",
    "0,30 0-3 * * *",
    "15 0 1 * *",
    "0 0 29 2 *",
    "30 23 * * 0,6",
    "15 6 13 * 5",
    "*/15 * * * *",
    "30 * * * *",
    "15 */2 * * *",
    "*/30 0,3,23 * * 7",
    "*/15 2 * 3,4,9-11 *",
)


class Moment(NamedTuple):
    """An instant, what the wall clock shows then, whether it showed that before, and the times that it has just skipped."""

    instant: datetime
    wall: datetime
    repeated: bool
    skipped: tuple[datetime, ...]


FULL_NAMES = ("minute", "hour", "day", "month", "weekday")
RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


class Oracle:
    """What fires at a wall time, by the rules as they are written down, step by step."""

    def __init__(self, expression: str) -> None:
        parts = expression.split()
        self._allowed = {n: _numbers(part, *RANGES[n]) for n, part in zip(FULL_NAMES, parts, strict=True)}
        self._times = set(product(self._allowed["hour"], self._allowed["minute"]))
        self._either_day = not parts[2].startswith("*") and not parts[4].startswith("*")
        self.by_the_clock = not parts[0].startswith("*") and not parts[1].startswith("*")

    def matches(self, wall: datetime) -> bool:
        """Whether a wall time is one of the expression's."""
        a = self._allowed
        if (wall.hour, wall.minute) not in self._times or wall.month not in a["month"]:
            return False
        of_month, of_week = wall.day in a["day"], bool({wall.isoweekday(), wall.isoweekday() % 7} & a["weekday"])
        return of_month or of_week if self._either_day else of_month and of_week

    def fires(self, clock: list[Moment]) -> list[datetime]:
        """The instants of a clock at which it fires."""
        if not self.by_the_clock:
            return [moment.instant for moment in clock if self.matches(moment.wall)]
        return [
            moment.instant
            for moment in clock
            if (self.matches(moment.wall) and not moment.repeated) or any(map(self.matches, moment.skipped))
        ]


def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def clock_of(zone: str, start: datetime, end: datetime, step: timedelta) -> list[Moment]:
    found = []
    shown = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - step  # the latest wall time so far
    for instant in (start + n * step for n in range((end - start) // step)):
        wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        skipped = tuple(shown + n * step for n in range(1, (wall - shown) // step))
        found.append(Moment(instant, wall, wall <= shown, skipped))
        shown = max(shown, wall)
    return found


def fired(expression: str, zone: str, end: datetime = END) -> list[datetime]:
    return list(_until(Cron(expression, zone).after(START - MINUTE), end))


@pytest.mark.parametrize("zone", ZONES)
def test_five_years_in_ten_zones_are_those_of_an_independent_implementation(zone: str) -> None:
    clock = clock_of(zone, START, END, QUARTER)
    changes = sum(1 for one, two in pairwise(clock) if two.wall - one.wall != QUARTER)
    assert changes >= (0 if zone in ("UTC", "Asia/Kathmandu") else 9)
    for expression in EXPRESSIONS:
        assert fired(expression, zone) == Oracle(expression).fires(clock), expression


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Chatham", "Australia/Lord_Howe", "America/Santiago"])
@pytest.mark.parametrize("expression", ["* 3 * * *", "7-59/13 0-3 * * *", "*/20 0,3,23 * * 7", "59 2,23 * * *"])
@pytest.mark.parametrize("month", [3, 4, 9, 10])
def test_the_months_in_which_clocks_are_changed_agree_by_the_minute(zone: str, expression: str, month: int) -> None:
    start = datetime(2024, month, 1, tzinfo=UTC)
    clock = clock_of(zone, start, start + timedelta(days=30), MINUTE)
    ours = list(_until(Cron(expression, zone).after(start - MINUTE), clock[-1].instant + MINUTE))
    assert ours == Oracle(expression).fires(clock)


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone not in OTHERWISE])
def test_cronsim_says_the_same_but_for_four_zones(zone: str) -> None:
    for expression in EXPRESSIONS:
        simulated = {t.astimezone(UTC) for t in _until(CronSim(expression, _local(START - MINUTE, zone)), A_YEAR_LATER)}
        assert set(fired(expression, zone, A_YEAR_LATER)) == simulated, expression


@pytest.mark.parametrize(
    ("zone", "expression", "before"),
    [
        ("Australia/Lord_Howe", "30 * * * *", datetime(2024, 10, 5, 15, tzinfo=UTC)),
        ("America/Santiago", "*/30 0,3,23 * * 7", datetime(2024, 9, 8, 3, 50, tzinfo=UTC)),
    ],
)
def test_where_this_fails_cronsim_got_better_and_our_own_walk_may_go(
    zone: str, expression: str, before: datetime
) -> None:
    simulated = next(CronSim(expression, _local(before, zone))).astimezone(UTC)
    assert simulated != next(Cron(expression, zone).after(before))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_croniter_says_the_same_where_clocks_never_change(zone: str) -> None:
    for expression in EXPRESSIONS:
        listed = _until(croniter(expression, _local(START - MINUTE, zone)).all_next(datetime), A_YEAR_LATER)
        assert fired(expression, zone, A_YEAR_LATER) == [t.astimezone(UTC) for t in listed], expression


def _local(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone))


def _until(ticks: Iterator[datetime], end: datetime) -> Iterator[datetime]:
    return takewhile(lambda tick: tick.astimezone(UTC) < end, ticks)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/15 * * * *", "15 0 1 * *"])
def test_the_latest_run_is_the_last_of_those_before(zone: str, expression: str) -> None:
    cron = Cron(expression, zone)
    runs = fired(expression, zone)
    for number in range(0, min(len(runs) - 1, 20_000), max(1, len(runs) // 200)):
        earlier, later = runs[number : number + 2]
        assert cron.latest(earlier) == cron.latest(later - timedelta(seconds=1)) == earlier


def test_a_time_that_is_skipped_fires_after_the_gap_and_one_that_comes_twice_fires_once() -> None:
    cron = Cron("30 2 * * *", "Europe/Berlin")
    spring = cron.after(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert next(spring) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 03:00, as there is no 02:30
    assert next(spring) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    autumn = cron.after(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert next(autumn) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next(autumn) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    within = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert cron.latest(within) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("expression", ["", "* * * *", "60 * * * *", "0 0 30 2 *", "0 0 0 1 * *", "a b c d e"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"is no cron expression|fields"):
        Cron(expression)


def test_a_zone_that_there_is_not_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        Cron("0 0 * * *", "Mars/Olympus_Mons")
