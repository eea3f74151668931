"""Exchange rates in a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cost_ops.cli.backend import Document
from cost_ops.cli.documents import rate_document
from cost_ops.domain.exchange import ExchangeRate, ratio_text
from cost_ops.interfaces.context import Context
from cost_ops.services import exchange
from cost_ops.services.exchange import RateQuery


class DirectCurrencies:
    """Exchange rates as the installation's owner."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def add(self, rates: Sequence[ExchangeRate], *, replace: bool) -> Document:
        """Import rates."""
        found = exchange.import_rates(self._ctx, rates, replace=replace)
        kept = [rate_document(rate) for rate in found.kept]
        return {"added": found.added, "unchanged": found.unchanged, "replaced": found.replaced, "kept": kept}

    def search(
        self, *, base: str | None, quote: str | None, first: date | None, last: date | None, limit: int
    ) -> tuple[list[Document], int]:
        """Stored rates, newest first, and how many there are in all."""
        found, total = exchange.list_rates(self._ctx, RateQuery(base, quote, first, last, page_size=limit))
        return [rate_document(rate) for rate in found], total

    def effective(self, base: str, quote: str, day: date | None) -> Document:
        """How one currency becomes another on a UTC day."""
        wanted = day or self._ctx.clock().date()
        found = exchange.effective(self._ctx, base, quote, wanted)
        return {
            "base": base,
            "quote": quote,
            "date": wanted.isoformat(),
            "rate_date": found.day.isoformat(),
            "rate": ratio_text(found.ratio),
            "source": found.source,
            "via": found.via,
        }
