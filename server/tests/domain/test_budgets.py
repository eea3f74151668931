"""What a budget counts, what it carries over, and who stands above whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.budget_changes import changed, merged
from cost_ops.domain.budget_documents import same_names
from cost_ops.domain.budget_tree import MOST_BUDGETS, check_place, in_tree
from cost_ops.domain.budgets import (
    MOST_CARRIED,
    Budget,
    Rollover,
    ancestors,
    carried,
    earliest_needed,
    first_counted,
    is_within,
)
from cost_ops.domain.errors import Conflict, InvalidInput
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.scopes import EVERYTHING, Scope
from tests.domain.budget_values import E10, at, budget
from tests.domain.builders import NOW


def month(one: Budget, text: str) -> TimeRange:
    found = one.periods.at(at(text))
    assert found is not None
    return found


def test_a_budget_counts_from_the_start_of_the_period_it_is_made_in() -> None:
    one = budget(timezone="Europe/Berlin")
    assert one.counted_from == at("2026-02-28T23:00:00")
    assert not one.counts(at("2026-02-28T22:59:59"))
    assert one.counts(at("2026-02-28T23:00:00"))
    assert one.counts(at("2030-01-01T00:00:00"))


@pytest.mark.parametrize(
    ("document", "since"),
    [
        ({"effective_from": "2026-01-20T00:00:00Z"}, "2026-01-01"),
        ({"effective_from": "2027-01-20T00:00:00Z"}, "2026-03-01"),
        ({"effective_from": "2001-01-01T00:00:00Z"}, "2024-03-01"),
        ({"period": "hourly"}, "2026-03-15T12:00:00"),
        ({"period": "hourly", "effective_from": "2001-01-01T00:00:00Z"}, "2026-03-14T12:00:00"),
        ({"period": "once", "start_date": "2001-01-01T00:00:00Z", "end_date": "2040-01-01T00:00:00Z"}, "2001-01-01"),
        ({"period": "once", "start_date": "2031-01-01T00:00:00Z", "end_date": "2040-01-01T00:00:00Z"}, "2031-01-01"),
    ],
)
def test_a_budget_in_force_before_it_was_made_counts_some_periods_back(document: dict[str, Any], since: str) -> None:
    one = budget(**document)
    assert one.counted_from == at(since if "T" in since else f"{since}T00:00:00")
    assert first_counted(one.periods, one.effective_from, NOW) == one.counted_from


def test_outside_of_its_time_in_force_nothing_counts() -> None:
    one = budget(effective_from="2026-03-10T00:00:00Z", effective_to="2026-03-20T00:00:00Z")
    instants = ("2026-03-09T23:59:59", "2026-03-10T00:00:00", "2026-03-19T23:59:59", "2026-03-20T00:00:00")
    assert [one.counts(at(instant)) for instant in instants] == [False, True, True, False]


def test_phases_plan_the_periods_that_begin_in_them() -> None:
    phases = [
        {"start_date": "2026-05-01T00:00:00Z", "amount": 50},
        {"start_date": "2026-06-15T00:00:00Z", "amount": 70},
    ]
    one = budget(phases=phases)
    planned = [one.planned(month(one, f"2026-{m:02d}-10T00:00:00")) // E10 for m in (3, 4, 5, 6, 7)]
    assert planned == [100, 100, 50, 50, 70]


@pytest.mark.parametrize(
    ("rollover", "left", "handed_on"),
    [
        (Rollover(), 5, 0),
        (Rollover(unused=True), 5, 5),
        (Rollover(unused=True), -5, 0),
        (Rollover(overspent=True), -5, -5),
        (Rollover(overspent=True), 5, 0),
        (Rollover(unused=True, overspent=True, limit_e10=3), 5, 3),
        (Rollover(unused=True, overspent=True, limit_e10=3), -5, -3),
    ],
)
def test_what_is_left_is_handed_on_as_the_rollover_says(rollover: Rollover, left: int, handed_on: int) -> None:
    assert rollover.carry(left) == handed_on


def test_each_period_hands_on_what_it_was_handed_itself() -> None:
    one = replace(budget(rollover="both", effective_from="2026-01-01T00:00:00Z"))
    spent = {1: 30, 2: 250, 3: 10}
    found = [
        carried(one, month(one, f"2026-{m:02d}-10T00:00:00"), lambda p: spent.get(p.start.month, 0) * E10) // E10
        for m in (1, 2, 3, 4)
    ]
    assert found == [0, 70, -80, 10]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.sampled_from(["unused", "overspent", "both"]))
def test_carrying_over_is_a_walk_through_the_periods(spent: list[int], word: str) -> None:
    one = budget(rollover=word, period="daily")
    one = replace(one, counted_from=month(one, "2026-03-01T00:00:00").start)
    period, expected, days = month(one, "2026-03-01T00:00:00"), 0, []
    for amount in spent:
        days.append(period)
        if len(days) <= MOST_CARRIED:
            assert carried(one, period, lambda p: spent[(p.start - days[0].start).days] * E10) == expected
            assert earliest_needed(one, period) == days[0].start
        expected = one.rollover.carry(one.amount_e10 + expected - amount * E10)
        following = one.periods.after(period)
        assert following is not None
        period = following


def test_what_is_needed_for_a_limit_begins_with_the_period_itself_where_nothing_is_carried() -> None:
    one = budget()
    assert earliest_needed(one, month(one, "2026-05-10T00:00:00")) == at("2026-05-01T00:00:00")


def scope(**only: str) -> Scope:
    return Scope(tuple(sorted((name, frozenset(values.split())) for name, values in only.items())))


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        (scope(project="a"), EVERYTHING, True),
        (EVERYTHING, scope(project="a"), False),
        (scope(project="a"), scope(project="a b"), True),
        (scope(project="a c"), scope(project="a b"), False),
        (scope(project="a", model="m"), scope(project="a"), True),
        (scope(model="m"), scope(project="a"), False),
        (scope(project="a"), Scope(never=(("project", frozenset("b")),)), True),
        (scope(project="a b"), Scope(never=(("project", frozenset("b")),)), False),
        (EVERYTHING, Scope(never=(("project", frozenset("b")),)), False),
    ],
)
def test_a_scope_is_within_another_where_all_its_usage_is(inner: Scope, outer: Scope, within: bool) -> None:
    assert is_within(inner, outer) is within


def tree(*parents: int | None) -> list[Budget]:
    """Budgets 0, 1, … named so, each with the one above it."""
    return [
        budget(budget_id=f"budget-{n}", name=f"{n}", parent_id=None if p is None else f"budget-{p}")
        for n, p in enumerate(parents)
    ]


def test_the_budgets_above_one_are_found_nearest_first_and_a_cycle_ends() -> None:
    budgets = tree(None, 0, 1)
    by_id = {one.budget_id: one for one in budgets}
    assert [one.name for one in ancestors(budgets[2], by_id)] == ["1", "0"]
    circle = tree(2, 0, 1)
    assert [one.name for one in ancestors(circle[2], {one.budget_id: one for one in circle})] == ["1", "0"]


def test_a_tree_is_read_from_the_top_by_name() -> None:
    found = in_tree(reversed([*tree(None, 0, 1, 0, None), *tree(None)[:0]]))
    assert [(one.name, depth) for one, depth in found] == [("0", 0), ("1", 1), ("2", 2), ("3", 1), ("4", 0)]
    orphan = in_tree(tree(None, 0, 1)[1:])
    assert [(one.name, depth) for one, depth in orphan] == [("1", 0), ("2", 1)]


def test_a_name_a_place_and_a_scope_have_to_fit() -> None:
    top = budget(budget_id="budget-0", name="top", scope={"project": ["a", "b"]})
    below: dict[str, Any] = {"budget_id": "budget-1", "name": "below", "parent_id": "budget-0"}
    check_place(budget(**below, scope={"project": "a"}), [top])
    with pytest.raises(InvalidInput, match=r"the scope of 'below' \(everything\) is not within"):
        check_place(budget(**below), [top])
    with pytest.raises(Conflict, match="a budget named 'top' already"):
        check_place(budget(budget_id="budget-1", name="top"), [top])
    with pytest.raises(InvalidInput, match="there is no budget 'budget-9'"):
        check_place(budget(budget_id="budget-1", name="x", parent_id="budget-9"), [top])
    child = budget(**below, scope={"project": "a"})
    with pytest.raises(InvalidInput, match="the scope of 'below'"):
        check_place(replace(top, scope=scope(project="b")), [child])


@pytest.mark.parametrize("parents", [(0,), (1, 0), (2, 0, 1)])
def test_no_budget_is_above_itself(parents: tuple[int, ...]) -> None:
    first, *others = tree(*parents)
    with pytest.raises(Conflict, match="is below this budget"):
        check_place(first, others)


def test_there_are_only_so_many() -> None:
    with pytest.raises(Conflict, match="2,000 is the limit"):
        check_place(
            budget(name="one more"), [budget(budget_id=f"budget-x{n}", name=f"{n}") for n in range(MOST_BUDGETS)]
        )


def test_a_change_takes_the_place_of_fields_and_null_takes_one_back() -> None:
    one = budget(scope={"project": "a"}, currency="EUR", rollover="unused")
    new = changed(one, {"amount": "7.5", "scope": None, "rollover": None}, now=NOW, names=same_names)
    assert (new.amount_e10, new.scope, new.rollover, new.currency) == (75 * E10 // 10, EVERYTHING, Rollover(), "EUR")
    assert (new.version, new.created_at, new.budget_id) == (2, one.created_at, one.budget_id)


def test_a_change_that_changes_nothing_is_none() -> None:
    one = budget(scope={"project": ["a", "b"]}, amount="1.50")
    assert (
        changed(
            one, {"amount": "1.5", "scope": {"project": ["b", "a"]}}, now=at("2027-01-01T00:00:00"), names=same_names
        )
        is one
    )
    with pytest.raises(InvalidInput):
        changed(one, {"amount": None}, now=NOW, names=same_names)


def test_another_period_leaves_out_what_belonged_to_the_old_one() -> None:
    one = budget(period="14 days", anchor_date="2026-03-02", timezone="Europe/Berlin")
    assert merged(one, {"period": "monthly"})["timezone"] == "Europe/Berlin"
    new = changed(one, {"period": "monthly"}, now=NOW, names=same_names)
    assert (new.periods.days, new.periods.anchor) == (None, None)


def test_a_budget_that_counts_other_usage_keeps_as_much_history_as_it_can() -> None:
    one = budget(effective_from="2025-10-01T00:00:00Z")
    assert one.counted_from == at("2025-10-01T00:00:00")
    narrower = changed(one, {"scope": {"project": "a"}}, now=NOW, names=same_names)
    assert narrower.counted_from == one.counted_from
    daily = changed(one, {"period": "daily"}, now=NOW, names=same_names)
    assert daily.counted_from == at("2026-02-19T00:00:00"), f"{MOST_CARRIED} days before this one"
    dearer = changed(one, {"amount": 7}, now=at("2027-01-01T00:00:00"), names=same_names)
    assert (dearer.counted_from, dearer.counts_the_same(one)) == (one.counted_from, True)
