"""Exchange rates of a server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.money import format_decimal

_BATCH = 5000


class RemoteCurrencies:
    """Exchange rates as the holder of a key; adding them needs an admin key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def add(self, rates: Sequence[ExchangeRate], *, replace: bool) -> Document:
        """Import rates, batch by batch."""
        counts = {"added": 0, "unchanged": 0, "replaced": 0}
        kept: list[Document] = []
        for source, found in groupby(rates, key=lambda rate: rate.source):
            items = [_fields(rate) for rate in found]
            for start in range(0, len(items), _BATCH):
                body = {"source": source, "replace": replace, "rates": items[start : start + _BATCH]}
                answer = self._client.send("POST", "/exchange-rates", body=body)["data"]
                kept.extend(answer["kept"])
                counts = {name: number + answer[name] for name, number in counts.items()}
        return {**counts, "kept": kept}

    def search(
        self, *, base: str | None, quote: str | None, first: date | None, last: date | None, limit: int
    ) -> tuple[list[Document], int]:
        """Stored rates, page by page up to the limit."""
        asked = {"base": base, "quote": quote, "first_date": first, "last_date": last}
        return self._client.pages("/exchange-rates", asked, limit)

    def effective(self, base: str, quote: str, day: date | None) -> Document:
        """How one currency becomes another on a UTC day."""
        parameters = {"base": base, "quote": quote, "date": day}
        found: Document = self._client.get("/exchange-rates/effective", parameters)["data"]
        return found


def _fields(rate: ExchangeRate) -> Document:
    return {
        "date": rate.day.isoformat(),
        "base": rate.base,
        "quote": rate.quote,
        "rate": format_decimal(rate.rate),
    }
