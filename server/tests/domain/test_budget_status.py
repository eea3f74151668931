"""How a budget stands: its limit, its thresholds, its pace; and how it would have gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.alerts import AlertKind, FiredAlert
from cost_ops.domain.budget_index import SpendKey
from cost_ops.domain.budget_preview import Crossing, crossed, previewed
from cost_ops.domain.budget_standing import Standing, State, amount_at
from cost_ops.domain.budget_status import BudgetStatus, PeriodSpend, part_used, spends_by_number, status_of
from cost_ops.domain.budget_sums import bases_of
from cost_ops.domain.exchange import ExchangeRate, RateTable
from cost_ops.domain.periods import TimeRange
from tests.domain.budget_values import E10, at, budget
from tests.domain.builders import NOW

MARCH = TimeRange(at("2026-03-01T00:00:00"), at("2026-04-01T00:00:00"))
FIRST_DAY = MARCH.start_us // 86_400_000_000


def standing(
    spent: int, *, now: str = "2026-03-15T12:00:00", days: dict[int, int] | None = None, **document: Any
) -> BudgetStatus:
    """A budget of 100 in March, of which so much is spent; `days` by the day of the month."""
    by_day = tuple((FIRST_DAY + day - 1, amount * E10) for day, amount in (days or {1: spent}).items())
    spends = {MARCH.start_us: PeriodSpend(spent * E10, by_day=by_day)}
    return status_of(budget(**document), MARCH, spends, 0, at(now))


def test_a_status_adds_up() -> None:
    one = replace(standing(30), held_e10=5 * E10)
    assert (one.limit_e10 // E10, one.available_e10 // E10, one.used) == (100, 65, Decimal("0.3"))
    assert (one.label, one.time_left) == ("2026-03", timedelta(days=16, hours=12))


@pytest.mark.parametrize(
    ("spent", "limit", "part"),
    [(7_499_999, 10**7, "0.7499"), (0, 0, "0"), (1, 0, "1"), (-5, 100, "0"), (250, 100, "2.5"), (1, 3, "0.3333")],
)
def test_a_part_is_cut_never_rounded_up(spent: int, limit: int, part: str) -> None:
    assert part_used(spent, limit) == Decimal(part)


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 10_000))
def test_a_threshold_is_reached_exactly_from_its_amount_on(spent: int, limit: int, myriads: int) -> None:
    threshold = Decimal(myriads).scaleb(-4)
    one = BudgetStatus(budget(), MARCH, NOW, limit, 0, spent, 0)
    assert one.reached(threshold) is (spent > 0 and spent * 10_000 >= limit * myriads)
    assert abs(amount_at(limit, threshold) * 10_000 - limit * myriads) <= 5_000


def test_the_pace_is_that_of_the_last_seven_days() -> None:
    pace = standing(90, days={1: 50, 8: 20, 9: 13, 15: 7}).pace
    assert pace is not None
    assert pace.per_day_e10 == round(20 * E10 / Decimal("6.5")), "from the 9th at 0:00 to the 15th at 12:00"
    assert pace.projected_e10 == 90 * E10 + round(20 * E10 / Decimal("6.5") * Decimal("16.5"))
    assert pace.exceeded_at == at("2026-03-18T18:00:00"), "the ten that are left last 3.25 days"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-02-28T12:00:00", False),
        ("2026-03-01T00:00:00", False),
        ("2026-03-01T20:00:00", False),
        ("2026-03-02T00:00:00", True),
        ("2026-03-31T23:59:59", True),
        ("2026-04-01T00:00:00", False),
    ],
)
def test_a_pace_is_told_once_enough_of_the_period_is_gone(now: str, told: bool) -> None:
    assert (standing(10, now=now).pace is not None) is told


def test_a_limit_that_is_passed_is_exceeded_now_and_one_that_lasts_is_not() -> None:
    passed, lasting = standing(120).pace, standing(10, days={1: 10}).pace
    assert passed is not None
    assert lasting is not None
    assert passed.exceeded_at == at("2026-03-15T12:00:00")
    assert (lasting.exceeded_at, lasting.per_day_e10) == (None, 0), "nothing was spent in the last days"


def test_money_that_came_back_tells_no_pace() -> None:
    assert standing(10, days={1: 20, 15: -10}).pace is None


@given(
    st.dictionaries(st.integers(1, 15), st.integers(0, 50), min_size=1),
    st.integers(1, 28 * 24),
)
def test_a_projection_is_never_below_what_is_spent_and_its_day_is_in_the_period(
    days: dict[int, int], hours: int
) -> None:
    now = MARCH.start + timedelta(hours=hours)
    spends = {
        MARCH.start_us: PeriodSpend(
            sum(days.values()) * E10,
            by_day=tuple((FIRST_DAY + day - 1, amount * E10) for day, amount in sorted(days.items())),
        )
    }
    pace = status_of(budget(), MARCH, spends, 0, now).pace
    if pace is None:
        assert hours < 37, "less than a twentieth of the month"
        return
    assert pace.projected_e10 >= sum(days.values()) * E10
    assert pace.exceeded_at is None or now <= pace.exceeded_at < MARCH.end
    assert (pace.exceeded_at is not None) == (pace.projected_e10 > 100 * E10 or sum(days.values()) >= 100)


def test_sums_of_other_currencies_are_converted_day_by_day_or_named() -> None:
    rates = [
        ExchangeRate("EUR", "USD", at(f"2026-03-0{day}T00:00:00").date(), Decimal(rate), "bank")
        for day, rate in ((2, "1.1"), (3, "1.2"))
    ]
    one = replace(budget(), number=7)
    moves = {
        SpendKey(7, MARCH.start_us, 0, "USD"): (5, 1),
        SpendKey(7, MARCH.start_us, FIRST_DAY + 1, "EUR"): (15, 2),
        SpendKey(7, MARCH.start_us, FIRST_DAY + 2, "EUR"): (10, 1),
        SpendKey(7, MARCH.start_us, FIRST_DAY + 2, "GBP"): (4, 1),
        SpendKey(7, MARCH.start_us, FIRST_DAY + 2, "JPY"): (0, 0),
        SpendKey(7, MARCH.start_us, FIRST_DAY, ""): (0, 3),
    }
    found = spends_by_number(moves, [one], RateTable(rates))[7][MARCH.start_us]
    assert found.cost_e10 == 5 + 16 + 12, "16.5 rounds to the even 16, each day by itself"
    assert (found.unpriced_requests, found.unconverted) == (3, (("GBP", 4),))
    assert dict(found.by_day) == {0: 5, FIRST_DAY + 1: 16, FIRST_DAY + 2: 12}


def fired(threshold: str, **about: Any) -> FiredAlert:
    return FiredAlert("alert_1", "budget-1", MARCH.start, AlertKind.THRESHOLD, Decimal(threshold), NOW, **about)


def test_a_standing_tells_its_thresholds_and_what_was_told_of_them() -> None:
    one = Standing(standing(60, alert_thresholds=["0.5", "0.75"]), in_force=True, fired=[fired("0.50")])
    assert [(t.threshold, t.amount_e10 // E10, t.reached, t.fired is not None) for t in one.thresholds] == [
        (Decimal("0.5"), 50, True, True),
        (Decimal("0.75"), 75, False, False),
    ]
    assert one.days_left == Decimal("16.5")


@pytest.mark.parametrize(
    ("spent", "in_force", "now", "state"),
    [
        (0, True, "2026-03-15T12:00:00", State.OK),
        (49, True, "2026-03-15T12:00:00", State.OK),
        (50, True, "2026-03-15T12:00:00", State.WARNING),
        (100, True, "2026-03-15T12:00:00", State.EXCEEDED),
        (100, False, "2026-03-15T12:00:00", State.NOT_IN_FORCE),
        (100, False, "2026-05-15T12:00:00", State.EXCEEDED),
    ],
)
def test_a_state_in_a_word(spent: int, in_force: bool, now: str, state: State) -> None:
    assert Standing(standing(spent, now=now), in_force).state is state


def test_a_threshold_is_crossed_on_the_day_that_reaches_it() -> None:
    spend = PeriodSpend(0, by_day=((FIRST_DAY, 49), (FIRST_DAY + 1, 1), (FIRST_DAY + 2, -5), (FIRST_DAY + 9, 60)))
    halves = [Decimal("0.5"), Decimal("0.75"), Decimal(1)]
    assert crossed(halves, spend, 100) == [
        Crossing(Decimal("0.5"), at("2026-03-02T00:00:00").date()),
        Crossing(Decimal("0.75"), at("2026-03-10T00:00:00").date()),
        Crossing(Decimal(1), at("2026-03-10T00:00:00").date()),
    ]
    assert crossed(halves, PeriodSpend(), 0) == []


def test_a_preview_carries_over_as_a_budget_does() -> None:
    one = replace(budget(rollover="both"), counted_from=at("2026-02-01T00:00:00"))
    february = TimeRange(at("2026-02-01T00:00:00"), MARCH.start)
    found = previewed(one, [february, MARCH], {february.start_us: PeriodSpend(130 * E10)})
    assert [(p.label, p.limit_e10 // E10, p.used) for p in found] == [
        ("2026-02", 100, Decimal("1.3")),
        ("2026-03", 70, Decimal(0)),
    ]


_keys = st.builds(SpendKey, st.just(1), st.sampled_from([0, 10]), st.integers(0, 2), st.sampled_from(["USD", ""]))
_moves = st.dictionaries(_keys, st.tuples(st.integers(-9, 9), st.integers(-2, 2)))


@given(_moves, _moves, _moves)
def test_bases_make_the_sums_the_ledger_s_in_the_periods_asked_for(true: Any, folded: Any, bases: Any) -> None:
    changed = bases_of(true, folded, bases, {10})
    assert all(key.period_start_us == 10 for key in changed)
    after = {**bases, **changed}
    for key in true.keys() | after.keys() | folded.keys():
        if key.period_start_us == 10:
            kept = [after.get(key, (0, 0))[i] + folded.get(key, (0, 0))[i] for i in (0, 1)]
            assert kept == list(true.get(key, (0, 0)))
    assert bases_of(true, folded, after, {10}) == {}
