"""Planning a sync: what is added, what ends, what is held, and that nothing else happens."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops import catalog
from cost_ops.catalog import CatalogueData, SyncPlan
from cost_ops.catalog.price_changes import drastic_changes, same_rates
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rates import rates_from_json
from tests.catalog.moments import TODAY


def plan_sync(stored: Iterable[Price], read: Iterable[Price], *, now: datetime, accept: bool = False) -> SyncPlan:
    return catalog.plan_sync(stored, CatalogueData(tuple(read), (), "test"), now=now, accept=accept)


def day(number: int) -> datetime:
    """Days from today, at midnight."""
    return TODAY.replace(hour=0) + timedelta(days=number)


def row(input_price: Any, start: datetime | None = None, end: datetime | None = None, **more: Any) -> Price:
    items = more.pop("rates", None) or [
        {"meter": "input", "price": str(input_price)},
        {"meter": "output", "price": "9"},
    ]
    rates, problems = rates_from_json(items)
    assert not problems
    values = {"layer": Layer.CATALOG, "source": "genai-prices 1"} | more
    return Price("openai", values.pop("model", "m"), "USD", rates, start, end, **values)


def apply(stored: list[Price], plan: SyncPlan) -> list[Price]:
    """What the service does with a plan: end, then add and number."""
    ends: dict[int | None, datetime | None] = dict(plan.ended)
    rows = [replace(p, effective_to=ends.get(p.number, p.effective_to)) for p in stored]
    return rows + [replace(p, number=len(rows) + i) for i, p in enumerate(plan.added_rows, 1)]


def shape(rows: list[Price]) -> list[tuple[str, datetime | None, datetime | None]]:
    ordered = sorted(rows, key=lambda p: p.effective_from or datetime.min.replace(tzinfo=UTC))
    return [(str(p.rates[0].price), p.effective_from, p.effective_to) for p in ordered]


def test_on_an_empty_catalogue_everything_is_new(catalogue) -> None:
    plan = plan_sync([], catalogue.prices, now=TODAY)
    assert len(plan.added_rows) == len(catalogue.prices)
    assert len(plan.added_models) == len({(p.provider, p.model_id) for p in catalogue.prices})
    assert (plan.ended, plan.held, plan.unchanged, plan.contradictions) == ((), (), 0, ())


def test_the_same_data_a_second_time_changes_nothing(catalogue) -> None:
    stored = apply([], plan_sync([], catalogue.prices, now=TODAY))
    plan = plan_sync(stored, catalogue.prices, now=TODAY + timedelta(days=40))
    assert (plan.added_rows, plan.ended, plan.held, plan.contradictions) == ((), (), (), ())
    assert plan.unchanged == len({(p.provider, p.model_id) for p in stored})


def test_a_price_that_differs_without_a_date_begins_when_it_was_observed() -> None:
    stored = [row("2", number=1)]
    plan = plan_sync(stored, [row("2.5")], now=TODAY)
    assert plan.ended == ((1, TODAY),)
    assert shape(apply(stored, plan)) == [("2", None, TODAY), ("2.5", TODAY, None)]
    assert plan.added_rows[0].source == "genai-prices 1, date observed"
    again = plan_sync(apply(stored, plan), [row("2.5")], now=day(30))
    assert (again.added_rows, again.unchanged, again.contradictions) == ((), 1, ())


@pytest.mark.parametrize("at", [day(-20), day(20)])
def test_a_price_that_the_source_dates_begins_on_that_date(at: datetime) -> None:
    stored = [row("2", number=1)]
    plan = plan_sync(stored, [row("2", None, at), row("2.5", at)], now=TODAY)
    assert plan.ended == ((1, at),)
    assert shape(apply(stored, plan)) == [("2", None, at), ("2.5", at, None)]


def test_a_date_that_the_source_adds_later_moves_the_observed_start_forward() -> None:
    stored = [row("2", None, day(-5), number=1), row("2.5", day(-5), number=2)]
    plan = plan_sync(stored, [row("2", None, day(-9)), row("2.5", day(-9))], now=TODAY)
    assert shape(apply(stored, plan)) == [("2", None, day(-9)), ("2.5", day(-9), day(-5)), ("2.5", day(-5), None)]


def test_several_new_dates_of_one_model_make_several_rows() -> None:
    stored = [row("2", number=1)]
    read = [row("2", None, day(-9)), row("2.5", day(-9), day(-3)), row("3", day(-3))]
    assert shape(apply(stored, plan_sync(stored, read, now=TODAY))) == [
        ("2", None, day(-9)),
        ("2.5", day(-9), day(-3)),
        ("3", day(-3), None),
    ]


def test_stored_history_that_the_source_contradicts_is_shown_and_stays() -> None:
    stored = [row("2", None, day(-9), number=1), row("3", day(-9), number=2)]
    plan = plan_sync(stored, [row("2.2", None, day(-9)), row("3", day(-9))], now=TODAY)
    assert (plan.added_rows, plan.ended, plan.held) == ((), (), ())
    assert [str(p.rates[0].price) for p in plan.contradictions] == ["2.2"]


def test_models_that_the_source_no_longer_has_stay() -> None:
    plan = plan_sync([row("2", number=1)], [row("2", model="other")], now=TODAY)
    assert (plan.added_models, plan.ended) == ((("openai", "other"),), ())


@pytest.mark.parametrize("price", ["3.01", "0.99", "0"])
def test_a_change_over_half_or_to_zero_is_held_with_both_values_until_it_is_accepted(price: str) -> None:
    stored = [row("2", number=1)]
    plan = plan_sync(stored, [row(price)], now=TODAY)
    assert (plan.added_rows, plan.ended, plan.unchanged) == ((), (), 0)
    [change] = plan.held[0].changes
    assert change.new is not None
    assert (change.meter, str(change.old.price), str(change.new.price)) == ("input", "2", price)
    accepted = plan_sync(stored, [row(price)], now=TODAY, accept=True)
    assert (len(accepted.added_rows), accepted.held) == (1, ())


@pytest.mark.parametrize("price", ["3", "1"])
def test_a_change_of_exactly_half_is_applied(price: str) -> None:
    assert plan_sync([row("2", number=1)], [row(price)], now=TODAY).held == ()


def test_a_price_that_was_free_and_no_longer_is_is_held() -> None:
    assert len(plan_sync([row("0", number=1)], [row("1")], now=TODAY).held) == 1


def test_a_held_row_leaves_no_gap_behind_the_row_before_it() -> None:
    stored = [row("2", number=1)]
    read = [row("2", None, day(-9)), row("2.5", day(-9), day(-3)), row("30", day(-3))]
    plan = plan_sync(stored, read, now=TODAY)
    assert shape(apply(stored, plan)) == [("2", None, day(-9)), ("2.5", day(-9), None)]
    assert len(plan.held) == 1


CACHED = [{"meter": "input", "price": "2"}, {"meter": "input_cache_read", "price": "0.2"}]
BATCH = [{"meter": "input", "price": "2"}, {"meter": "input", "price": "1", "when": {"processing": "batch"}}]
TIERS = [{"meter": "input", "price": "2"}, {"meter": "input", "price": "4", "when": {"context_tokens": {"gt": 9}}}]
INPUT = [{"meter": "input", "price": "2"}]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (CACHED, INPUT, ["input_cache_read"]),
        (INPUT, CACHED, []),
        (BATCH, INPUT, ["input"]),
        (INPUT, BATCH, []),
        (TIERS, INPUT, []),
        (INPUT, TIERS, []),
        (INPUT, [{"meter": "output", "price": "2"}], ["input"]),
        (INPUT, [{"meter": "input", "price": "0.002", "per": 1000}], []),
    ],
)
def test_drastic_is_what_a_call_that_was_priced_before_would_notice(old: Any, new: Any, changed: list[str]) -> None:
    assert [c.meter for c in drastic_changes(row(0, rates=old), row(0, rates=new))] == changed


def test_rates_written_in_another_unit_or_order_are_the_same() -> None:
    other = [{"meter": "input", "price": "1", "when": {"processing": "batch"}}, {"meter": "input", "price": "2.0"}]
    assert same_rates(row(0, rates=BATCH), row(0, rates=other))
    thousand = [{"meter": "input", "price": "0.002", "per": 1000}]
    assert same_rates(row(0, rates=INPUT), row(0, rates=thousand))
    assert not same_rates(row(0, rates=INPUT), replace(row(0, rates=INPUT), currency="EUR"))


def test_the_plan_in_json_does_not_depend_on_the_order_of_its_inputs(catalogue) -> None:
    stored = apply([], plan_sync([], catalogue.prices[::3], now=TODAY))
    shuffled = random.Random(7).sample(stored, len(stored)), random.Random(8).sample(catalogue.prices, 2_700)
    read = sorted(shuffled[1], key=lambda p: (p.provider, p.model_id))
    forward = plan_sync(stored, read, now=TODAY).to_json()
    assert json.dumps(plan_sync(shuffled[0], shuffled[1], now=TODAY).to_json()) == json.dumps(forward)
    assert set(forward) == {"added_models", "added_rows", "ended", "unchanged", "held", "contradictions"}


PRICES = st.sampled_from(["2", "2.5", "3", "30", "0"])
STARTS = st.lists(st.integers(-20, 20).filter(bool), max_size=3, unique=True).map(sorted)


@st.composite
def timelines(draw: st.DrawFn) -> list[Price]:
    starts: list[datetime | None] = [None, *(day(number) for number in draw(STARTS))]
    return [row(draw(PRICES), a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]


@given(st.lists(timelines(), min_size=1, max_size=4), st.booleans())
def test_after_any_series_of_syncs_one_price_holds_at_any_time_and_history_is_only_ended(series, accept) -> None:
    stored: list[Price] = []
    for number, read in enumerate(series):
        now = TODAY + timedelta(days=3 * number)
        plan = plan_sync(stored, read, now=now, accept=accept)
        after = apply(stored, plan)
        for old, new in zip(stored, after, strict=False):
            assert replace(old, effective_to=None) == replace(new, effective_to=None)
        for number_of_day in range(-25, 60):
            assert len([p for p in after if p.valid_at(day(number_of_day))]) == 1
        if accept:
            today = next(p for p in after if p.valid_at(now))
            assert same_rates(today, next(p for p in read if p.valid_at(now)))
        assert plan_sync(after, read, now=now, accept=accept).added_rows == ()
        stored = after
