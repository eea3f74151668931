"""What the storage of price reviews can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus


class PriceReviewRepository(Protocol):
    """Prices of the catalogue that wait for a person, or waited."""

    def get(self, number: int) -> PriceReview | None:
        """One review."""

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

    def known(self) -> list[PriceReview]:
        """Every review that was not superseded: what a sync compares with."""

    def add_many(self, reviews: Sequence[PriceReview], now: datetime) -> None:
        """Store new reviews."""

    def decide(self, numbers: Sequence[int], status: ReviewStatus, *, now: datetime, by: str) -> int:
        """Give open reviews a status; how many of them were open."""
