"""Prices in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.bootstrap import Application, sync_catalogue
from cost_ops.cli.backend import Document, PriceSearch
from cost_ops.cli.documents import price_document, unpriced_document
from cost_ops.domain.prices import multipliers_from_fields, rates_from_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import organizations, pricing
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

    def sync(self, source: str | None, *, accept: bool, dry_run: bool) -> Document:
        """Import catalogue prices."""
        outcome = sync_catalogue(self._application, self._ctx, source=source, accept=accept, dry_run=dry_run)
        plan: Any = outcome.plan
        return {**plan.to_json(), "applied": outcome.applied, "priced_records": outcome.priced_records}

    def unpriced(self, organization_id: str | None) -> list[Document]:
        """Usage without a price."""
        return [unpriced_document(owner, model) for owner, model in pricing.unpriced(self._ctx, organization_id)]


def _added(added: Added) -> Document:
    return {
        **price_document(added.price),
        "ended": None if added.ended is None else added.ended.price_id,
        "priced_records": added.priced_records,
    }
