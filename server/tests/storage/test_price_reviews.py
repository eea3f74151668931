"""Price reviews on each database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW

DETAIL = {"fingerprint": "f", "opinions": [{"price": "0.1234567890123456789", "url": None}], "changes": []}


def review(model: str, provider: str, kind: ReviewKind = ReviewKind.JUMP) -> PriceReview:
    return PriceReview(provider, model, kind, DETAIL)


def test_a_review_comes_back_exactly(storage: Storage) -> None:
    wanted = review("exact", "reviews-exact")
    with storage.installation() as installation:
        installation.price_reviews.add_many([wanted], NOW)
        [found], total = installation.price_reviews.page(provider="reviews-exact")
        assert total == 1
        assert found.number is not None
        assert found == replace(wanted, created_at=NOW, number=found.number)
        assert installation.price_reviews.get(found.number) == found
        assert installation.price_reviews.get(found.number + 1000) is None


def test_pages_are_in_order_and_filtered(storage: Storage) -> None:
    provider = "reviews-pages"
    wanted = [review(f"m{n}", provider, kind) for n in range(2) for kind in ReviewKind]
    with storage.installation() as installation:
        installation.price_reviews.add_many(wanted, NOW)
        installation.price_reviews.add_many([], NOW)
        found, total = installation.price_reviews.page(provider=provider, limit=2, offset=1)
        assert ([r.kind for r in found], total) == ([ReviewKind.JUMP, ReviewKind.ZERO], 6)
        zeros, total = installation.price_reviews.page(provider=provider, kind=ReviewKind.ZERO)
        assert ([r.model_id for r in zeros], total) == (["m0", "m1"], 2)


def test_only_open_reviews_can_be_decided(storage: Storage) -> None:
    provider, later = "reviews-decided", NOW + timedelta(hours=1)
    with storage.installation() as installation:
        installation.price_reviews.add_many([review("a", provider), review("b", provider)], NOW)
        found, _ = installation.price_reviews.page(provider=provider)
        numbers = [r.number for r in found if r.number is not None]
        assert installation.price_reviews.decide(numbers[:1], ReviewStatus.DISMISSED, now=later, by="key_1") == 1
        assert installation.price_reviews.decide(numbers, ReviewStatus.SUPERSEDED, now=later, by="a sync") == 1
        assert installation.price_reviews.decide([], ReviewStatus.ACCEPTED, now=later, by="x") == 0
        after, _ = installation.price_reviews.page(provider=provider)
        assert [(r.status, r.decided_at, r.decided_by) for r in after] == [
            (ReviewStatus.DISMISSED, later, "key_1"),
            (ReviewStatus.SUPERSEDED, later, "a sync"),
        ]
        assert [r.model_id for r in installation.price_reviews.known() if r.provider == provider] == ["a"]
