"""Prices of a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.cli.backend import Document, PriceSearch, ReviewSearch, SyncWanted
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant


class RemotePricing:
    """Prices as the holder of a key: an organisation's key adds its organisation's own."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, organization_id: str | None, wanted: PriceSearch) -> tuple[list[Document], int]:
        """Visible prices, page by page up to the limit."""
        asked = {
            "organization_id": organization_id,
            "provider": wanted.provider,
            "model_id": wanted.model_id,
            "current": None if wanted.everything else "true",
        }
        return self._client.pages("/pricing", asked, wanted.limit)

    def get(self, organization_id: str | None, price_id: str) -> Document:
        """One price."""
        found: Document = self._client.get(f"/pricing/{price_id}", {"organization_id": organization_id})["data"]
        return found

    def effective(self, organization_id: str | None, provider: str, model_id: str, at: datetime | None) -> Document:
        """The price of a call at an instant."""
        parameters = {
            "organization_id": organization_id,
            "provider": provider,
            "model_id": model_id,
            "at": None if at is None else format_instant(at),
        }
        found = self._client.get("/pricing/effective", parameters)["data"]
        return {**found["price"], "found_by": found["found_by"]}

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """Add a price."""
        body = dict(fields) | ({"organization_id": organization_id} if organization_id else {})
        return _added(self._client.send("POST", "/pricing", body=body))

    def revise(self, organization_id: str | None, price_id: str, fields: Mapping[str, Any]) -> Document:
        """A new version of a price."""
        parameters = {"organization_id": organization_id}
        return _added(self._client.send("PUT", f"/pricing/{price_id}", parameters=parameters, body=fields))

    def end(self, organization_id: str | None, price_id: str, at: datetime | None) -> Document:
        """End a price."""
        parameters = {"organization_id": organization_id, "end_date": None if at is None else format_instant(at)}
        found: Document = self._client.send("DELETE", f"/pricing/{price_id}", parameters=parameters)["data"]
        return found

    def sync(self, wanted: SyncWanted) -> Document:
        """Have the server import what it has installed, or what it fetches itself."""
        body: dict[str, Any] = {"accept": list(wanted.accept), "dry_run": wanted.dry_run}
        if wanted.sources:
            body["sources"] = [{"url": s.text} | ({"sha256": s.sha256} if s.sha256 else {}) for s in wanted.sources]
        if wanted.provider is not None:
            body["provider"] = wanted.provider
        found = self._client.send("POST", "/pricing/sync", body=body)["data"]
        return {**found["diff"], "applied": found["applied"], "priced_records": found["priced_records"]}

    def reviews(self, wanted: ReviewSearch) -> tuple[list[Document], int]:
        """Prices that wait for a person, page by page up to the limit."""
        asked = {"status": wanted.status or "all", "kind": wanted.kind, "provider": wanted.provider}
        return self._client.pages("/pricing/reviews", asked, wanted.limit)

    def review(self, review_id: str) -> Document:
        """One of them."""
        found: Document = self._client.get(f"/pricing/reviews/{review_id}")["data"]
        return found

    def accept_review(self, review_id: str, opinion: int | None) -> Document:
        """Apply what waits."""
        body = {} if opinion is None else {"opinion": opinion}
        answer = self._client.send("POST", f"/pricing/reviews/{review_id}/accept", body=body)
        return {**answer["data"], "price": answer["price"], "priced_records": answer["priced_records"]}

    def dismiss_review(self, review_id: str) -> Document:
        """Leave the price as it is."""
        found: Document = self._client.send("POST", f"/pricing/reviews/{review_id}/dismiss", body={})["data"]
        return found

    def history(self, organization_id: str | None, provider: str | None, model_id: str) -> list[Document]:
        """The prices of a model over time."""
        parameters = {"organization_id": organization_id, "provider": provider, "model_id": model_id}
        steps = self._client.get("/pricing/history", parameters)["data"]
        return [{**s["price"], **{k: s[k] for k in ("holds_from", "holds_to", "found_by")}} for s in steps]

    def unpriced(self, organization_id: str | None) -> list[Document]:
        """Usage without a price."""
        found: list[Document] = self._client.get("/pricing/unpriced", {"organization_id": organization_id})["data"]
        return found


def _added(answer: Mapping[str, Any]) -> Document:
    return {**answer["data"], "ended": answer["ended_price_id"], "priced_records": answer["priced_records"]}
