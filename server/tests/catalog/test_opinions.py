"""A sync of several sources: what is published, what waits, and that doing it again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.preparing import Prepared, prepare
from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus, decided, waiting_price
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price, insert
from cost_ops.domain.rates import rates_from_json
from tests.catalog.moments import TODAY

LATER = TODAY + timedelta(days=3)
NAMES = {0: "own", 1: "genai-prices", 2: "litellm", 3: "models.dev"}


def row(model: str, input_price: Any, rank: int, provider: str = "openai", **more: Any) -> Price:
    rates, problems = rates_from_json(
        [{"meter": "input", "price": str(input_price)}, {"meter": "output", "price": "9"}]
    )
    assert not problems
    return Price(provider, model, "USD", rates, layer=Layer.CATALOG, source=f"{NAMES[rank]} file", **more)


def source(rank: int, *aliases: Alias, **models: Any) -> CatalogueData:
    prices = tuple(row(name, price, rank) for name, price in models.items())
    return CatalogueData(prices, aliases, f"{NAMES[rank]} file", publisher=NAMES[rank], rank=rank)


class Shelf:
    """A stored catalogue with its reviews, as the service keeps them."""

    def __init__(self) -> None:
        self.prices: list[Price] = []
        self.reviews: list[PriceReview] = []

    def sync(self, *sources: CatalogueData, now: datetime = TODAY, accept: Any = False, **more: Any) -> Prepared:
        found = prepare(sources, stored=self.prices, reviews=self.reviews, now=now, accept=accept, **more)
        ends: dict[int | None, datetime | None] = dict(found.plan.ended)
        self.prices = [replace(p, effective_to=ends.get(p.number, p.effective_to)) for p in self.prices]
        self.prices += [replace(p, number=len(self.prices) + i) for i, p in enumerate(found.plan.added_rows, 1)]
        for numbers, status in (
            (found.news.superseded, ReviewStatus.SUPERSEDED),
            (found.news.accepted, ReviewStatus.ACCEPTED),
        ):
            self.reviews = [replace(r, status=status) if r.number in numbers else r for r in self.reviews]
        self.reviews += [replace(r, number=len(self.reviews) + i) for i, r in enumerate(found.news.raised, 1)]
        return found

    def accept(self, review: PriceReview, now: datetime, opinion: int | None = None) -> None:
        wanted = waiting_price(review, now, opinion)
        timeline = [p for p in self.prices if (p.provider, p.model_id) == (wanted.provider, wanted.model_id)]
        insertion = insert(timeline, wanted, now=now)
        if insertion.ended is not None:
            self.prices = [insertion.ended if p.number == insertion.ended.number else p for p in self.prices]
        self.prices.append(replace(insertion.added, number=len(self.prices) + 1))
        self.decide(review, ReviewStatus.ACCEPTED)

    def decide(self, review: PriceReview, status: ReviewStatus) -> None:
        self.reviews = [decided(r, status, TODAY, "me") if r.number == review.number else r for r in self.reviews]

    def today(self, model: str, now: datetime = LATER) -> Price:
        (found,) = [p for p in self.prices if p.model_id == model and p.valid_at(now)]
        return found

    def input(self, model: str, now: datetime = LATER) -> str:
        return str(self.today(model, now).rates[0].price)

    def open(self) -> list[PriceReview]:
        return [r for r in self.reviews if r.status is ReviewStatus.OPEN]


def test_with_one_source_prices_have_no_confidence_and_nothing_is_compared() -> None:
    shelf = Shelf()
    found = shelf.sync(source(1, m="2"))
    assert (shelf.today("m").confidence, found.merged.judged, shelf.reviews) == (None, (), [])


def test_what_two_sources_say_is_confirmed_with_their_names() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.005"))
    price = shelf.today("m")
    assert (price.confidence, price.source, shelf.input("m")) == ("confirmed", "genai-prices file", "2")
    assert price.detail is not None
    assert [(s["source"], s["agrees"]) for s in price.detail["sources"]] == [
        ("genai-prices file", True),
        ("litellm file", True),
    ]


def test_where_sources_disagree_the_first_is_provisional_and_people_are_asked_once() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.5"), source(3, m="3"))
    assert (shelf.today("m").confidence, shelf.input("m")) == ("provisional", "2")
    [review] = shelf.open()
    assert review.kind is ReviewKind.DISAGREEMENT
    assert [o["source"] for o in review.detail["opinions"]] == ["genai-prices file", "litellm file", "models.dev file"]
    again = shelf.sync(source(1, m="2"), source(2, m="2.5"), source(3, m="3"), now=LATER)
    assert (again.plan.added_rows, again.news.raised, len(shelf.reviews)) == ((), (), 1)


def test_a_model_of_one_source_is_provisional_and_only_counted() -> None:
    shelf = Shelf()
    found = shelf.sync(source(1, m="2"), source(2, m="2", only="7"))
    assert (shelf.today("only").confidence, found.merged.single, shelf.reviews) == ("provisional", 1, [])


def test_a_stored_price_is_not_written_again_to_say_that_one_source_has_it() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2", only="7"))
    found = shelf.sync(source(1, m="2", only="7"), source(2, m="2"), now=LATER)
    assert [p.model_id for p in found.plan.added_rows] == ["m"]
    assert (shelf.today("m").confidence, shelf.today("only").confidence) == ("confirmed", None)


def test_a_sync_of_one_source_keeps_what_several_confirmed() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2"))
    found = shelf.sync(source(1, m="2"), now=LATER)
    assert (found.plan.added_rows, shelf.today("m").confidence) == ((), "confirmed")


def test_a_price_that_two_lower_sources_outvote_does_not_come_back() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="3"), source(2, m="2.5"), source(3, m="2.5"))
    assert (shelf.input("m"), shelf.today("m").confidence) == ("2.5", "confirmed")
    shelf.sync(source(1, m="3"), now=LATER)
    assert shelf.input("m") == "2.5"
    shelf.sync(source(1, m="2.8"), now=LATER)
    assert shelf.input("m") == "2.8"


@pytest.mark.parametrize(("price", "kind"), [("5", ReviewKind.JUMP), ("0.9", ReviewKind.JUMP), ("0", ReviewKind.ZERO)])
def test_a_large_change_waits_with_both_prices_and_the_old_one_stays(price: str, kind: ReviewKind) -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"))
    shelf.sync(source(1, m=price), now=LATER)
    assert shelf.input("m") == "2"
    [review] = shelf.open()
    assert review.kind is kind
    assert [o["rates"][0]["price"] for o in review.detail["opinions"]] == ["2", price]
    shelf.sync(source(1, m=price), now=LATER)
    assert len(shelf.reviews) == 1


@pytest.mark.parametrize("accept", [["m"], ["openai/m"], ["all"], True])
def test_a_large_change_that_is_accepted_by_name_is_applied_and_its_review_is_closed(accept: Any) -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2", other="2"))
    shelf.sync(source(1, m="5", other="2"), now=LATER)
    shelf.sync(source(1, m="5", other="2"), now=LATER, accept=accept)
    assert (shelf.input("m"), shelf.reviews[0].status) == ("5", ReviewStatus.ACCEPTED)


def test_accepting_another_model_leaves_this_one() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"))
    shelf.sync(source(1, m="5"), now=LATER, accept=["n"])
    assert (shelf.input("m"), len(shelf.open())) == ("2", 1)


def test_two_sources_that_agree_on_a_large_change_still_wait() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"))
    shelf.sync(source(1, m="9"), source(2, m="9"), now=LATER)
    assert (shelf.input("m"), [r.kind for r in shelf.open()]) == ("2", [ReviewKind.JUMP])


def test_an_accepted_review_applies_what_waits_and_later_syncs_leave_it() -> None:
    shelf = Shelf()
    sources = (source(1, m="2"), source(2, m="2.5"))
    shelf.sync(*sources)
    shelf.accept(shelf.open()[0], LATER)
    assert (shelf.input("m"), shelf.today("m").confidence) == ("2.5", "confirmed")
    for again in ([*sources], [sources[0]]):
        found = shelf.sync(*again, now=LATER + timedelta(days=1))
        assert (found.plan.added_rows, found.news.raised, shelf.input("m")) == ((), (), "2.5")
    assert [p.effective_to for p in shelf.prices] == [LATER, None]


def test_another_opinion_than_the_waiting_one_can_be_accepted() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.5"), source(3, m="3"))
    shelf.accept(shelf.open()[0], LATER, opinion=3)
    assert shelf.input("m") == "3"


def test_an_accepted_jump_can_be_taken_back_by_the_source() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"))
    shelf.sync(source(1, m="3.5"), now=LATER)
    shelf.accept(shelf.open()[0], LATER)
    assert shelf.input("m") == "3.5"
    shelf.sync(source(1, m="2"), now=LATER + timedelta(days=1))
    assert shelf.input("m", LATER + timedelta(days=2)) == "2"


def test_a_dismissed_review_is_not_raised_again_until_the_sources_say_something_else() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.5"))
    shelf.decide(shelf.open()[0], ReviewStatus.DISMISSED)
    shelf.sync(source(1, m="2"), source(2, m="2.5"), now=LATER)
    assert shelf.open() == []
    shelf.sync(source(1, m="2"), source(2, m="2.7"), now=LATER)
    assert len(shelf.open()) == 1


def test_a_new_disagreement_takes_the_place_of_the_open_one() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.5"))
    shelf.sync(source(1, m="2"), source(2, m="2.7"), now=LATER)
    assert [r.status for r in shelf.reviews] == [ReviewStatus.SUPERSEDED, ReviewStatus.OPEN]


def test_sources_that_agree_again_close_the_review_and_confirm_the_price() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(2, m="2.5"))
    shelf.sync(source(1, m="2"), source(2, m="2"), now=LATER)
    assert (shelf.open(), shelf.today("m").confidence) == ([], "confirmed")


ALIAS = Alias("openai", "starts_with", "m-", "m")


def test_a_name_that_the_first_source_has_by_an_alias_needs_no_row_where_they_agree() -> None:
    shelf = Shelf()
    shelf.sync(source(1, ALIAS, m="2"), source(2, **{"m-2026": "2"}))
    assert [p.model_id for p in shelf.prices] == ["m"]
    assert shelf.today("m").confidence == "confirmed"


def test_a_name_that_is_priced_as_another_model_is_asked_about_where_they_differ() -> None:
    shelf = Shelf()
    shelf.sync(source(1, ALIAS, m="2"), source(2, **{"m-2026": "2.5"}))
    assert [p.model_id for p in shelf.prices] == ["m"]
    [review] = shelf.open()
    assert (review.model_id, review.detail["through"]) == ("m-2026", "m")
    shelf.accept(review, LATER)
    assert (shelf.input("m-2026"), shelf.input("m")) == ("2.5", "2")


def test_a_name_that_two_sources_price_far_from_its_alias_waits() -> None:
    shelf = Shelf()
    shelf.sync(source(1, ALIAS, m="2"), source(2, **{"m-2026": "9"}), source(3, **{"m-2026": "9"}))
    assert [p.model_id for p in shelf.prices] == ["m"]
    assert [(r.model_id, r.kind) for r in shelf.open()] == [("m-2026", ReviewKind.JUMP)]


def test_a_new_model_that_is_free_according_to_one_second_hand_source_is_not_taken() -> None:
    shelf = Shelf()
    data = source(2, m="2")
    free = replace(
        data.prices[0], model_id="free", rates=tuple(replace(r, price=r.price * 0) for r in data.prices[0].rates)
    )
    found = shelf.sync(replace(data, prices=(*data.prices, free)))
    assert ([p.model_id for p in shelf.prices], [h.kind for h in found.plan.held]) == (["m"], [ReviewKind.ZERO])
    assert shelf.reviews == []
    shelf.sync(replace(data, prices=(*data.prices, free)), accept=["free"])
    assert shelf.input("free") == "0"


def test_only_the_prices_of_a_named_provider_are_looked_at() -> None:
    shelf = Shelf()
    data = replace(source(1, m="2"), prices=(row("m", "2", 1), row("n", "3", 1, provider="x-ai")))
    found = shelf.sync(data, provider="xai")
    assert [p.model_id for p in found.plan.added_rows] == ["n"]


def test_own_price_lists_are_heard_before_everyone() -> None:
    shelf = Shelf()
    shelf.sync(source(1, m="2"), source(0, m="2.4"))
    assert (shelf.input("m"), shelf.today("m").confidence) == ("2.4", "provisional")


def test_aliases_are_those_of_the_first_source_that_has_any() -> None:
    assert Shelf().sync(source(2, m="2"), source(1, ALIAS, m="2")).merged.data.aliases == (ALIAS,)


PRICES = st.sampled_from(["2", "2.005", "2.4", "3", "9", "0"])
MODELS = st.dictionaries(st.sampled_from(["m", "m-2026", "n"]), PRICES, max_size=3)
SOURCES = st.lists(st.tuples(st.integers(0, 3), MODELS), min_size=1, max_size=4, unique_by=lambda item: item[0])


def built(found: Sequence[tuple[int, dict[str, str]]]) -> list[CatalogueData]:
    return [source(rank, *([ALIAS] if rank == 1 else []), **models) for rank, models in found]


@given(st.lists(st.tuples(SOURCES, st.sampled_from([False, True, ("m",)])), min_size=1, max_size=4))
def test_syncing_twice_is_syncing_once_and_nothing_is_ever_edited(series: Any) -> None:
    shelf = Shelf()
    for number, (found, accept) in enumerate(series):
        now = TODAY + timedelta(days=3 * number)
        before = list(shelf.prices)
        shelf.sync(*built(found), now=now, accept=accept)
        for old, new in zip(before, shelf.prices, strict=False):
            assert replace(old, effective_to=None) == replace(new, effective_to=None)
        for model in {p.model_id for p in shelf.prices}:
            assert len([p for p in shelf.prices if p.model_id == model and p.valid_at(now)]) == 1
        kept, reviews = list(shelf.prices), list(shelf.reviews)
        again = shelf.sync(*built(found), now=now + timedelta(days=1), accept=accept)
        assert (again.plan.added_rows, again.plan.ended, again.news) == ((), (), ((), (), ()))
        assert (shelf.prices, shelf.reviews) == (kept, reviews)


@given(SOURCES)
def test_the_order_in_which_sources_are_named_changes_nothing(found: Any) -> None:
    outcomes = set()
    for order in permutations(built(found)):
        prepared = prepare(list(order), stored=[], reviews=[], now=TODAY)
        outcomes.add(json.dumps(prepared.to_json(), sort_keys=True))
    assert len(outcomes) == 1
