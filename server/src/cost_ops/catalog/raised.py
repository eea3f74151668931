"""The reviews that a sync raises: what is held back, and where sources disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cost_ops.catalog.opinions import Judged, Merged
from cost_ops.catalog.sync import HeldChange, Model, SyncPlan
from cost_ops.domain.agreement import Opinion, differences, fingerprint
from cost_ops.domain.price_reviews import PriceReview, ReviewKind, said
from cost_ops.domain.prices import Confidence


def reviews_of(plan: SyncPlan, merged: Merged) -> list[PriceReview]:
    """One review for every model with a disagreement, and one for the newest row of every model that is held back."""
    held = {(change.price.provider, change.price.model_id): change for change in plan.held if change.changes}
    return [*_disagreements(merged), *(_held(model, change) for model, change in sorted(held.items()))]


def settled(plan: SyncPlan, merged: Merged) -> frozenset[Model]:
    """Models whose sources agree now, and that nothing is held of: open reviews of them are out of date."""
    held = {(change.price.provider, change.price.model_id) for change in plan.held}
    confirmed = {one.model for one in merged.judged if one.verdict.confidence is Confidence.CONFIRMED}
    return frozenset(confirmed - held)


def _disagreements(merged: Merged) -> Iterator[PriceReview]:
    for one in merged.judged:
        if one.verdict.confidence is Confidence.PROVISIONAL and one.verdict.dissenting:
            yield _disagreement(one)


def _disagreement(one: Judged) -> PriceReview:
    verdict = one.verdict
    opinions = (verdict.published, *verdict.dissenting)
    changes = [
        difference.to_json()
        for opinion in verdict.dissenting[:1]
        for difference in differences(verdict.published.price, opinion.price)
    ]
    detail: dict[str, Any] = {
        "fingerprint": said(*sorted(fingerprint(opinion.price) for opinion in opinions)),
        "published": _opinion(verdict.published),
        "opinions": [_opinion(opinion) for opinion in opinions],
        "changes": changes,
        "through": one.through.model_id if one.through is not None else None,
    }
    return PriceReview(one.provider, one.model_id, ReviewKind.DISAGREEMENT, detail)


def _opinion(opinion: Opinion) -> dict[str, Any]:
    return opinion.to_json() | {"fingerprint": fingerprint(opinion.price)}


def _held(model: Model, change: HeldChange) -> PriceReview:
    waiting = _opinion(Opinion(change.price, "", 0))
    published = _opinion(Opinion(change.old, "", 0)) if change.old is not None else None
    detail: dict[str, Any] = {
        "fingerprint": said(published["fingerprint"] if published else "", waiting["fingerprint"]),
        "published": published,
        "opinions": [opinion for opinion in (published, waiting) if opinion is not None],
        "changes": [one.to_json() for one in change.changes],
        "through": None,
    }
    return PriceReview(*model, change.kind, detail)
