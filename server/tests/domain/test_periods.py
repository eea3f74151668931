"""Ranges are half-open, buckets tile them in every zone."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.periods import (
    PRESETS,
    Granularity,
    TimeRange,
    buckets,
    format_bucket,
    from_us,
    parse_date_or_instant,
    parse_instant,
    parse_zone,
    preset_range,
    to_us,
)

ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/St_Johns",
]
instants = st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants, st.integers(1, 24 * 400), st.sampled_from(list(Granularity)), st.sampled_from(ZONES))
def test_buckets_tile_the_range_without_gap_or_overlap(
    start: datetime, hours: int, unit: Granularity, zone: str
) -> None:
    span = TimeRange(start, start + timedelta(hours=hours if unit is not Granularity.HOUR else min(hours, 200)))
    found = list(buckets(span, unit, ZoneInfo(zone)))
    assert found[0].start == span.start
    assert found[-1].end == span.end
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    if unit is not Granularity.HOUR:
        labels = [format_bucket(b.start, unit, ZoneInfo(zone)) for b in found]
        assert len(set(labels)) == len(labels)


@given(instants)
def test_microseconds_hold_an_instant_exactly(instant: datetime) -> None:
    assert from_us(to_us(instant)) == instant


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-01-01", "invalid_date_format"),
        ("2025-01-01T00:00:00", "invalid_date_format"),
        ("2025-02-31T00:00:00Z", "invalid_date"),
        ("2025-01-01T25:00:00Z", "invalid_date"),
        ("yesterday", "invalid_date_format"),
        ("0001-01-01T00:00:00+14:00", "invalid_date"),
        ("٢٠٢٥-01-01T00:00:00Z", "invalid_date_format"),
    ],
)
def test_a_wrong_time_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_instant(text, "start_date")
    assert caught.value.problems[0].reason == reason
    assert caught.value.problems[0].field == "start_date"


def test_an_offset_is_turned_into_utc() -> None:
    assert parse_instant("2025-01-01T02:00:00.5+02:00", "x") == datetime(2025, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_the_cli_takes_a_bare_date_as_local_midnight() -> None:
    assert parse_date_or_instant("2025-07-01", "x", ZoneInfo("Europe/Berlin")) == datetime(2025, 6, 30, 22, tzinfo=UTC)


def test_presets_roll_back_or_follow_the_calendar() -> None:
    now, zone = datetime(2026, 5, 20, 10, 30, tzinfo=UTC), ZoneInfo("UTC")
    found = {name: preset_range(name, now=now, zone=zone) for name in PRESETS}
    assert found["last-7-days"] == TimeRange(now - timedelta(days=7), now)
    assert found["this-week"].start == datetime(2026, 5, 18, tzinfo=UTC)
    assert found["last-month"] == TimeRange(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    assert found["last-quarter"] == TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert found["this-year"] == TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert found["yesterday"] == TimeRange(datetime(2026, 5, 19, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC))


def test_unknown_names_and_empty_ranges_say_what_is_known() -> None:
    with pytest.raises(InvalidInput, match="last-7-days"):
        preset_range("last-8-days", now=datetime(2026, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"))
    with pytest.raises(InvalidInput, match="Europe/Berlin"):
        parse_zone("../../etc/passwd")
    with pytest.raises(InvalidInput, match="must be after"):
        TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_day_of_a_zone_with_a_half_hour_offset_begins_at_half_past() -> None:
    span = TimeRange(datetime(2026, 1, 1, 18, 30, tzinfo=UTC), datetime(2026, 1, 3, 18, 30, tzinfo=UTC))
    days = list(buckets(span, Granularity.DAY, ZoneInfo("Asia/Kolkata")))
    assert [d.start.minute for d in days] == [30, 30]
    assert [format_bucket(d.start, Granularity.DAY, ZoneInfo("Asia/Kolkata")) for d in days] == [
        "2026-01-02",
        "2026-01-03",
    ]
