"""Budgets as a service: who may make which, what is kept of a change, and what happens at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.budgets import Budget
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.scopes import Scope
from cost_ops.services import audit, budget_standing, budget_sums, budgets
from tests.services.conftest import Desk

E10 = 10**10


def make(desk: Desk, **document: Any) -> Budget:
    return budgets.create(desk.ctx, desk.org, {"amount": 100, **document})


def bound(desk: Desk, scope: Scope, *permissions: str) -> Any:
    return desk.context(Principal(desk.org, "key1", frozenset(permissions or PERMISSIONS), scope=scope))


def spent(desk: Desk, budget: Budget) -> int:
    return budget_standing.get_status(desk.ctx, desk.org, budget.budget_id)[0].status.spent_e10


def test_names_in_a_scope_are_those_of_the_ledger(desk: Desk) -> None:
    secret = f"sk_live_abcd1234_{'x' * 43}"
    made = make(desk, scope={"provider": "OpenAI", "api_key": [secret, "efgh5678"], "project": " p "})
    assert dict(made.scope.only) == {
        "provider": {"openai"},
        "api_key": {"abcd1234", "efgh5678"},
        "project": {"p"},
    }
    trail, _ = audit.page(desk.ctx, desk.org, audit.AuditQuery())
    assert "abcd1234" in str(trail)
    assert secret not in str(trail), "a secret that was pasted in is kept nowhere"


def test_every_change_is_kept_with_before_and_after(desk: Desk) -> None:
    made = make(desk, name="b")
    budgets.change(desk.ctx, desk.org, made.budget_id, {"amount": "7.50", "scope": {"project": "p"}})
    budgets.remove(desk.ctx, desk.org, made.budget_id)
    events, _ = audit.page(desk.ctx, desk.org, audit.AuditQuery(resource=made.budget_id))
    assert [str(one.action) for one in events] == ["budgets.removed", "budgets.changed", "budgets.added"]
    changed = events[1].detail
    assert changed == {
        "before": {"amount": "100", "scope": {}},
        "after": {"amount": "7.5", "scope": {"project": ["p"]}},
    }


def test_of_two_who_make_the_same_at_once_one_does(desk: Desk) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            make(desk, name="the same")
            outcomes.append("made")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", *["refused"] * 5]
    assert len(budgets.list_budgets(desk.ctx, desk.org)) == 1


def test_of_changes_at_once_none_is_lost_unsaid(desk: Desk) -> None:
    made = make(desk, name="b")
    outcomes: list[str] = []

    def change(amount: int) -> None:
        try:
            budgets.change(desk.ctx, desk.org, made.budget_id, {"amount": amount}, version=1)
            outcomes.append("changed")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=change, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["changed", *["refused"] * 5]
    assert budgets.get_budget(desk.ctx, desk.org, made.budget_id).version == 2


def test_a_hard_budget_knows_what_is_spent_from_its_first_instant(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.price()
    desk.record(desk.submission())
    with monkeypatch.context() as patched:
        patched.setattr(budget_sums, "reckon", lambda *_: None)  # as if the process had died right then
        hard, soft = make(desk, name="hard", enforcement="hard"), make(desk, name="soft")
        narrower = budgets.change(desk.ctx, desk.org, hard.budget_id, {"period": "weekly"})
    assert (spent(desk, narrower), spent(desk, soft)) == (250_000_000, 0)
    assert budget_sums.verify(desk.ctx, desk.org)[0].repaired is True
    assert (spent(desk, narrower), spent(desk, soft)) == (250_000_000, 250_000_000)


def test_what_is_beyond_a_scope_is_neither_seen_nor_made(desk: Desk) -> None:
    wide = make(desk, name="wide")
    mine = make(desk, name="mine", scope={"project": "a"})
    ctx = bound(desk, Scope((("project", frozenset({"a"})),)))
    assert budgets.list_budgets(ctx, None) == [mine]
    for call in (budgets.get_budget, budgets.remove, budget_standing.get_status, budget_standing.preview):
        with pytest.raises(NotFound):
            call(ctx, None, wide.budget_id)
    with pytest.raises(Forbidden):
        budgets.create(ctx, None, {"amount": 1, "scope": {"project": ["a", "b"]}})
    with pytest.raises(Forbidden):
        budgets.change(ctx, None, mine.budget_id, {"scope": {}})
    with pytest.raises(InvalidInput, match="there is no budget"):
        budgets.change(ctx, None, mine.budget_id, {"parent_id": wide.budget_id})
    deny = bound(desk, Scope(never=(("project", frozenset({"secret"})),)))
    assert budgets.list_budgets(deny, None) == [mine]


def test_a_parent_out_of_sight_stays_where_it_is(desk: Desk) -> None:
    wide = make(desk, name="wide")
    mine = make(desk, name="mine", scope={"project": "a"}, parent_id=wide.budget_id)
    ctx = bound(desk, Scope((("project", frozenset({"a"})),)))
    changed = budgets.change(ctx, None, mine.budget_id, {"amount": 7})
    assert changed.parent_id == wide.budget_id


@pytest.mark.parametrize("call", [budgets.list_budgets, budget_standing.list_statuses])
def test_an_owner_says_whose_budgets_are_meant(desk: Desk, call: Any) -> None:
    with pytest.raises(InvalidInput, match="organization_id is required"):
        call(desk.ctx, None)
    with pytest.raises(NotFound):
        call(desk.ctx, "nobody-here")


def test_a_month_is_watched_as_it_goes_by(desk: Desk) -> None:
    desk.price()
    desk.now = datetime(2026, 3, 1, 10, tzinfo=UTC)
    made = make(desk, amount="0.5", rollover="unused")
    for day in range(1, 32):
        desk.now = datetime(2026, 3, day, 12, tzinfo=UTC)
        desk.record(desk.submission())
        assert spent(desk, made) == day * 250_000_000
    desk.now = datetime(2026, 4, 1, tzinfo=UTC)
    standing, _ = budget_standing.get_status(desk.ctx, desk.org, made.budget_id)
    status = standing.status
    assert (status.label, status.spent_e10, status.carried_e10) == ("2026-04", 0, 0), "March was overspent"
    late = desk.submission(timestamp="2026-03-31T23:59:59Z", input_tokens=1, output_tokens=0)
    desk.record(late)
    march, _ = budget_standing.get_status(desk.ctx, desk.org, made.budget_id, datetime(2026, 3, 5, tzinfo=UTC))
    assert march.status.spent_e10 == 31 * 250_000_000 + 100_000
    assert march.days_left == 0
    assert march.status.pace is None


def test_history_goes_back_as_far_as_the_sums(desk: Desk) -> None:
    desk.price()
    made = make(desk, effective_from="2026-01-20T00:00:00Z", period="weekly")
    weeks = [one.label for one in budget_standing.get_history(desk.ctx, desk.org, made.budget_id, 50)]
    assert (weeks[0], weeks[-1], len(weeks)) == ("2026-W11", "2026-W04", 8)
    assert len(budget_standing.get_history(desk.ctx, desk.org, made.budget_id, 3)) == 3


def test_statuses_come_by_page_in_the_order_of_the_tree(desk: Desk) -> None:
    top = make(desk, name="top")
    for n in range(3):
        make(desk, name=f"below {n}", parent_id=top.budget_id)
    future = make(desk, name="a future one", effective_from="2027-01-01T00:00:00Z")
    found, total = budget_standing.list_statuses(desk.ctx, desk.org, offset=1, limit=2)
    assert total == 5
    assert [(one.status.budget.name, one.depth) for one in found] == [("top", 0), ("below 0", 1)]
    standing, _ = budget_standing.get_status(desk.ctx, desk.org, future.budget_id)
    assert (standing.in_force, standing.status.label) == (False, "2027-01")
    before = datetime(2026, 2, 1, tzinfo=UTC)
    assert budget_standing.list_statuses(desk.ctx, desk.org, before)[0][0].status.budget == future
    with pytest.raises(InvalidInput, match="before this budget's sums begin"):
        budget_standing.get_status(desk.ctx, desk.org, top.budget_id, before)


def test_a_preview_is_as_good_as_the_budget_would_have_been(desk: Desk) -> None:
    desk.price()
    start = datetime(2025, 12, 1, tzinfo=UTC)
    desk.record(*(desk.submission(timestamp=(start + timedelta(days=n)).isoformat()) for n in range(100)))
    _, foreseen = budget_standing.preview_document(desk.ctx, desk.org, {"amount": "0.5", "rollover": "both"})
    made = make(desk, amount="0.5", rollover="both", effective_from="2025-12-01T00:00:00Z")
    periods = budget_standing.get_history(desk.ctx, desk.org, made.budget_id)
    assert [(one.label, one.limit_e10, one.spend.cost_e10) for one in foreseen] == [
        (one.label, one.limit_e10, one.spent_e10) for one in periods
    ]
    assert replace(foreseen[-1], crossings=()).spend.cost_e10 == 31 * 250_000_000
