"""What is spent of a budget is what the records say, whatever came before it, after it, and was changed later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.bootstrap import Application
from cost_ops.domain.budget_index import SpendKey
from cost_ops.domain.budget_sums import counted_periods, slots_of
from cost_ops.domain.budgets import Budget
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict, CostOpsError
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.domain.reprice_runs import RepriceRequest
from cost_ops.services import budget_sums, budgets, corrections, costs, repricing, retention
from tests.services.conftest import Desk

SPAN = TimeRange(datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
LAST = datetime(2026, 3, 16, tzinfo=UTC)
"""No usage of these tests is later."""

Sums = dict[tuple[datetime, str], tuple[int, int]]
"""(period's start, currency, empty for unpriced) → (cost, requests)."""


def kept(desk: Desk, budget: Budget) -> Sums:
    """What the budget's own sums say."""
    with desk.ctx.storage.ledger(desk.org) as ledger:
        moves = ledger.budgets.spends({budget.number: 0}, by_day=True)
    found: Sums = {}
    for key, (cost, requests) in moves.items():
        place = (datetime.fromtimestamp(key.period_start_us // 10**6, UTC), key.currency)
        before = found.get(place, (0, 0))
        found[place] = (before[0] + cost, before[1] + requests)
    return {place: sums for place, sums in found.items() if any(sums)}


def recorded(desk: Desk, budget: Budget) -> Sums:
    """The same by the records themselves, asked as anybody asks: period by period, with the scope as filters.

    Sums are never negative: periods that are asked for add up to the whole, so the others have nothing.
    """
    periods = counted_periods(budget, budget.counted_from, LAST)
    slots = slots_of(budget, periods)
    if not slots:
        return {}
    whole = asked(desk, budget, TimeRange(slots[0].start, slots[-1].end))
    found: Sums = {}
    for period, slot in zip(reversed(periods), reversed(slots), strict=True):
        if added(found) == whole:
            return found
        sums = asked(desk, budget, slot)
        found |= {(period.start, currency): one for currency, one in sums.items()}
    assert added(found) == whole
    return found


def asked(desk: Desk, budget: Budget, span: TimeRange) -> dict[str, tuple[int, int]]:
    query = CostQuery(span, filters=budget.scope.filters(), from_records=True, group_by=("currency",))
    rows = costs.query(desk.ctx, desk.org, query).rows
    return {row.group[0] or "": (row.cost_e10, row.requests) for row in rows if row.requests}


def added(sums: Sums) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for (_, currency), (cost, requests) in sums.items():
        before = found.get(currency, (0, 0))
        found[currency] = (before[0] + cost, before[1] + requests)
    return found


def assert_sound(desk: Desk) -> None:
    for budget in budgets.list_budgets(desk.ctx, desk.org):
        assert kept(desk, budget) == recorded(desk, budget), budget


def make(desk: Desk, **document: Any) -> Budget:
    return budgets.create(desk.ctx, desk.org, {"amount": 100, **document})


_names = st.sampled_from([None, "a", "b"])
_instants = st.sampled_from(
    [
        "2025-12-31T22:59:59.999999Z",
        "2025-12-31T23:00:00Z",
        "2026-01-31T18:30:00Z",
        "2026-02-10T04:59:59Z",
        "2026-02-28T23:59:59Z",
        "2026-03-01T00:00:00Z",
        "2026-03-08T06:59:59Z",  # the clocks of New York go forward
        "2026-03-08T07:00:00Z",
        "2026-03-14T18:15:00Z",  # midnight in Nepal
        "2026-03-15T00:00:00Z",
        "2026-03-15T11:00:00Z",
        "2026-03-15T11:59:59Z",
        "2026-03-15T12:04:00Z",
    ]
)
_records = st.fixed_dictionaries(
    {
        "model_id": st.sampled_from(["dollars", "euros", "unknown"]),
        "timestamp": _instants,
        "input_tokens": st.integers(1, 10**6),
        "output_tokens": st.integers(0, 10**6),
        "project_id": _names,
        "user_id": _names,
        "team_id": _names,
        "tags": st.none() | st.dictionaries(st.sampled_from(["env", "é'"]), st.sampled_from(["x", "y"]), min_size=1),
    }
)
_values = st.sampled_from(["a", ["a"], ["a", "b"], "c"])
_scopes = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(["openai", "OpenAI", ["google"]]),
        "model": st.sampled_from(["dollars", ["dollars", "unknown"], ["euros"]]),
        "project": _values,
        "user": _values,
        "team": _values,
        "api_key": st.sampled_from(["key1", ["key1", "key2"]]),
        "tag:env": st.sampled_from(["x", ["x", "y"]]),
        "tag:é'": st.sampled_from(["x", "z"]),
    },
)
_few: st.SearchStrategy[dict[str, Any]] = st.just({}) | _scopes
_periods = st.sampled_from(
    [
        {"period": "monthly"},
        {"period": "daily", "timezone": "Asia/Kathmandu"},
        {"period": "hourly", "timezone": "America/New_York"},
        {"period": "weekly", "timezone": "America/New_York"},
        {"period": "quarterly", "timezone": "Europe/Berlin", "fiscal_year_start": "02-01"},
        {"period": "yearly", "timezone": "Europe/Berlin"},
        {"period": "10 days", "anchor_date": "2026-03-01", "timezone": "Asia/Kathmandu"},
        {"period": "once", "start_date": "2026-01-31T18:30:00Z", "end_date": "2026-03-15T11:59:59Z"},
    ]
)
_forces = st.sampled_from(
    [
        {},
        {"effective_from": "2026-02-10T05:00:00Z"},
        {"effective_from": "2025-12-31T23:00:00Z", "effective_to": "2026-03-15T11:30:00Z"},
    ]
)
_budgets = st.builds(
    lambda scope, period, force, hard: {"scope": scope, **period, **force, "enforcement": hard},
    _few,
    _periods,
    _forces,
    st.sampled_from(["soft", "hard"]),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.lists(st.tuples(_records, st.sampled_from(["", "key1", "key2"])), min_size=1)),
        st.tuples(st.just("make"), _budgets),
        st.tuples(
            st.just("change"), st.tuples(st.integers(0, 50), st.one_of(_budgets, _scopes.map(lambda s: {"scope": s})))
        ),
        st.tuples(
            st.just("correct"),
            st.tuples(
                st.integers(0, 50),
                st.fixed_dictionaries(
                    {},
                    optional={
                        "input_tokens": st.integers(1, 10**6),
                        "project_id": _names,
                        "team_id": _names,
                        "model_id": st.sampled_from(["dollars", "euros", "unknown"]),
                        "tags": st.none() | st.just({"env": "y"}),
                    },
                ),
            ),
        ),
        st.tuples(st.just("reprice"), st.integers(1, 50)),
        st.tuples(st.just("erase"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("wait"), st.integers(1, 40)),
    ),
    min_size=4,
    max_size=12,
)


class Life:
    """A ledger to which things happen."""

    def __init__(self, application: Application) -> None:
        self.desk = Desk(application)
        self.desk.price("dollars")
        self.desk.price("euros", currency="EUR")
        self.usage_ids: list[str] = []

    def record(self, found: Sequence[tuple[dict[str, Any], str]]) -> None:
        desk = self.desk
        sent = [
            replace(desk.submission(**{k: v for k, v in fields.items() if v is not None}), api_key_id=key or None)
            for fields, key in found
        ]
        self.usage_ids += [one.usage_id for one in desk.record(*sent)]

    def make(self, document: dict[str, Any]) -> None:
        number = len(budgets.list_budgets(self.desk.ctx, self.desk.org))
        make(self.desk, name=f"b{number}", **document)

    def change(self, about: tuple[int, dict[str, Any]]) -> None:
        there = budgets.list_budgets(self.desk.ctx, self.desk.org)
        if there:
            one = there[about[0] % len(there)]
            budgets.change(self.desk.ctx, self.desk.org, one.budget_id, about[1])

    def correct(self, about: tuple[int, dict[str, Any]]) -> None:
        if self.usage_ids and about[1]:
            usage_id = self.usage_ids[about[0] % len(self.usage_ids)]
            corrections.correct(self.desk.ctx, self.desk.org, usage_id, about[1], reason="r")

    def reprice(self, cents: int) -> None:
        desk = self.desk
        rates: dict[str, Any] = {"input_price_per_1k": f"0.{cents:02d}", "output_price_per_1k": "0.03"}
        for model in ("dollars", "unknown"):
            since = datetime(2026, 2, 1, tzinfo=UTC) - timedelta(days=cents)
            try:
                desk.price(model, effective_from=since, **rates)
            except Conflict:
                continue  # one begins at this instant already
        repricing.work(desk.ctx, repricing.start(desk.ctx, desk.org, RepriceRequest(SPAN)))

    def erase(self, user_id: str) -> None:
        retention.erase(self.desk.ctx, self.desk.org, user_id, tags=["env"])

    def wait(self, days: int) -> None:
        self.desk.now += timedelta(days=days)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=_steps)
def test_the_sums_of_budgets_are_what_the_records_say_whatever_happens(
    application: Application, steps: Sequence[tuple[str, Any]]
) -> None:
    life = Life(application)
    for name, about in [*steps, ("make", {"period": "monthly"})]:
        getattr(life, name)(about)
        assert_sound(life.desk)
    assert budget_sums.verify(life.desk.ctx, life.desk.org)[0].differences == ()


def test_a_budget_knows_the_month_so_far_and_counts_on(desk: Desk) -> None:
    desk.price()
    for day in ("2026-02-27", "2026-03-01", "2026-03-14"):
        desk.record(desk.submission(timestamp=f"{day}T10:00:00Z"))
    budget = make(desk)
    march = datetime(2026, 3, 1, tzinfo=UTC)
    assert kept(desk, budget) == {(march, "USD"): (500_000_000, 2)}
    desk.record(desk.submission(timestamp="2026-03-02T00:00:00Z"))
    assert kept(desk, budget) == {(march, "USD"): (750_000_000, 3)}


def test_reckoning_while_usage_keeps_coming_in_loses_nothing(desk: Desk) -> None:
    desk.price()
    stop = threading.Event()
    failures: list[BaseException] = []

    def keep_recording(project: str) -> None:
        try:
            while not stop.is_set():
                desk.record(desk.submission(project_id=project), desk.submission(project_id="other"))
        except BaseException as error:  # noqa: BLE001 (told below)
            failures.append(error)

    threads = [threading.Thread(target=keep_recording, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    try:
        made = [make(desk, name=f"b{n}", scope={"project": ["a", "b"]} if n % 2 else None) for n in range(8)]
        for one in made:
            budgets.change(desk.ctx, desk.org, one.budget_id, {"period": "weekly"})
            budget_sums.verify(desk.ctx, desk.org)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert_sound(desk)
    assert budget_sums.verify(desk.ctx, desk.org, repair=False)[0].differences == ()


def spoil(desk: Desk, budget: Budget) -> None:
    """Have the sums say something else: a cent more on the first of March, and a day that never was."""
    with desk.ctx.storage.ledger(desk.org) as ledger:
        start_us = to_us(datetime(2026, 3, 1, tzinfo=UTC))
        day = start_us // 86_400_000_000
        ledger.budgets.set_bases(
            {
                SpendKey(budget.number, start_us, day, "USD"): (100_000_000, 1),
                SpendKey(budget.number, start_us, day + 3, "EUR"): (5, 1),
            }
        )


def test_verification_says_what_is_wrong_and_sets_it_right(desk: Desk) -> None:
    desk.price()
    budget = make(desk)
    desk.record(desk.submission(timestamp="2026-03-01T10:00:00Z"))
    spoil(desk, budget)
    (seen,) = budget_sums.verify(desk.ctx, desk.org, repair=False)
    assert seen.repaired is False
    assert seen.differences == (
        f"{budget.budget_id} in 2026-03, UTC day 2026-03-01: 0.035 USD of 2 requests where the ledger has 0.025 of 1",
        f"{budget.budget_id} in 2026-03, UTC day 2026-03-04: 0.0000000005 EUR of 1 requests where the ledger has "
        "0 of 0",
    )
    (done,) = budget_sums.verify(desk.ctx, desk.org)
    assert (done.differences, done.repaired) == (seen.differences, True)
    assert budget_sums.verify(desk.ctx, desk.org)[0].differences == ()
    assert_sound(desk)


def test_many_differences_are_counted(desk: Desk) -> None:
    budget = make(desk)
    start_us = to_us(datetime(2026, 3, 1, tzinfo=UTC))
    with desk.ctx.storage.ledger(desk.org) as ledger:
        day = start_us // 86_400_000_000
        ledger.budgets.set_bases({SpendKey(budget.number, start_us, day + n, "USD"): (n, 1) for n in range(1, 13)})
    (seen,) = budget_sums.verify(desk.ctx, desk.org)
    assert seen.differences[-1] == f"{budget.budget_id}: and 7 more sums"
    assert len(seen.differences) == 6


def test_sums_of_months_that_retention_removed_stay(desk: Desk) -> None:
    desk.price()
    desk.now = datetime(2026, 1, 20, tzinfo=UTC)
    budget, yearly = make(desk), make(desk, name="year", period="yearly")
    for day in ("2026-01-05", "2026-01-15"):
        desk.record(desk.submission(timestamp=f"{day}T10:00:00Z"))
    desk.now = datetime(2026, 2, 10, tzinfo=UTC)
    desk.record(desk.submission(timestamp="2026-02-05T10:00:00Z"))
    before = [kept(desk, one) for one in (budget, yearly)]
    retention.apply(desk.ctx, 2026 * 12 + 1)
    assert recorded(desk, budget) != before[0], "the records of January are gone"
    assert budget_sums.verify(desk.ctx, desk.org)[0].differences == ()
    assert [kept(desk, one) for one in (budget, yearly)] == before
    desk.record(desk.submission(timestamp="2026-02-06T10:00:00Z"))
    assert kept(desk, yearly)[datetime(2026, 1, 1, tzinfo=UTC), "USD"] == (1_000_000_000, 4)


@pytest.mark.parametrize("call", [lambda ctx: budget_sums.verify(ctx, "nobody-here")])
def test_an_unknown_organization_is_not_found(desk: Desk, call: Callable[[Any], Any]) -> None:
    with pytest.raises(CostOpsError, match="No organization 'nobody-here'"):
        call(desk.ctx)
