"""Budgets of a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.documents import instant
from cost_ops.cli.remote.client import Client


class RemoteBudgets:
    """Budgets as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new budget."""
        found: Document = self._client.send("POST", "/budgets", body=_body(organization_id, fields))["data"]
        return found

    def search(self, organization_id: str | None) -> list[Document]:
        """Budgets by name, each followed by those below it."""
        return self._client.pages("/budgets", {"organization_id": organization_id})[0]

    def get(self, organization_id: str | None, budget_id: str) -> Document:
        """One budget."""
        return self._about("GET", f"/budgets/{budget_id}", organization_id)

    def change(self, organization_id: str | None, budget_id: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of a budget's own."""
        return self._about("PATCH", f"/budgets/{budget_id}", organization_id, dict(fields))

    def remove(self, organization_id: str | None, budget_id: str) -> Document:
        """End a budget."""
        return self._about("DELETE", f"/budgets/{budget_id}", organization_id)

    def statuses(self, organization_id: str | None, at: datetime | None) -> list[Document]:
        """How all budgets stand."""
        parameters = {"organization_id": organization_id, "at": instant(at)}
        return self._client.pages("/budgets/status", parameters)[0]

    def status(self, organization_id: str | None, budget_id: str, at: datetime | None) -> list[Document]:
        """How a budget stands, and then those right below it."""
        parameters = {"organization_id": organization_id, "at": instant(at)}
        answer = self._client.get(f"/budgets/{budget_id}/status", parameters)
        return [answer["data"], *answer["children"]]

    def history(self, organization_id: str | None, budget_id: str, periods: int) -> list[Document]:
        """A budget's last periods."""
        parameters = {"organization_id": organization_id, "periods": periods}
        found: list[Document] = self._client.get(f"/budgets/{budget_id}/history", parameters)["data"]
        return found

    def check(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """What a reservation would say now."""
        parameters = {name: value for name, value in call.items() if name != "tags"}
        parameters |= {f"tag.{key}": value for key, value in call.get("tags", {}).items()}
        parameters["organization_id"] = organization_id
        found: Document = self._client.get("/budgets/check", parameters)["data"]
        return found

    def preview(self, organization_id: str | None, budget_id: str) -> Document:
        """What a budget would have told of the last year."""
        return self._about("GET", f"/budgets/{budget_id}/preview", organization_id)

    def preview_document(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """The same for one that is not made."""
        found: Document = self._client.send("POST", "/budgets/preview", body=_body(organization_id, fields))["data"]
        return found

    def _about(self, method: str, path: str, organization_id: str | None, body: Any = None) -> Document:
        parameters = {"organization_id": organization_id}
        found: Document = self._client.send(method, path, parameters=parameters, body=body)["data"]
        return found


def _body(organization_id: str | None, fields: Mapping[str, Any]) -> Document:
    return dict(fields) | ({"organization_id": organization_id} if organization_id else {})
