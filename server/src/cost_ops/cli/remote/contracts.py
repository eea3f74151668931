"""Contracts of a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant
from cost_ops.domain.volumes import month_text


class RemoteContracts:
    """Contracts as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new contract."""
        body = dict(fields) | ({"organization_id": organization_id} if organization_id else {})
        found: Document = self._client.send("POST", "/contracts", body=body)["data"]
        return found

    def search(self, organization_id: str | None, *, current: bool) -> list[Document]:
        """Contracts of an organisation, or of all."""
        parameters = {"organization_id": organization_id, "current": "true" if current else None}
        found: list[Document] = self._client.get("/contracts", parameters)["data"]
        return found

    def end(self, organization_id: str | None, contract_id: str, at: datetime | None) -> Document:
        """End a contract."""
        parameters = {"organization_id": organization_id, "end_date": None if at is None else format_instant(at)}
        found: Document = self._client.send("DELETE", f"/contracts/{contract_id}", parameters=parameters)["data"]
        return found

    def settle(self, organization_id: str | None, month: int | None, *, dry_run: bool) -> Document:
        """Settle months."""
        body: dict[str, Any] = {"dry_run": dry_run} | ({"organization_id": organization_id} if organization_id else {})
        if month is not None:
            body["month"] = month_text(month)
        found: Document = self._client.send("POST", "/contracts/settle", body=body)["data"]
        return found
