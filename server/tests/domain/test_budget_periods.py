"""The periods of a budget tile time in every zone, are those people know, and survive being written down."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.budget_periods import Periods, Unit, periods_json, read_periods
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.fiscal import PATTERNS, FiscalYear
from cost_ops.domain.periods import TimeRange, format_instant, parse_instant

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FISCAL_UNITS = (Unit.MONTH, Unit.QUARTER, Unit.YEAR)
ZONES = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
]

instants = st.datetimes(datetime(1970, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
dates = st.dates(date(1990, 1, 1), date(2040, 1, 1))
calendar_years = st.builds(FiscalYear, st.tuples(st.integers(1, 12), st.integers(1, 28)))
week_years = st.builds(
    FiscalYear,
    st.dates(date(2001, 1, 1), date(2001, 12, 31)).map(lambda day: (day.month, day.day)),
    st.sampled_from(list(PATTERNS.values())),
)
zones = st.sampled_from(ZONES)
repeating = st.one_of(
    st.builds(Periods, st.sampled_from([Unit.HOUR, Unit.DAY, *FISCAL_UNITS]), zones),
    st.builds(Periods, st.just(Unit.WEEK), zones, anchor=st.none() | dates),
    st.builds(Periods, st.just(Unit.DAYS), zones, days=st.integers(1, 366), anchor=st.none() | dates),
    st.builds(Periods, st.sampled_from(FISCAL_UNITS), zones, fiscal=calendar_years),
    st.builds(Periods, st.sampled_from(FISCAL_UNITS), zones, fiscal=week_years, anchor=st.none() | dates),
)
once = st.builds(
    lambda zone, start, length: Periods(Unit.ONCE, zone, start=start, end=start + length),
    zones,
    instants,
    st.timedeltas(timedelta(microseconds=1), timedelta(days=800)),
)


def held(periods: Periods, instant: datetime | str) -> TimeRange:
    found = periods.at(parse_instant(instant, "instant") if isinstance(instant, str) else instant)
    assert found is not None
    return found


def shown(periods: Periods, instant: str) -> tuple[str, str, str]:
    period = held(periods, instant)
    return periods.label(period), format_instant(period.start), format_instant(period.end)


@given(repeating, instants)
def test_every_instant_lies_in_exactly_one_period(periods: Periods, instant: datetime) -> None:
    period = held(periods, instant)
    assert period.start <= instant < period.end
    assert held(periods, period.start) == period
    assert held(periods, period.end - timedelta(microseconds=1)) == period
    assert period.start.tzinfo is period.end.tzinfo is UTC


@given(repeating, instants)
def test_periods_follow_each_other_without_gap_and_have_names_of_their_own(periods: Periods, instant: datetime) -> None:
    period = held(periods, instant)
    after, before = periods.after(period), periods.before(period)
    assert after is not None
    assert before is not None
    assert (before.end, period.end) == (period.start, after.start)
    assert periods.before(after) == period == periods.after(before)
    assert len({periods.label(p) for p in (before, period, after)}) == 3


@given(week_years, instants)
def test_a_year_of_weeks_has_52_or_53_and_its_last_month_the_odd_one(fiscal: FiscalYear, instant: datetime) -> None:
    year, months = held(Periods(Unit.YEAR, fiscal=fiscal), instant), Periods(Unit.MONTH, fiscal=fiscal)
    lengths = []
    month = held(months, year.start)
    while month.start < year.end:
        lengths.append((month.end - month.start).days // 7)
        month = held(months, month.end)
    assert fiscal.pattern is not None
    assert lengths in ([*fiscal.pattern * 4], [*(fiscal.pattern * 4)[:-1], fiscal.pattern[2] + 1])
    nearest = min(abs((year.start.date() - date(y, *fiscal.start)).days) for y in range(1968, 2043))
    assert nearest <= 3
    assert year.start.weekday() == 0


@given(dates)
def test_weeks_from_the_monday_nearest_to_january_first_are_the_iso_year(day: date) -> None:
    months = Periods(Unit.MONTH, "UTC", fiscal=FiscalYear((1, 1), (4, 4, 5)))
    year, week, _ = day.isocalendar()
    month = min(sum(week > last for last in (4, 8, 13, 17, 21, 26, 30, 34, 39, 43, 47)), 11) + 1
    assert months.label(held(months, datetime(day.year, day.month, day.day, tzinfo=UTC))) == f"FY{year}-P{month:02d}"


Key = Callable[[date], object]
DAY_KEYS: list[tuple[Periods, Key]] = [
    (Periods(Unit.DAY), lambda d: d),
    (Periods(Unit.WEEK), lambda d: d.isocalendar()[:2]),
    (Periods(Unit.WEEK, anchor=date(2026, 11, 22)), lambda d: (d + timedelta(days=1)).isocalendar()[:2]),
    (
        Periods(Unit.DAYS, days=14, anchor=date(2025, 11, 9)),
        lambda d: (d.toordinal() - date(2025, 11, 9).toordinal()) // 14,
    ),
    (Periods(Unit.MONTH), lambda d: (d.year, d.month)),
    (Periods(Unit.QUARTER), lambda d: (d.year, (d.month + 2) // 3)),
    (Periods(Unit.YEAR), lambda d: d.year),
    (Periods(Unit.YEAR, fiscal=FiscalYear((10, 1))), lambda d: d.year + (d.month >= 10)),
    (Periods(Unit.YEAR, fiscal=FiscalYear((4, 6))), lambda d: d.year + ((d.month, d.day) >= (4, 6))),
]


@pytest.mark.parametrize(
    ("zone", "first", "last", "step"),
    [
        ("Europe/Berlin", "2025-12-20T00:00:00Z", "2026-11-30T00:00:00Z", 60),
        ("America/New_York", "2025-12-20T00:00:00Z", "2026-11-30T00:00:00Z", 60),
        ("Asia/Kathmandu", "2025-12-20T00:00:00Z", "2026-07-15T00:00:00Z", 15),
        ("Australia/Lord_Howe", "2025-12-20T00:00:00Z", "2026-11-30T00:00:00Z", 30),
        ("America/Sao_Paulo", "2018-01-20T00:00:00Z", "2019-03-30T00:00:00Z", 60),
        ("Africa/Cairo", "2025-03-01T00:00:00Z", "2026-05-30T00:00:00Z", 60),
        ("Pacific/Apia", "2011-08-20T00:00:00Z", "2012-05-30T00:00:00Z", 60),
        ("America/St_Johns", "2010-03-12T00:00:00Z", "2010-03-16T00:00:00Z", 1),
        ("America/St_Johns", "2010-11-05T00:00:00Z", "2010-11-09T00:00:00Z", 1),
        ("Pacific/Kwajalein", "1993-08-01T00:00:00Z", "1993-09-10T00:00:00Z", 60),
    ],
)
def test_boundaries_are_where_the_local_calendar_turns(zone: str, first: str, last: str, step: int) -> None:
    """Walks the zone's clock; a day that the clock goes back into has already ended."""
    ticks: list[tuple[datetime, date]] = []
    instant, day = parse_instant(first, "first"), date(1, 1, 1)
    while instant < parse_instant(last, "last"):
        day = max(day, instant.astimezone(ZoneInfo(zone)).date())
        ticks.append((instant, day))
        instant += step * MINUTE
    for pattern, key in DAY_KEYS:
        periods = Periods(pattern.unit, zone, pattern.days, pattern.anchor, pattern.fiscal)
        turned = [key(day) for _, day in ticks]
        walked = [tick for (tick, _), now, then in zip(ticks[1:], turned[1:], turned, strict=False) if now != then]
        period, starts = held(periods, ticks[0][0]), []
        while period.end <= ticks[-1][0]:
            starts.append(period.end)
            period = held(periods, period.end)
        assert starts == walked, pattern


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Berlin", "2026-03-28T12:00:00Z"),
        ("Europe/Berlin", "2026-10-24T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
        ("America/St_Johns", "2010-03-13T12:00:00Z"),
        ("America/St_Johns", "2010-11-06T12:00:00Z"),
        ("Asia/Kathmandu", "1985-12-31T00:00:00Z"),
        ("Asia/Pyongyang", "2018-05-04T12:00:00Z"),
        ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ],
)
def test_hours_begin_on_the_local_hour_and_are_cut_only_where_the_minutes_jump(zone: str, first: str) -> None:
    local = ZoneInfo(zone)
    periods = Periods(Unit.HOUR, zone)
    begin = parse_instant(first, "first")
    expected, minute = [], begin
    while minute < begin + 48 * HOUR:
        now, then = minute.astimezone(local), (minute - MINUTE).astimezone(local)
        if now.minute == 0 or now.minute != (then.minute + 1) % 60:
            expected.append(minute)
        minute += MINUTE
    period, starts = held(periods, begin), []
    while period.end < begin + 48 * HOUR:
        starts.append(period.end)
        assert period.end - period.start <= HOUR
        period = held(periods, period.end)
    assert starts == [start for start in expected if start > begin]


BERLIN, HOWE = Periods(Unit.HOUR, "Europe/Berlin"), Periods(Unit.HOUR, "Australia/Lord_Howe")
UK_YEAR = Periods(Unit.YEAR, "Europe/London", fiscal=FiscalYear((4, 6)))
UK_MONTH = Periods(Unit.MONTH, "Europe/London", fiscal=FiscalYear((4, 6)))
UK_QUARTER = Periods(Unit.QUARTER, "Europe/London", fiscal=FiscalYear((4, 6)))
INDIA = Periods(Unit.YEAR, "Asia/Kolkata", fiscal=FiscalYear((4, 1)))
FEDERAL = Periods(Unit.QUARTER, "America/New_York", fiscal=FiscalYear((10, 1)))
RETAIL_YEAR = Periods(Unit.YEAR, anchor=date(2025, 2, 2), fiscal=FiscalYear((2, 1), (4, 5, 4)))
RETAIL = Periods(Unit.MONTH, anchor=date(2025, 2, 2), fiscal=FiscalYear((2, 1), (4, 5, 4)))
WEEKS_445 = Periods(Unit.YEAR, fiscal=FiscalYear((1, 1), (4, 4, 5)))
LATE = Periods(Unit.YEAR, fiscal=FiscalYear((12, 31), (4, 4, 5)))
FORTNIGHT = Periods(Unit.DAYS, days=14, anchor=date(2025, 11, 9))


@pytest.mark.parametrize(
    ("periods", "instant", "label", "start", "end"),
    [
        (Periods(Unit.MONTH), "2026-11-22T14:05:00Z", "2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        (Periods(Unit.QUARTER), "2026-11-22T14:05:00Z", "2026-Q4", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Periods(Unit.YEAR), "2026-11-22T14:05:00Z", "2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Periods(Unit.WEEK), "2026-11-22T14:05:00Z", "2026-W47", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Periods(Unit.WEEK), "2027-01-01T00:00:00Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
        (Periods(Unit.WEEK, anchor=date(2000, 1, 2)), "2026-11-22T14:05:00Z", "2026-11-22 to 2026-11-28", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
        (Periods(Unit.DAY), "2026-11-22T14:05:00Z", "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Periods(Unit.HOUR), "2026-11-22T14:05:00Z", "2026-11-22T14", "2026-11-22T14:00:00Z", "2026-11-22T15:00:00Z"),
        (FORTNIGHT, "2026-11-08T00:00:00Z", "2026-11-08 to 2026-11-21", "2026-11-08T00:00:00Z", "2026-11-22T00:00:00Z"),
        (FORTNIGHT, "2025-11-08T23:59:59Z", "2025-10-26 to 2025-11-08", "2025-10-26T00:00:00Z", "2025-11-09T00:00:00Z"),
        (Periods(Unit.DAYS, days=7), "2026-11-22T14:05:00Z", "2026-11-16 to 2026-11-22", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Periods(Unit.DAYS, days=1), "2026-11-22T14:05:00Z", "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Periods(Unit.MONTH), "2028-02-29T23:59:59.999999Z", "2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        (UK_YEAR, "2026-04-05T22:59:59Z", "FY2026", "2025-04-05T23:00:00Z", "2026-04-05T23:00:00Z"),
        (UK_YEAR, "2026-04-05T23:00:00Z", "FY2027", "2026-04-05T23:00:00Z", "2027-04-05T23:00:00Z"),
        (UK_MONTH, "2027-01-05T23:59:59Z", "FY2027-P09", "2026-12-06T00:00:00Z", "2027-01-06T00:00:00Z"),
        (UK_MONTH, "2026-11-05T00:00:00Z", "FY2027-P07", "2026-10-05T23:00:00Z", "2026-11-06T00:00:00Z"),
        (UK_QUARTER, "2027-04-05T22:00:00Z", "FY2027-Q4", "2027-01-06T00:00:00Z", "2027-04-05T23:00:00Z"),
        (INDIA, "2026-04-01T00:00:00Z", "FY2027", "2026-03-31T18:30:00Z", "2027-03-31T18:30:00Z"),
        (FEDERAL, "2026-12-31T23:00:00Z", "FY2027-Q1", "2026-10-01T04:00:00Z", "2027-01-01T05:00:00Z"),
        (FEDERAL, "2026-10-01T03:59:59Z", "FY2026-Q4", "2026-07-01T04:00:00Z", "2026-10-01T04:00:00Z"),
        (RETAIL_YEAR, "2023-06-01T00:00:00Z", "FY2024", "2023-01-29T00:00:00Z", "2024-02-04T00:00:00Z"),
        (RETAIL_YEAR, "2024-06-01T00:00:00Z", "FY2025", "2024-02-04T00:00:00Z", "2025-02-02T00:00:00Z"),
        (RETAIL, "2024-02-03T00:00:00Z", "FY2024-P12", "2023-12-31T00:00:00Z", "2024-02-04T00:00:00Z"),
        (RETAIL, "2025-03-02T00:00:00Z", "FY2026-P02", "2025-03-02T00:00:00Z", "2025-04-06T00:00:00Z"),
        (WEEKS_445, "2026-01-01T00:00:00Z", "FY2026", "2025-12-29T00:00:00Z", "2027-01-04T00:00:00Z"),
        (WEEKS_445, "2025-12-28T00:00:00Z", "FY2025", "2024-12-30T00:00:00Z", "2025-12-29T00:00:00Z"),
        (LATE, "2022-01-01T00:00:00Z", "FY2021", "2020-12-28T00:00:00Z", "2022-01-03T00:00:00Z"),
        (LATE, "2022-01-03T00:00:00Z", "FY2022", "2022-01-03T00:00:00Z", "2023-01-02T00:00:00Z"),
        (BERLIN, "2026-03-29T01:30:00Z", "2026-03-29T03", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
        (BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T02+02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        (BERLIN, "2026-10-25T01:30:00Z", "2026-10-25T02+01:00", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
        (HOWE, "2026-04-04T14:59:00Z", "2026-04-05T01", "2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z"),
        (HOWE, "2026-04-04T15:00:00Z", "2026-04-05T01+10:30", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"),
        (HOWE, "2026-10-03T15:30:00Z", "2026-10-04T02", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"),
        (Periods(Unit.HOUR, "Asia/Kathmandu"), "2026-11-22T14:10:00Z", "2026-11-22T19", "2026-11-22T13:15:00Z", "2026-11-22T14:15:00Z"),
        (Periods(Unit.DAY, "Europe/Berlin"), "2026-03-29T12:00:00Z", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        (Periods(Unit.DAY, "Europe/Berlin"), "2026-10-25T12:00:00Z", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (Periods(Unit.MONTH, "America/New_York"), "2026-03-15T00:00:00Z", "2026-03", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"),
        (Periods(Unit.DAY, "America/Sao_Paulo"), "2018-11-04T03:00:00Z", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        (Periods(Unit.DAY, "Pacific/Apia"), "2011-12-30T09:59:59Z", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        (Periods(Unit.DAY, "Pacific/Apia"), "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        (Periods(Unit.WEEK, "Pacific/Apia", anchor=date(2011, 12, 30)), "2011-12-31T00:00:00Z", "2011-12-30 to 2012-01-05", "2011-12-30T10:00:00Z", "2012-01-05T10:00:00Z"),
        (Periods(Unit.DAY, "America/Toronto"), "1919-03-31T04:40:00Z", "1919-03-30", "1919-03-30T05:00:00Z", "1919-03-31T05:00:00Z"),
        (Periods(Unit.DAY, "America/St_Johns"), "2010-11-07T03:00:00Z", "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"),
    ],
)  # fmt: skip
def test_the_periods_people_know(periods: Periods, instant: str, label: str, start: str, end: str) -> None:
    assert shown(periods, instant) == (label, start, end)
    assert periods.label(held(periods, end)) != label


def test_retail_months_of_a_year_have_four_five_and_four_weeks() -> None:
    period, starts = held(RETAIL, "2025-02-02T00:00:00Z"), []
    for _ in range(12):
        starts.append(f"{period.start:%m-%d}")
        period = held(RETAIL, period.end)
    assert starts == [
        *("02-02", "03-02", "04-06", "05-04", "06-01", "07-06"),
        *("08-03", "08-31", "10-05", "11-02", "11-30", "01-04"),
    ]


@given(once)
def test_a_period_that_comes_once_has_no_neighbours(periods: Periods) -> None:
    assert periods.start is not None
    assert periods.end is not None
    whole = held(periods, periods.start)
    assert (whole.start, whole.end) == (periods.start, periods.end)
    assert periods.at(periods.end) is None
    assert periods.at(periods.start - timedelta(microseconds=1)) is None
    assert periods.before(whole) is periods.after(whole) is None


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", "2026-11-01 to 2026-11-30"),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-25"),
        ("2026-06-01T07:30:00Z", "2026-11-05T23:00:00Z", "2026-06-01T09:30+02:00 to 2026-11-06T00:00+01:00"),
    ],
)
def test_a_period_that_comes_once_is_called_by_its_days_or_its_times(start: str, end: str, label: str) -> None:
    periods = Periods(Unit.ONCE, "Europe/Berlin", start=parse_instant(start, "s"), end=parse_instant(end, "e"))
    assert periods.label(held(periods, start)) == label


@given(repeating | once)
def test_periods_survive_being_written_down(periods: Periods) -> None:
    assert read_periods(periods_json(periods)) == periods


@pytest.mark.parametrize("year", [1899, 9001])
@pytest.mark.parametrize("unit", [Unit.HOUR, Unit.DAY, Unit.YEAR])
def test_a_time_that_no_calendar_serves_is_refused(unit: Unit, year: int) -> None:
    with pytest.raises(InvalidInput, match="years 1900 to 9000"):
        Periods(unit, "Asia/Tokyo").at(datetime(year, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize("periods", [Periods(Unit.DAYS), Periods(Unit.ONCE, start=datetime(2026, 1, 1, tzinfo=UTC))])
def test_periods_that_lack_a_part_are_refused_rather_than_guessed(periods: Periods) -> None:
    with pytest.raises(InvalidInput) as caught:
        periods.at(datetime(2026, 1, 1, tzinfo=UTC))
    assert caught.value.problems[0].reason == "missing_required_field"
