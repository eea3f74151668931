"""Price reviews: their ids, what is new, and what accepting one makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cost_ops.domain.errors import Conflict, InvalidInput
from cost_ops.domain.price_reviews import (
    PriceReview,
    ReviewKind,
    ReviewStatus,
    decided,
    news,
    parse_review_id,
    waiting_price,
)
from cost_ops.domain.prices import Confidence, Layer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def opinion(name: str, price: str) -> dict[str, Any]:
    return {
        "source": name,
        "url": f"https://example.com/{name}",
        "currency": "USD",
        "rates": [{"meter": "input", "price": price, "per": 1_000_000}],
        "multipliers": [{"factor": "1.1", "when": {"region": "eu"}, "meters": "tokens"}],
        "fingerprint": f"{name}-{price}",
    }


def review(kind: ReviewKind = ReviewKind.DISAGREEMENT, **fields: Any) -> PriceReview:
    opinions = [opinion("a", "2"), opinion("b", "3"), opinion("c", "4")]
    detail = {"fingerprint": fields.pop("said", "x"), "published": opinions[0], "opinions": opinions, "changes": []}
    return replace(PriceReview("openai", "m", kind, detail, number=7, created_at=NOW), **fields)


@pytest.mark.parametrize(("text", "number"), [("review-12", 12), ("12", 12), ("price-12", None), ("review-x", None)])
def test_an_id_is_written_with_or_without_its_noun(text: str, number: int | None) -> None:
    assert parse_review_id(text) == number


def test_accepting_makes_a_catalogue_price_of_what_waits_exactly() -> None:
    price = waiting_price(review(), NOW)
    assert (price.layer, price.source, price.effective_from) == (Layer.CATALOG, "b", NOW)
    assert [(r.meter, str(r.price)) for r in price.rates] == [("input", "3")]
    assert [str(m.factor) for m in price.multipliers] == ["1.1"]
    assert price.confidence is Confidence.CONFIRMED
    assert price.detail is not None
    assert (price.detail["review"], price.detail["turned_down"]) == ("review-7", ["a-2", "c-4"])


def test_a_numbered_opinion_is_taken_and_one_that_is_not_there_is_refused() -> None:
    assert waiting_price(review(), NOW, 3).source == "c"
    with pytest.raises(InvalidInput, match="between 1 and 3"):
        waiting_price(review(), NOW, 4)


def test_of_a_change_the_old_price_is_not_turned_down_for_good() -> None:
    detail = waiting_price(review(ReviewKind.JUMP), NOW).detail
    assert detail is not None
    assert "turned_down" not in detail


def test_a_review_is_decided_once() -> None:
    done = decided(review(), ReviewStatus.DISMISSED, NOW, "me")
    assert (done.status, done.decided_at, done.decided_by) == (ReviewStatus.DISMISSED, NOW, "me")
    with pytest.raises(Conflict, match="review-7 is dismissed already"):
        decided(done, ReviewStatus.ACCEPTED, NOW, "me")
    with pytest.raises(Conflict, match="review-7 is dismissed already"):
        waiting_price(done, NOW)


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (ReviewStatus.OPEN, 0),
        (ReviewStatus.DISMISSED, 0),
        (ReviewStatus.ACCEPTED, 0),
        (ReviewStatus.SUPERSEDED, 1),
    ],
)
def test_what_was_said_before_is_asked_again_only_where_it_was_overtaken(status: ReviewStatus, raised: int) -> None:
    assert len(news([review(status=status)], [review()]).raised) == raised


def test_new_words_take_the_place_of_an_open_review_of_the_same_kind_only() -> None:
    other = review(ReviewKind.JUMP, number=8)
    found = news([review(), other], [review(said="y")])
    assert (len(found.raised), found.superseded, found.accepted) == (1, (7,), ())


def test_agreement_closes_and_acceptance_by_name_accepts() -> None:
    jump = review(ReviewKind.JUMP, number=8)
    assert news([review(), jump], [], settled=[("openai", "m")]).superseded == (7, 8)
    found = news([review(), jump], [], settled=[("openai", "m")], accepted=[("openai", "m")])
    assert (found.superseded, found.accepted) == ((7,), (8,))
