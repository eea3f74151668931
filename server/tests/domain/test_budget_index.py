"""Which budgets a record counts for: the index says what going through all of them says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.budget_index import BudgetIndex, SpendKey, Watched
from cost_ops.domain.budgets import Budget
from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import Contribution, Measures, Series
from tests.domain.budget_values import at, budget
from tests.domain.builders import NOW

_names = st.sampled_from(["a", "b", "c"])
_maybe = st.none() | _names
_scopes = st.dictionaries(
    st.sampled_from(["provider", "model", "project", "user", "team", "api_key", "tag:k", "tag:l"]),
    st.lists(_names, min_size=1, max_size=3),
    max_size=3,
)
_contributions = st.builds(
    lambda us, provider, model, currency, cost, requests, project, user, tags, team, key: Contribution(
        "org-1",
        us,
        Series(provider, model, currency, "computed"),
        Measures(requests, cost_e10=cost),
        project,
        user,
        tags,
        team,
        key,
    ),
    st.integers(to_us(NOW - timedelta(days=40)), to_us(NOW + timedelta(days=40))),
    _names,
    _names,
    st.sampled_from(["USD", "EUR", ""]),
    st.integers(-3, 3),
    st.integers(-1, 1),
    _maybe,
    _maybe,
    st.none() | st.dictionaries(st.sampled_from(["k", "l"]), _names),
    _maybe,
    _maybe,
)


def value_of(one: Contribution, dimension: str) -> str | None:
    """A record's value of a dimension, written out."""
    if dimension.startswith("tag:"):
        return (one.tags or {}).get(dimension[4:])
    return {
        "provider": one.series.provider,
        "model": one.series.model_id,
        "project": one.project_id,
        "user": one.user_id,
        "team": one.team_id,
        "api_key": one.api_key_id,
    }[dimension]


def by_hand(budgets: list[Budget], contributions: list[Contribution]) -> dict[SpendKey, tuple[int, int]]:
    found: dict[SpendKey, tuple[int, int]] = {}
    for one in budgets:
        for record in contributions:
            instant = at("1970-01-01T00:00:00") + timedelta(microseconds=record.timestamp_us)
            if not one.counts(instant) or any(value_of(record, d) not in values for d, values in one.scope.only):
                continue
            period = one.periods.at(instant)
            assert period is not None
            day = (instant - at("1970-01-01T00:00:00")).days
            key = SpendKey(one.number, period.start_us, day, record.series.currency)
            before = found.get(key, (0, 0))
            found[key] = (before[0] + record.measures.cost_e10, before[1] + record.measures.requests)
    return {key: sums for key, sums in found.items() if any(sums)}


@given(
    st.lists(
        st.tuples(
            _scopes,
            st.sampled_from(["monthly", "hourly", "weekly", "10 days"]),
            st.sampled_from(["UTC", "Asia/Kathmandu"]),
        ),
        max_size=8,
    ),
    st.lists(_contributions, max_size=12),
)
def test_the_index_finds_what_a_search_finds(scopes: list[Any], contributions: list[Contribution]) -> None:
    budgets = [
        replace(budget(scope=scope, period=period, timezone=zone), number=number)
        for number, (scope, period, zone) in enumerate(scopes)
    ]
    index = BudgetIndex(budgets)
    assert index.moves(contributions) == by_hand(budgets, contributions)
    assert index.moves(contributions) == by_hand(budgets, contributions), "the second time from what is remembered"


def test_ended_budgets_count_nothing() -> None:
    index = BudgetIndex([replace(budget(), ended_at=NOW, number=1)])
    assert not index
    assert not index.moves(
        [Contribution("org-1", to_us(NOW), Series("p", "m", "USD", "computed"), Measures(1), None, None, None)]
    )


def test_a_budget_remembers_its_period_and_looks_again_beyond_it() -> None:
    watched = Watched(budget(effective_to="2026-04-20T00:00:00Z"))
    instants = (
        "2026-03-01T00:00:00",
        "2026-03-31T23:59:59",
        "2026-04-01T00:00:00",
        "2026-04-19T00:00:00",
        "2026-03-02T00:00:00",
    )
    march, april = to_us(at("2026-03-01T00:00:00")), to_us(at("2026-04-01T00:00:00"))
    assert [watched.period_start_us(to_us(at(one))) for one in instants] == [march, march, april, april, march]
    assert watched.period_start_us(march - 1) is None
    assert watched.period_start_us(to_us(at("2026-04-20T00:00:00"))) is None


def test_values_with_the_same_text_in_other_dimensions_are_not_mixed_up() -> None:
    index = BudgetIndex(
        [replace(budget(scope={"project": "x"}), number=1), replace(budget(scope={"user": "x"}), number=2)]
    )
    values = {"project": "x", "user": None}
    assert [one.budget.number for one in index.matching(values.get)] == [1]
