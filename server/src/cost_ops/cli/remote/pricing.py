"""Prices of a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.cli.backend import Document, PriceSearch
from cost_ops.cli.errors import Refused
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant

_PAGE_SIZE = 100


class RemotePricing:
    """Prices as the holder of a key: an organisation's key adds its organisation's own."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, organization_id: str | None, wanted: PriceSearch) -> tuple[list[Document], int]:
        """Visible prices, page by page up to the limit."""
        found: list[Document] = []
        page = 1
        while True:
            parameters = {
                "organization_id": organization_id,
                "provider": wanted.provider,
                "model_id": wanted.model_id,
                "current": None if wanted.everything else "true",
                "page": page,
                "page_size": min(_PAGE_SIZE, wanted.limit),
            }
            answer = self._client.get("/pricing", parameters)
            found.extend(answer["data"])
            if len(found) >= wanted.limit or not answer["pagination"]["has_next"]:
                return found[: wanted.limit], answer["pagination"]["total_items"]
            page += 1

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

    def sync(self, source: str | None, *, accept: bool, dry_run: bool) -> Document:
        """Have the server import the catalogue that it has installed."""
        if source is not None:
            raise Refused("a server imports its own catalogue: leave --file out, or name the database instead")
        found = self._client.send("POST", "/pricing/sync", body={"accept": accept, "dry_run": dry_run})["data"]
        return {**found["diff"], "applied": found["applied"], "priced_records": found["priced_records"]}

    def unpriced(self, organization_id: str | None) -> list[Document]:
        """Usage without a price."""
        found: list[Document] = self._client.get("/pricing/unpriced", {"organization_id": organization_id})["data"]
        return found


def _added(answer: Mapping[str, Any]) -> Document:
    return {**answer["data"], "ended": answer["ended_price_id"], "priced_records": answer["priced_records"]}
