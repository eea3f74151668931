"""A step chart in text: it fits, its values are exact, and every change has its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cost_ops.cli.step_chart import Step, draw

DAY = datetime(2025, 1, 1, tzinfo=UTC)


def steps(*values: str | None, days: int = 100) -> list[Step]:
    """Values one after the other, `days` apart; the first since ever, the last for good."""
    starts = [None, *(DAY + timedelta(days=days * n) for n in range(len(values) - 1))]
    ends = [*starts[1:], None]
    amounts = [None if v is None else Decimal(v) for v in values]
    return [Step(start, end, amount) for start, end, amount in zip(starts, ends, amounts, strict=True)]


def test_a_fall_and_a_rise_are_drawn_as_steps() -> None:
    assert draw(steps("10", "2", "6"), 40) == [
        "10 ┤────┐",
        "   ┤    │",
        "   ┤    │",
        " 6 ┤    │                         ┌───→",
        "   ┤    │                         │",
        "   ┤    │                         │",
        " 2 ┤    └─────────────────────────┘",
        "   └────┴─────────────────────────┴────",
        "    2025-01-01               2025-04-11",
    ]


def test_a_price_that_never_changed_is_one_line() -> None:
    assert draw(steps("3.75"), 20)[0] == "3.75 ┤────────────→"


def test_a_time_without_a_price_is_a_gap() -> None:
    chart = draw(steps("2", None, "2"), 40)
    assert chart[0].startswith("2 ┤─────")
    assert "  " in chart[0][4:]


def test_without_any_value_there_is_no_chart() -> None:
    assert draw(steps(None), 40) == []
    assert draw([], 40) == []


VALUES = st.lists(st.one_of(st.none(), st.integers(0, 10**7).map(lambda n: Decimal(n) / 1000)), min_size=1, max_size=30)


@given(VALUES, st.integers(1, 4000), st.integers(40, 100))
def test_a_chart_fits_and_names_every_value_exactly(values: list[Decimal | None], days: int, width: int) -> None:
    chart = draw(steps(*(None if v is None else str(v) for v in values), days=days), width)
    assert all(len(line) <= width for line in chart)
    labels = {Decimal(line.split("┤")[0].strip()) for line in chart if "┤" in line and line.split("┤")[0].strip()}
    assert labels == {v for v in values if v is not None}
