"""What is due of a budget: tables for what people see, properties for what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.alert_events import alert_data
from cost_ops.domain.alert_looks import Look
from cost_ops.domain.alerts import (
    FULL,
    LATE,
    SETTLING,
    AlertKind,
    AlertStatus,
    Due,
    DueKind,
    FiredAlert,
    answered_with,
    due,
    lateness,
    looked_at,
    periods_of,
    to_escalate,
)
from cost_ops.domain.budget_index import SpendKey
from cost_ops.domain.budget_periods import Periods, Unit
from cost_ops.domain.budget_status import BudgetStatus, Pace, standing_of, status_of
from cost_ops.domain.budgets import Budget
from cost_ops.domain.exchange import RateTable
from cost_ops.domain.money import E10
from cost_ops.domain.periods import TimeRange, to_us

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 15, tzinfo=UTC)
MONTH = TimeRange(START, END)


def budget(*thresholds: str, **fields: Any) -> Budget:
    values: dict[str, Any] = {
        "budget_id": "budget-1",
        "organization_id": "org-1",
        "name": "Research",
        "amount_e10": 100 * E10,
        "currency": "USD",
        "periods": Periods(Unit.MONTH),
        "created_at": START,
        "created_by": "owner",
        "counted_from": START,
        "thresholds": tuple(map(Decimal, thresholds)),
        "number": 1,
    }
    return Budget(**values | fields)


def status(one: Budget, spent: int, at: datetime = NOW, period: TimeRange = MONTH, **fields: Any) -> BudgetStatus:
    """A standing with so many hundredths of a unit spent."""
    return BudgetStatus(one, period, at, one.amount_e10, 0, spent * E10 // 100, 0, **fields)


def fired(threshold: str | Decimal, kind: AlertKind = AlertKind.THRESHOLD, **fields: Any) -> FiredAlert:
    values: dict[str, Any] = {
        "alert_id": f"alert-{kind}-{threshold}",
        "budget_id": "budget-1",
        "period_start": START,
        "kind": kind,
        "threshold": Decimal(threshold),
        "fired_at": NOW,
    }
    return FiredAlert(**values | fields)


def words(found: list[Due]) -> list[str]:
    return [f"{one.kind} {one.threshold}" for one in found]


@pytest.mark.parametrize(
    ("spent", "known", "wanted"),
    [
        (4999, [], []),
        (5000, [], ["threshold 0.5"]),
        (7499, ["0.5"], []),
        (9100, [], ["threshold 0.5", "threshold 0.75", "threshold 0.9"]),
        (9100, ["0.5", "0.9"], ["threshold 0.75"]),
        (6000, ["0.5", "0.75", "0.9"], ["recovered 0.9", "recovered 0.75"]),
        (7600, ["0.5", "0.9"], ["threshold 0.75", "recovered 0.9"]),
        (0, ["0.5"], ["recovered 0.5"]),
        (-100, [], []),
    ],
)
def test_what_is_due(spent: int, known: list[str], wanted: list[str]) -> None:
    one = budget("0.5", "0.75", "0.9")
    assert words(due(status(one, spent), map(fired, known))) == wanted


def test_what_has_recovered_does_so_once_and_never_fires_again() -> None:
    one, before = budget("0.5"), fired("0.5", recovered_at=NOW)
    assert due(status(one, 10), [before]) == []
    assert due(status(one, 6000), [before]) == []
    assert due(status(one, 10), [fired("0.5")]) == [Due(DueKind.RECOVERED, Decimal("0.5"), "alert-threshold-0.5")]


def test_nothing_recovers_while_a_changed_budget_is_summed_up() -> None:
    one = budget("0.5", updated_at=NOW)
    assert due(status(one, 10, NOW + SETTLING / 2), [fired("0.5")]) == []
    assert words(due(status(one, 10, NOW + SETTLING), [fired("0.5")])) == ["recovered 0.5"]


@pytest.mark.parametrize(
    ("projected", "spent", "wanted", "fields"),
    [
        (101, 5000, ["forecast 1"], {}),
        (100, 5000, [], {}),
        (150, 10000, [], {}),
        (150, 5000, [], {"forecast_alerts": False}),
        (None, 5000, [], {}),
    ],
)
def test_a_forecast_is_due_below_the_limit(
    projected: int | None, spent: int, wanted: list[str], fields: dict[str, Any]
) -> None:
    pace = None if projected is None else Pace(E10, projected * E10, END)
    found = status(budget(**fields), spent, pace=pace)
    assert words(due(found, [])) == wanted
    assert due(found, [fired("1", AlertKind.FORECAST)]) == []
    assert words(due(found, [fired("1")])) == ([*wanted, "recovered 1"] if spent < 10000 else [])


@pytest.mark.parametrize(
    ("fields", "at", "late"),
    [
        ({}, START - timedelta(seconds=1), None),
        ({}, START, False),
        ({}, END, True),
        ({}, END + LATE - timedelta(seconds=1), True),
        ({}, END + LATE, None),
        ({"effective_from": NOW}, NOW - timedelta(seconds=1), None),
        ({"effective_from": NOW}, NOW, False),
        ({"effective_to": NOW}, NOW, True),
        ({"effective_to": NOW}, NOW + LATE, None),
        ({"effective_to": START}, NOW, None),
        ({"counted_from": END}, NOW, None),
        ({"ended_at": START}, NOW, None),
    ],
)
def test_which_periods_are_looked_at(fields: dict[str, Any], at: datetime, late: bool | None) -> None:
    one = budget("0.5", **fields)
    assert lateness(one, MONTH, at) is late
    assert bool(due(status(one, 6000, at), [])) is (late is not None)


def test_a_short_period_is_looked_at_for_three_days_wherever_usage_falls() -> None:
    one = budget(periods=Periods(Unit.HOUR), counted_from=START)
    looked = looked_at(one.periods, NOW)
    hours = [NOW - timedelta(hours=back) for back in (100, 73, 72, 71, 5, 0, -1)]
    found = periods_of(one, looked, [to_us(hour) for hour in hours], NOW)
    assert [period.start for period in found] == hours[2:6]
    assert [lateness(one, period, NOW) for period in found] == [True, True, True, False]


def test_a_budget_for_one_time_is_looked_at_while_it_lasts_and_shortly_after() -> None:
    once = budget(periods=Periods(Unit.ONCE, start=START, end=END))
    for at, wanted in ((START - timedelta(1), 0), (START, 1), (END, 1), (END + LATE, 0)):
        assert len(periods_of(once, looked_at(once.periods, at), [], at)) == (wanted if at < END else 0)
        assert len(periods_of(once, looked_at(once.periods, at), [to_us(START)], at)) == wanted


def test_who_waits_too_long_for_an_answer_is_told_again() -> None:
    one = budget(escalate_after_minutes=30)
    later = NOW + timedelta(minutes=30)
    alerts = [fired("0.9"), fired("0.5"), fired("0.6", acknowledged_at=NOW), fired("0.7", escalated_at=NOW)]
    alerts += [fired("0.8", recovered_at=NOW), fired("0.95", fired_at=NOW + timedelta(seconds=1))]
    assert [str(alert.threshold) for alert in to_escalate(one, alerts, later)] == ["0.5", "0.9"]
    assert to_escalate(one, alerts, later - timedelta(seconds=1)) == []
    assert to_escalate(replace(one, silenced_until=later + timedelta(1)), alerts, later) == []
    assert to_escalate(replace(one, escalate_after_minutes=None), alerts, later) == []
    assert to_escalate(replace(one, ended_at=NOW), alerts, later) == []


def test_an_answer_is_one_for_what_led_up_to_it() -> None:
    last = START - timedelta(days=30)
    alerts = [
        fired("0.9"),
        fired("0.75"),
        fired("0.5"),
        fired("1", AlertKind.FORECAST),
        fired("0.4", period_start=last),
    ]
    assert [one.alert_id for one in answered_with(alerts[1], alerts)] == [
        "alert-threshold-0.75",
        "alert-threshold-0.5",
        "alert-forecast-1",
    ]
    assert answered_with(alerts[3], alerts) == [alerts[3]]
    assert alerts[0].status is AlertStatus.OPEN
    assert replace(alerts[0], acknowledged_at=NOW).status is AlertStatus.ACKNOWLEDGED
    assert replace(alerts[0], acknowledged_at=NOW, recovered_at=NOW).status is AlertStatus.RECOVERED


def test_what_an_event_says_rounds_nothing_up() -> None:
    told = alert_data(replace(status(budget("0.75"), 0), spent_e10=7499_999_999_99), "alert-1", Decimal("0.75"))
    assert (told["percent_used"], told["current_spend"]) == (Decimal("74.99"), Decimal("74.9999999999"))
    assert list(told)[:3] == ["budget_id", "threshold", "current_spend"]
    assert (told["projected_spend"], told["projected_exceeded_at"], told["url"]) == (None, None, None)


_thresholds = st.lists(st.integers(1, 10_000), max_size=8, unique=True).map(
    lambda found: [str(Decimal(number).scaleb(-4)) for number in sorted(found)]
)
_spent = st.integers(-1_000, 30_000)
_minutes = st.integers(-200_000, 200_000)


@given(_thresholds, st.lists(st.tuples(_spent, _minutes), max_size=12), st.data())
def test_whatever_happens_each_threshold_fires_once_a_period_in_order(
    thresholds: list[str], steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Spend goes up and down, the clock anywhere, also back."""
    fields = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "effective_from": st.just(START + timedelta(days=3)),
                "effective_to": st.just(START + timedelta(days=20)),
            },
        )
    )
    one, known = budget(*thresholds, **fields), list[FiredAlert]()
    for spent, minutes in steps:
        at = NOW + timedelta(minutes=minutes)
        stands = status(one, spent, at)
        found = due(stands, known)
        new = [what for what in found if what.kind is DueKind.THRESHOLD]
        gone = [what for what in found if what.kind is DueKind.RECOVERED]
        assert [what.threshold for what in new] == sorted(what.threshold for what in new)
        if lateness(one, MONTH, at) is None:
            assert found == []
            continue
        fresh = [fired(what.threshold, fired_at=at) for what in new]
        assert not {alert.threshold for alert in fresh} & {alert.threshold for alert in known}
        reached = {threshold for threshold in one.thresholds if stands.reached(threshold)}
        assert reached <= {alert.threshold for alert in (*known, *fresh)}
        assert all(what.threshold not in reached for what in gone)
        recovered = {what.alert_id for what in gone}
        assert recovered <= {alert.alert_id for alert in known if alert.recovered_at is None}
        known = [replace(k, recovered_at=at) if k.alert_id in recovered else k for k in known] + fresh
        assert [what for what in due(stands, known) if what.kind is not DueKind.FORECAST] == []


@given(_thresholds, _spent, st.integers(0, 30_000))
def test_who_spends_more_is_told_no_less(thresholds: list[str], spent: int, more: int) -> None:
    one = budget(*thresholds)
    less = [what for what in due(status(one, spent), []) if what.kind is DueKind.THRESHOLD]
    assert due(status(one, spent + more), [])[: len(less)] == less


@given(st.sampled_from([unit for unit in Unit if unit not in (Unit.ONCE, Unit.DAYS)]), _minutes, _spent)
def test_a_look_finds_what_is_due_of_each_period_alone(unit: Unit, minutes: int, spent: int) -> None:
    """The quick way over all periods says what going through them one by one does."""
    at = NOW + timedelta(minutes=minutes)
    one = budget("0.5", "0.9", periods=Periods(unit, "Europe/Berlin"), counted_from=datetime(2020, 1, 1, tzinfo=UTC))
    look, period, wanted = Look.at([one], at), one.periods.at(at), []
    for _ in range(80):
        assert period is not None
        if lateness(one, period, at) is None:
            break
        look.moves[SpendKey(1, period.start_us, 0, "USD")] = (spent * E10 // 100, 1)
        wanted.append([(period, what) for what in due(status(one, spent, at, period), [])])
        period = one.periods.before(period)
    found = [(one.status.period, one.due) for one in look.found(RateTable(()), standing_of)]
    assert found == [what for of_period in reversed(wanted) for what in of_period]


def test_only_budgets_whose_pace_matters_have_their_days_read() -> None:
    quiet, told, full, idle, heading = (
        budget(budget_id=name, number=number, **fields)
        for number, (name, fields) in enumerate(
            {"quiet": {"forecast_alerts": False}, "told": {}, "full": {}, "idle": {}, "heading": {}}.items()
        )
    )
    look = Look.at([quiet, told, full, idle, heading], NOW)
    look.know([fired("1", AlertKind.FORECAST, budget_id="told"), fired(FULL, budget_id="full")])
    day = to_us(NOW) // 86_400_000_000
    daily = {0: 6, 1: 6, 2: 20, 4: 6}
    look.moves = {
        SpendKey(number, to_us(START), day - back, "USD"): (spent * E10, 1)
        for number, spent in daily.items()
        for back in range(9)
    }
    assert look.pacing() == [heading]
    found = [(one.status.budget.budget_id, one.due.kind) for one in look.found(RateTable(()), status_of)]
    assert [name for name, kind in found if kind is DueKind.FORECAST] == ["heading"]
