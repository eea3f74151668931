"""What the budget commands need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

Document = dict[str, Any]


class BudgetsBackend(Protocol):
    """Budgets of an organisation."""

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new budget, given in the API's fields."""

    def search(self, organization_id: str | None) -> list[Document]:
        """Budgets by name, each followed by those below it."""

    def get(self, organization_id: str | None, budget_id: str) -> Document:
        """One budget."""

    def change(self, organization_id: str | None, budget_id: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of a budget's own."""

    def remove(self, organization_id: str | None, budget_id: str) -> Document:
        """End a budget."""

    def statuses(self, organization_id: str | None, at: datetime | None) -> list[Document]:
        """How all budgets stand."""

    def status(self, organization_id: str | None, budget_id: str, at: datetime | None) -> list[Document]:
        """How a budget stands, and then those right below it."""

    def history(self, organization_id: str | None, budget_id: str, periods: int) -> list[Document]:
        """A budget's last periods, the newest first."""

    def check(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """What a reservation would say now; `call` in the fields of a reservation, with `api_key_id`."""

    def preview(self, organization_id: str | None, budget_id: str) -> Document:
        """What a budget would have told of the last year."""

    def preview_document(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """The same for one that is not made."""
