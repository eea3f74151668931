"""Documents of periods: each form is read, each fault is named."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.budget_periods import Periods, Unit, periods_json, read_periods
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.fiscal import FiscalYear


@pytest.mark.parametrize(
    ("document", "periods"),
    [
        ({"period": "month"}, Periods(Unit.MONTH)),
        ({"period": "monthly", "timezone": "Europe/Berlin", "amount": 5}, Periods(Unit.MONTH, "Europe/Berlin")),
        ({"period": "hour"}, Periods(Unit.HOUR)),
        ({"period": "day"}, Periods(Unit.DAY)),
        ({"period": "week", "anchor_date": None}, Periods(Unit.WEEK)),
        ({"period": "quarter"}, Periods(Unit.QUARTER)),
        ({"period": "year"}, Periods(Unit.YEAR)),
        ({"period": "custom", "period_days": 10}, Periods(Unit.DAYS, days=10)),
        ({"period": "14 days"}, Periods(Unit.DAYS, days=14)),
        ({"period": "14d", "period_days": 14}, Periods(Unit.DAYS, days=14)),
        ({"period": "1 day", "anchor_date": "2026-01-05"}, Periods(Unit.DAYS, days=1, anchor=date(2026, 1, 5))),
        ({"period": "yearly", "fiscal_year_start": "04-06"}, Periods(Unit.YEAR, fiscal=FiscalYear((4, 6)))),
        ({"period": "yearly", "fiscal_pattern": "5-4-4"}, Periods(Unit.YEAR, fiscal=FiscalYear((1, 1), (5, 4, 4)))),
        ({"period": "month", "fiscal_year_start": "12-31", "fiscal_pattern": "4-4-5"}, Periods(Unit.MONTH, fiscal=FiscalYear((12, 31), (4, 4, 5)))),
        (
            {"period": "once", "start_date": "2026-11-01T00:00:00+01:00", "end_date": "2026-11-02T00:00:00Z"},
            Periods(Unit.ONCE, start=datetime(2026, 10, 31, 23, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC)),
        ),
    ],
)  # fmt: skip
def test_a_document_is_read_in_each_of_its_forms(document: dict[str, Any], periods: Periods) -> None:
    assert read_periods(document) == periods


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({}, {("period", "missing_required_field")}),
        ({"period": ["month"], "timezone": 3}, {("period", "invalid_type"), ("timezone", "invalid_type")}),
        ({"period": "fortnightly", "timezone": "Mars/Base"}, {("period", "invalid_value"), ("timezone", "unknown_timezone")}),
        ({"period": "day", "timezone": ""}, {("timezone", "unknown_timezone")}),
        ({"period": "day", "timezone": "../etc/passwd"}, {("timezone", "unknown_timezone")}),
        ({"period": "day", "timezone": "\ud800"}, {("timezone", "unknown_timezone")}),
        ({"period": "days"}, {("period_days", "missing_required_field")}),
        ({"period": "days", "period_days": "14"}, {("period_days", "invalid_type")}),
        ({"period": "days", "period_days": True}, {("period_days", "invalid_type")}),
        ({"period": "days", "period_days": 0}, {("period_days", "out_of_range")}),
        ({"period": "367 days"}, {("period_days", "out_of_range")}),
        ({"period": "٣ days"}, {("period", "invalid_value")}),
        ({"period": "14d", "period_days": 7}, {("period_days", "contradiction")}),
        ({"period": "month", "period_days": 7}, {("period_days", "contradiction")}),
        ({"period": "week", "anchor_date": "2026-02-30"}, {("anchor_date", "invalid_date")}),
        ({"period": "week", "anchor_date": "5 Jan"}, {("anchor_date", "invalid_date_format")}),
        ({"period": "week", "anchor_date": 5}, {("anchor_date", "invalid_type")}),
        ({"period": "month", "anchor_date": "2026-01-05"}, {("anchor_date", "contradiction")}),
        ({"period": "year", "fiscal_year_start": "04-31"}, {("fiscal_year_start", "invalid_value")}),
        ({"period": "year", "fiscal_year_start": "02-29", "fiscal_pattern": "4-4-5"}, {("fiscal_year_start", "invalid_value")}),
        ({"period": "year", "fiscal_year_start": "April"}, {("fiscal_year_start", "invalid_value")}),
        ({"period": "year", "fiscal_year_start": "04-29"}, {("fiscal_year_start", "out_of_range")}),
        ({"period": "year", "fiscal_pattern": "4-4-4"}, {("fiscal_pattern", "invalid_value")}),
        ({"period": "once"}, {("start_date", "missing_required_field"), ("end_date", "missing_required_field")}),
        ({"period": "once", "start_date": "2026-11-01", "end_date": "2026-12-01T00:00:00Z"}, {("start_date", "invalid_date_format")}),
        ({"period": "once", "start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-01T00:00:00Z"}, {("end_date", "empty_range")}),
        ({"period": "once", "start_date": "0002-11-01T00:00:00Z", "end_date": "9999-11-01T00:00:00Z"}, {("start_date", "out_of_range"), ("end_date", "out_of_range")}),
        (
            {"period": "daily", "timezone": "Nowhere", "period_days": 0, "anchor_date": "x", "fiscal_year_start": "x", "fiscal_pattern": "x", "start_date": "x", "end_date": 7},
            {
                ("timezone", "unknown_timezone"),
                *((name, "contradiction") for name in ("period_days", "anchor_date", "fiscal_year_start", "fiscal_pattern", "start_date", "end_date")),
                ("period_days", "out_of_range"),
                ("anchor_date", "invalid_date_format"),
                ("fiscal_year_start", "invalid_value"),
                ("fiscal_pattern", "invalid_value"),
                ("start_date", "invalid_date_format"),
                ("end_date", "invalid_type"),
            },
        ),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_with_all_its_problems(
    document: dict[str, Any], problems: set[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_periods(document)
    assert {(p.field, p.reason) for p in caught.value.problems} == problems
    assert len(caught.value.problems) == len(problems)


names = [
    "period",
    "timezone",
    "period_days",
    "anchor_date",
    "fiscal_year_start",
    "fiscal_pattern",
    "start_date",
    "end_date",
]
values = st.one_of(
    st.sampled_from(
        ["days", "month", "week", "once", "3d", "UTC", "2026-01-05", "04-06", "4-4-5", "2026-01-05T00:00:00Z"]
    ),
    st.text(max_size=12),
    st.integers(),
    st.none() | st.booleans() | st.floats() | st.lists(st.none(), max_size=1),
)


@given(st.dictionaries(st.sampled_from(names), values))
def test_any_document_is_read_or_refused_by_name(document: dict[str, Any]) -> None:
    try:
        periods = read_periods(document)
    except InvalidInput as error:
        refused = {p.field for p in error.problems}
    else:
        refused = set()
        assert read_periods(periods_json(periods)) == periods
    assert refused <= set(names)


def test_problems_are_placed_under_the_field_of_the_document() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_periods({"period": "once", "start_date": 1}, field="budgets[2]")
    assert {p.field for p in caught.value.problems} == {"budgets[2].start_date", "budgets[2].end_date"}
