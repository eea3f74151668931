"""What several sources say of a price: who agrees, what is published, and that order changes nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.agreement import TOLERANCE, Opinion, agree, differences, fingerprint, judge
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.prices import Confidence, Layer, Price
from cost_ops.domain.rates import rates_from_json


def price(input_price: Any = "2", output_price: Any = "8", *more: dict[str, Any], **fields: Any) -> Price:
    items = [{"meter": "input", "price": str(input_price)}, {"meter": "output", "price": str(output_price)}, *more]
    rates, problems = rates_from_json([item for item in items if item.get("price") != "None"])
    assert not problems
    return replace(Price("p", "m", "USD", rates, layer=Layer.CATALOG), **fields)


def opinion(rank: int, found: Price, publisher: str | None = None) -> Opinion:
    name = publisher or f"publisher {rank}"
    return Opinion(replace(found, source=f"source of {name}"), name, rank)


def test_prices_within_half_a_percent_agree_and_beyond_it_they_do_not() -> None:
    assert agree(price("2"), price("2.01"))
    assert agree(price("2.01"), price("2"))
    assert not agree(price("2"), price("2.0101"))


def test_only_rates_that_both_state_are_compared() -> None:
    cached = {"meter": "input_cache_read", "price": "0.2"}
    assert agree(price("2", "8", cached), price("2"))
    assert not agree(price("2", "8", cached), price("2", "8", cached | {"price": "0.3"}))


def test_opinions_without_a_rate_in_common_confirm_nothing() -> None:
    assert not agree(price("2", None), price(None, "8"))


def test_zero_agrees_with_zero_only() -> None:
    assert agree(price("0", "0"), price("0", "0"))
    assert not agree(price("0", "0"), price("0.000001", "0"))


def test_a_fraction_of_another_rate_is_compared_by_what_it_comes_to() -> None:
    fraction = {"meter": "input_cache_read", "fraction": "0.1", "of": "input"}
    assert agree(price("2", "8", fraction), price("2", "8", {"meter": "input_cache_read", "price": "0.2"}))


def test_another_currency_is_another_price() -> None:
    assert not agree(price(), price(currency="EUR"))


def test_units_do_not_matter_and_included_quantities_do() -> None:
    thousand = {"meter": "web_searches", "price": "10", "per": 1000}
    single = {"meter": "web_searches", "price": "0.01", "per": 1}
    assert agree(price("2", "8", thousand), price("2", "8", single))
    assert not agree(price("2", "8", thousand), price("2", "8", single | {"included": 5}))


def test_two_publishers_that_agree_confirm_the_higher_ranked_ones_price() -> None:
    verdict = judge([opinion(2, price("2.005")), opinion(1, price("2"))])
    assert (verdict.confidence, verdict.published.rank) == (Confidence.CONFIRMED, 1)
    assert [o.rank for o in verdict.agreeing] == [2]
    assert verdict.dissenting == ()


def test_where_none_agree_the_highest_rank_is_published_as_provisional() -> None:
    verdict = judge([opinion(3, price("4")), opinion(2, price("3")), opinion(1, price("2"))])
    assert (verdict.confidence, verdict.published.rank) == (Confidence.PROVISIONAL, 1)
    assert [o.rank for o in verdict.dissenting] == [2, 3]


def test_two_that_agree_outvote_a_higher_rank() -> None:
    verdict = judge([opinion(1, price("4")), opinion(2, price("2")), opinion(3, price("2"))])
    assert (verdict.confidence, verdict.published.rank) == (Confidence.CONFIRMED, 2)
    assert [o.rank for o in verdict.dissenting] == [1]


def test_copies_of_one_publisher_are_one_voice() -> None:
    verdict = judge([opinion(2, price("2"), "litellm"), opinion(2, price("2"), "litellm")])
    assert verdict.confidence is Confidence.PROVISIONAL
    assert verdict.is_single


def test_differences_name_the_rate_with_both_values() -> None:
    [difference] = differences(price("2", "8"), price("2", "9"))
    assert (difference.meter, str(difference.one.price), str(difference.other.price)) == ("output", "8", "9")
    assert difference.to_json()["other"] == {"meter": "output", "price": "9", "per": 1000000}


def test_a_fingerprint_is_of_what_is_said_not_of_how() -> None:
    one = price("2", "8")
    other = replace(one, rates=tuple(reversed(one.rates)), source="elsewhere", number=7)
    thousand, _ = rates_from_json(
        [{"meter": "input", "price": "0.002", "per": 1000}, {"meter": "output", "price": "8"}]
    )
    assert fingerprint(one) == fingerprint(other) == fingerprint(replace(one, rates=thousand))
    assert fingerprint(one) != fingerprint(replace(one, multipliers=(Multiplier(Decimal("1.1")),)))
    assert fingerprint(one) != fingerprint(price("2", "8.000001"))


AMOUNTS = st.sampled_from(["2", "2.005", "2.01", "2.02", "3", "0"])
OPINIONS = st.lists(st.builds(opinion, st.integers(1, 3), st.builds(price, AMOUNTS, AMOUNTS)), min_size=1, max_size=4)


@given(OPINIONS)
def test_the_order_of_sources_does_not_change_what_is_published(found: list[Opinion]) -> None:
    verdicts = [judge(list(order)) for order in permutations(found)]
    assert len({(v.confidence, fingerprint(v.published.price), v.published.rank) for v in verdicts}) == 1


@given(OPINIONS)
def test_a_confirmed_price_has_another_publisher_within_the_tolerance(found: list[Opinion]) -> None:
    verdict = judge(found)
    others = [o for o in found if o.publisher != verdict.published.publisher]
    supported = any(agree(verdict.published.price, o.price) for o in others)
    assert supported == (verdict.confidence is Confidence.CONFIRMED)
    if not supported:
        assert verdict.published.rank == min(o.rank for o in found)


@given(st.decimals("0.0001", "1000", places=4), st.decimals("0.0001", "1000", places=4))
def test_agreement_is_symmetric_and_exact(one: Decimal, other: Decimal) -> None:
    close = abs(Fraction(one) - Fraction(other)) <= TOLERANCE * max(Fraction(one), Fraction(other))
    assert agree(price(one, None), price(other, None)) is close
    assert agree(price(other, None), price(one, None)) is close


@pytest.mark.parametrize("url", ["https://example.com/prices", None])
def test_an_opinion_carries_its_source_and_page(url: str | None) -> None:
    shown = opinion(2, price(detail={"url": url}), "litellm").to_json()
    assert (shown["source"], shown["url"], shown["publisher"]) == ("source of litellm", url, "litellm")
