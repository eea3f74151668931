"""Costing again: what is final stays, what has no price stays unless asked for, and what moves adds up."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.money import MAX_AMOUNT_PER_RECORD_E10
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.reprice_runs import Difference, Tally, by_model
from cost_ops.domain.repricing import CostedUsage, Kept, NewCost, exchanged, moves, reconsider
from cost_ops.domain.retention import cut_month, month_name
from cost_ops.domain.rollups import Contribution, Folded, fold
from cost_ops.domain.usage import Step
from tests.domain.builders import NOW, plain, rates

HERE = plain("1", "2", number=7)
BOOK = PriceBook([HERE, plain("1", "2", number=8, model="gone-by", effective_to=datetime(2020, 1, 1, tzinfo=UTC))])


def usage(cost: NewCost, **more: Any) -> CostedUsage:
    values: dict[str, Any] = {
        "organization_id": "org-1",
        "provider": "openai",
        "model_id": "m",
        "quantities": {"input": 1_000_000, "output": 1_000_000},
        "timestamp_us": to_us(NOW),
        "service_tier": None,
        "processing": None,
        "region": None,
        "uid": 1,
        "steps": (),
        "estimated": False,
        "project_id": "p",
        "user_id": "u",
        "tags": {"a": "b"},
    } | more
    return CostedUsage(
        status=cost.status,
        currency=cost.currency,
        cost_e10=cost.cost_e10,
        price_number=cost.price_number,
        step_prices=cost.step_prices,
        **values,
    )


def never(price: Price) -> None:
    raise AssertionError(f"{price} has a number")


THREE = NewCost("computed", "USD", 30_000_000_000, 7)
ONE = NewCost("computed", "USD", 10_000_000_000, 6)
UNPRICED = NewCost("unpriced", None, None, None)


@pytest.mark.parametrize(
    ("before", "more", "found"),
    [
        (ONE, {}, THREE),
        (THREE, {}, Kept.SAME),
        (UNPRICED, {}, THREE),
        (THREE._replace(price_number=6), {}, THREE),
        (THREE._replace(currency="EUR"), {}, THREE),
        (THREE, {"estimated": True}, THREE._replace(status="estimated")),
        (ONE._replace(status="reported"), {}, Kept.FINAL),
        (ONE._replace(status="invoiced"), {}, Kept.FINAL),
        (ONE, {"model_id": "gone-by"}, Kept.NO_PRICE),
        (UNPRICED, {"model_id": "gone-by"}, Kept.SAME),
        (ONE, {"quantities": {"images": 1}}, Kept.NO_PRICE),
        (ONE, {"quantities": {"input": MAX_AMOUNT_PER_RECORD_E10}}, Kept.NO_PRICE),
    ],
)
def test_a_cost_is_superseded_only_where_today_says_otherwise(before: NewCost, more: Any, found: Any) -> None:
    assert reconsider(BOOK, usage(before, **more), never) == found


def test_a_lost_price_takes_the_cost_only_where_that_is_asked_for() -> None:
    assert reconsider(BOOK, usage(ONE, model_id="gone-by"), never, unprice=True) == UNPRICED
    assert reconsider(BOOK, usage(UNPRICED, model_id="gone-by"), never, unprice=True) is Kept.SAME


def test_a_record_keeps_the_price_that_it_came_with() -> None:
    own = plain("1", "2", number=6, model="sent:abc", layer=Layer.DEFAULT, organization_id="org-1")
    book = PriceBook([HERE, own])
    assert reconsider(book, usage(ONE, model_id="unknown"), never, unprice=True) is Kept.SAME


def test_steps_are_costed_each_by_its_own_model() -> None:
    book = PriceBook([HERE, plain("10", "20", number=9, model="n")])
    steps = [Step(None, {"input": 1_000_000}, "main"), Step("n", {"output": 1_000_000}, "advisor")]
    found = reconsider(book, usage(ONE, steps=steps), never)
    assert found == NewCost("computed", "USD", 210_000_000_000, 7, (7, 9))
    assert isinstance(found, NewCost)
    assert reconsider(book, usage(found, steps=steps), never) is Kept.SAME
    assert reconsider(BOOK, usage(ONE, steps=steps), never) is Kept.NO_PRICE


def test_a_price_without_a_number_is_given_one() -> None:
    unnumbered = Price("openai", "m", "USD", rates({"meter": "input", "price": "1"}), layer=Layer.INSTALLATION)
    book = PriceBook([unnumbered])
    found = reconsider(book, usage(ONE, quantities={"input": 1_000_000}), lambda _: 41)
    assert found == NewCost("computed", "USD", 10_000_000_000, 41)


COSTS = st.builds(
    NewCost,
    st.sampled_from(["computed", "estimated"]),
    st.sampled_from(["USD", "EUR"]),
    st.integers(0, 10**12),
    st.integers(1, 9),
) | st.just(UNPRICED)


def added(*contributions: Sequence[Contribution]) -> Folded:
    return fold([one for some in contributions for one in some])


@given(before=COSTS, after=COSTS)
def test_what_moves_turns_the_old_sums_into_the_new_ones(before: NewCost, after: NewCost) -> None:
    old, new = usage(before), usage(after)
    nothing = usage(UNPRICED, quantities={})
    into = exchanged(nothing, old)[1:]
    assert added(into, moves(old, after)) == added(exchanged(nothing, new)[1:])
    assert added(into, exchanged(old, new)) == added(exchanged(nothing, new)[1:])


@given(st.lists(st.tuples(COSTS, COSTS), max_size=8))
def test_a_difference_adds_up_to_the_change_of_the_totals(changes: list[tuple[NewCost, NewCost]]) -> None:
    tally, difference = Tally(), Difference()
    for before, after in changes:
        tally.add(usage(before), after)
        difference.add(usage(before), after)
    assert Tally.from_json(tally.to_json()) == tally
    for rows in (difference.rows(), by_model(difference.rows())):
        for currency in ("USD", "EUR"):
            moved = sum(row.difference_e10 for row in rows if row.currency == currency)
            assert moved == tally.after_e10.get(currency, 0) - tally.before_e10.get(currency, 0)


@pytest.mark.parametrize(
    ("age", "month"),
    [
        ("1d", "2026-03"),
        ("15d", "2026-02"),
        ("400d", "2025-02"),
        ("1m", "2026-02"),
        ("13 months", None),
        ("13months", "2025-02"),
    ],
)
def test_an_age_keeps_whole_months(age: str, month: str | None) -> None:
    if month is None:
        with pytest.raises(InvalidInput, match="400d or 13m"):
            cut_month(age, NOW)
    else:
        assert month_name(cut_month(age, NOW)) == month


@pytest.mark.parametrize("age", ["", "0d", "-1d", "x", "9999m"])
def test_an_impossible_age_is_refused(age: str) -> None:
    with pytest.raises(InvalidInput):
        cut_month(age, NOW)
