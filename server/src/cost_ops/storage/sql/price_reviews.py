"""Price reviews in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus
from cost_ops.storage.tables import price_reviews
from cost_ops.storage.transaction import Transaction

r = price_reviews.c
_NUMBERS_AT_ONCE = 500


class StoredPriceReviews:
    """All reviews of the installation."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def get(self, number: int) -> PriceReview | None:
        """One review."""
        found = self._tx.rows(select(price_reviews).where(r.number == number))
        return _review(found[0]) if found else None

    def page(
        self,
        *,
        status: ReviewStatus | None = None,
        kind: ReviewKind | None = None,
        provider: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> tuple[list[PriceReview], int]:
        """Reviews, oldest first, and how many there are in all."""
        asked = ((r.status, status), (r.kind, kind), (r.provider, provider))
        wanted = [column == str(value) for column, value in asked if value is not None]
        rows = self._tx.rows(select(price_reviews).where(*wanted).order_by(r.number).limit(limit).offset(offset))
        total = self._tx.rows(select(func.count()).select_from(price_reviews).where(*wanted))[0][0]
        return [_review(row) for row in rows], total

    def known(self) -> list[PriceReview]:
        """Every review that was not superseded."""
        current = select(price_reviews).where(r.status != ReviewStatus.SUPERSEDED.value).order_by(r.number)
        return [_review(row) for row in self._tx.rows(current)]

    def add_many(self, reviews: Sequence[PriceReview], now: datetime) -> None:
        """Store new reviews."""
        if reviews:
            self._tx.write(insert(price_reviews), [_values(review, now) for review in reviews])

    def decide(self, numbers: Sequence[int], status: ReviewStatus, *, now: datetime, by: str) -> int:
        """Give open reviews a status; how many of them were open."""
        done = 0
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
            some = numbers[start : start + _NUMBERS_AT_ONCE]
            values = {"status": status.value, "decided_at": to_us(now), "decided_by": by}
            open_ones = r.number.in_(some), r.status == ReviewStatus.OPEN.value
            done += self._tx.write(update(price_reviews).where(*open_ones).values(**values)).rowcount
        return done


def _values(review: PriceReview, now: datetime) -> dict[str, Any]:
    return {
        "provider": review.provider,
        "model_id": review.model_id,
        "kind": review.kind.value,
        "status": review.status.value,
        "detail": dict(review.detail),
        "created_at": to_us(review.created_at or now),
    }


def _review(row: Any) -> PriceReview:
    return PriceReview(
        row.provider,
        row.model_id,
        ReviewKind(row.kind),
        row.detail,
        ReviewStatus(row.status),
        from_us(row.created_at),
        row.number,
        None if row.decided_at is None else from_us(row.decided_at),
        row.decided_by,
    )
