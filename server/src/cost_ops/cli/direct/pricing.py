"""Prices in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.bootstrap import Application, SourceName, accept_price_review, sync_catalogue
from cost_ops.cli.backend import Document, PriceSearch, ReviewSearch, SyncWanted
from cost_ops.cli.documents import price_document, review_document, step_document, unpriced_document
from cost_ops.domain.price_reviews import ReviewKind, ReviewStatus
from cost_ops.domain.prices import multipliers_from_fields, rates_from_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import organizations, price_history, price_reviews, pricing, unpriced
from cost_ops.services.price_reviews import ReviewQuery
from cost_ops.services.pricing import Added, NewPrice, PriceQuery


class DirectPricing:
    """Prices as the installation's owner."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with an opened installation."""
        self._application = application
        self._ctx = ctx

    def search(self, organization_id: str | None, wanted: PriceSearch) -> tuple[list[Document], int]:
        """Visible prices, and how many there are in all."""
        query = PriceQuery(
            provider=wanted.provider,
            model_id=wanted.model_id,
            current_at=None if wanted.everything else self._ctx.clock(),
            page_size=wanted.limit,
        )
        found, total = pricing.list_prices(self._ctx, organization_id, query)
        return [price_document(price) for price in found], total

    def get(self, organization_id: str | None, price_id: str) -> Document:
        """One price."""
        return price_document(pricing.get(self._ctx, organization_id, price_id))

    def effective(self, organization_id: str | None, provider: str, model_id: str, at: datetime | None) -> Document:
        """The price of a call at an instant."""
        segment = pricing.effective(
            self._ctx, organization_id, provider=provider, model_id=model_id, at=at or self._ctx.clock()
        )
        return price_document(segment.price.price) | {"found_by": segment.found_by}

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """Add a price; an organisation named for the first time is created."""
        new = NewPrice(
            provider=fields["provider"],
            model_id=fields["model_id"],
            rates=rates_from_fields(fields),
            currency=fields.get("currency") or "USD",
            effective_from=fields.get("effective_date"),
            effective_to=fields.get("end_date"),
            multipliers=multipliers_from_fields(fields),
        )
        if organization_id is not None:
            organizations.ensure(self._ctx, organization_id)
        return _added(pricing.add(self._ctx, organization_id, new))

    def revise(self, organization_id: str | None, price_id: str, fields: Mapping[str, Any]) -> Document:
        """A new version of a price."""
        new = NewPrice(
            provider="",
            model_id="",
            rates=rates_from_fields(fields),
            currency=fields.get("currency") or "",
            effective_from=fields.get("effective_date"),
            effective_to=fields.get("end_date"),
            multipliers=multipliers_from_fields(fields),
        )
        return _added(pricing.revise(self._ctx, organization_id, price_id, new))

    def end(self, organization_id: str | None, price_id: str, at: datetime | None) -> Document:
        """End a price."""
        return price_document(pricing.end(self._ctx, organization_id, price_id, at))

    def sync(self, wanted: SyncWanted) -> Document:
        """Import catalogue prices."""
        outcome = sync_catalogue(
            self._application,
            self._ctx,
            sources=[SourceName(*source) for source in wanted.sources],
            accept=wanted.accept,
            provider=wanted.provider,
            dry_run=wanted.dry_run,
        )
        return {**outcome.to_json(), "applied": outcome.applied, "priced_records": outcome.priced_records}

    def reviews(self, wanted: ReviewSearch) -> tuple[list[Document], int]:
        """Prices that wait for a person."""
        query = ReviewQuery(
            status=None if wanted.status is None else ReviewStatus(wanted.status),
            kind=None if wanted.kind is None else ReviewKind(wanted.kind),
            provider=wanted.provider,
            page_size=wanted.limit,
        )
        found, total = price_reviews.page(self._ctx, query)
        return [review_document(review) for review in found], total

    def review(self, review_id: str) -> Document:
        """One of them."""
        return review_document(price_reviews.get(self._ctx, review_id))

    def accept_review(self, review_id: str, opinion: int | None) -> Document:
        """Apply what waits."""
        decided, priced = accept_price_review(self._ctx, review_id, opinion)
        price = price_document(decided.price) if decided.price is not None else None
        return {**review_document(decided.review), "price": price, "priced_records": priced}

    def dismiss_review(self, review_id: str) -> Document:
        """Leave the price as it is."""
        return review_document(price_reviews.dismiss(self._ctx, review_id).review)

    def history(self, organization_id: str | None, provider: str | None, model_id: str) -> list[Document]:
        """The prices of a model over time."""
        steps = price_history.steps(self._ctx, organization_id, provider=provider, model_id=model_id)
        return [step_document(step) for step in steps]

    def unpriced(self, organization_id: str | None) -> list[Document]:
        """Usage without a price."""
        return [unpriced_document(found) for found in unpriced.models(self._ctx, organization_id)]


def _added(added: Added) -> Document:
    return {
        **price_document(added.price),
        "ended": None if added.ended is None else added.ended.price_id,
        "priced_records": added.priced_records,
    }
