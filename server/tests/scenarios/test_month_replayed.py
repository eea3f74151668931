"""A month replayed: each threshold fires once, in order, whatever comes late, is priced again, or starts anew."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.scenarios import month_replayed
from tests.smtp_server import text_in

WANTED = [
    (date(2026, 10, 15), "budget.threshold_exceeded", Decimal("0.5")),
    (date(2026, 10, 15), "budget.forecast_exceeded", Decimal(1)),
    (date(2026, 10, 18), "budget.threshold_exceeded", Decimal("0.75")),
    (date(2026, 10, 21), "budget.recovered", Decimal("0.75")),
    (date(2026, 10, 27), "budget.threshold_exceeded", Decimal("0.9")),
]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite:{tmp_path / 'ledger.db'}"


@pytest.mark.parametrize("evaluators", [1, 8])
def test_each_threshold_is_told_once_in_order(url: str, evaluators: int) -> None:
    month = month_replayed.replay(url, evaluators)
    told = [(day.day, one["event"], Decimal(str(one["threshold"]))) for day in month.days for one in day.told]
    assert told == WANTED
    assert month.check_signatures() == len(WANTED)
    assert [day.day for day in month.days for _ in day.letters] == [day for day, _, _ in WANTED[1:]]
    first = text_in(month.mailbox.letters[0])
    assert 'Budget "monthly budget" is heading over 5,000.00 USD' in first
    assert "It has also passed 50 %." in first
    by_day = {day.day.day: day.spent for day in month.days if day.day.month == 10}
    assert [by_day[day] for day in (1, 14, 15, 18, 21, 31)] == [150, 2100, 2700, 3780, 3600, 5100]
    assert month.days[-1].spent == 5160
