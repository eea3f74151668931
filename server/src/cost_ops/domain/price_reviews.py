"""Price reviews: prices that wait for a person, because sources disagree or because a change is too large.

A review is about what was said, not about when: while the sources say the same it is raised once, and a decision holds
until they say something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from cost_ops.domain.errors import Conflict, invalid
from cost_ops.domain.prices import Confidence, Layer, Price, check_currency, terms_from_json


class ReviewKind(StrEnum):
    """Why a price waits."""

    DISAGREEMENT = "disagreement"
    JUMP = "jump"
    ZERO = "zero"


class ReviewStatus(StrEnum):
    """What became of a review. Superseded: the sources say something else now."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class PriceReview:
    """One price that waits, or waited. `number` is None until stored.

    `detail` has `published` (the price that holds, or null), `opinions` (what is said, the first is published where
    sources disagree), `changes` and `fingerprint` (the same text while the same is said).
    """

    provider: str
    model_id: str
    kind: ReviewKind
    detail: Mapping[str, Any]
    status: ReviewStatus = ReviewStatus.OPEN
    created_at: datetime | None = None
    number: int | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None

    @property
    def review_id(self) -> str:
        """The public id."""
        return f"review-{self.number}"

    @property
    def fingerprint(self) -> str:
        """What is said, as a short text."""
        return str(self.detail.get("fingerprint", ""))


def parse_review_id(text: str) -> int | None:
    """The number in a public id such as `review-12`, or a bare number; None where it is neither."""
    number = text.removeprefix("review-")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def said(*parts: str) -> str:
    """The fingerprint of what is said."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


class News(NamedTuple):
    """What a sync changes of the reviews: new ones, and the numbers of open ones that they take the place of, or whose
    change was accepted by name.
    """

    raised: tuple[PriceReview, ...] = ()
    superseded: tuple[int, ...] = ()
    accepted: tuple[int, ...] = ()


NO_NEWS = News()


def news(
    known: Sequence[PriceReview],
    found: Iterable[PriceReview],
    *,
    settled: Iterable[tuple[str, str]] = (),
    accepted: Iterable[tuple[str, str]] = (),
) -> News:
    """The reviews among `found` that nobody has seen; open ones of the same kind or of `settled` models give way.

    Open reviews of large changes of `accepted` models are accepted.
    """
    taken = set(accepted)
    seen = {(r.provider, r.model_id, r.kind, r.fingerprint) for r in known if r.status is not ReviewStatus.SUPERSEDED}
    raised = [r for r in found if (r.provider, r.model_id, r.kind, r.fingerprint) not in seen]
    replaced = {(r.provider, r.model_id, r.kind) for r in raised}
    replaced |= {(*model, kind) for model in settled for kind in ReviewKind}
    still_open = [(r.number, r) for r in known if r.status is ReviewStatus.OPEN and r.number is not None]
    by_name = [n for n, r in still_open if r.kind is not ReviewKind.DISAGREEMENT and (r.provider, r.model_id) in taken]
    superseded = [n for n, r in still_open if (r.provider, r.model_id, r.kind) in replaced and n not in by_name]
    return News(tuple(raised), tuple(sorted(superseded)), tuple(sorted(by_name)))


def waiting_price(review: PriceReview, now: datetime, opinion: int | None = None) -> Price:
    """The catalogue price that accepting a review applies from `now` on; `opinion` counts from 1.

    Without a number it is the one that waits: where sources disagree, the first that is not published; the others are
    noted as turned down, so that a later sync does not bring them back. Raises Conflict, InvalidInput.
    """
    if review.status is not ReviewStatus.OPEN:
        raise Conflict(f"{review.review_id} is {review.status} already")
    opinions = review.detail["opinions"]
    wanted = len(opinions[:2]) if opinion is None else opinion
    if not 1 <= wanted <= len(opinions):
        raise invalid("opinion", "out_of_range", f"opinion must be between 1 and {len(opinions)}, got {opinion}")
    chosen = opinions[wanted - 1]
    rates, multipliers = terms_from_json([*chosen["rates"], *chosen.get("multipliers", ())])
    detail: dict[str, Any] = {
        "review": review.review_id,
        "date_confidence": "observed",
        "sources": [{"source": o["source"], "url": o["url"], "agrees": o is chosen} for o in opinions],
    }
    if review.kind is ReviewKind.DISAGREEMENT:
        detail["turned_down"] = sorted({o["fingerprint"] for o in opinions} - {chosen["fingerprint"]})
    return Price(
        review.provider,
        review.model_id,
        check_currency(chosen["currency"]),
        rates,
        effective_from=now,
        layer=Layer.CATALOG,
        source=chosen["source"],
        multipliers=multipliers,
        confidence=Confidence.CONFIRMED,
        detail=detail,
    )


def decided(review: PriceReview, status: ReviewStatus, now: datetime, by: str) -> PriceReview:
    """The review after a decision. Raises Conflict where it was decided before."""
    if review.status is not ReviewStatus.OPEN:
        raise Conflict(f"{review.review_id} is {review.status} already")
    return replace(review, status=status, decided_at=now, decided_by=by)
