"""Budgets in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.cli.backend import Document
from cost_ops.cli.budget_documents import (
    budget_document,
    check_document,
    past_document,
    preview_document,
    status_document,
)
from cost_ops.domain.lease_requests import read_lease_request
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake
from cost_ops.interfaces.context import Context
from cost_ops.services import budget_standing, budgets, leases, organizations
from cost_ops.services.leases import Granted


class DirectBudgets:
    """Budgets as the installation's owner."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with an application and a context."""
        self._application = application
        self._ctx = ctx

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new budget; an organisation named for the first time is created."""
        if organization_id is not None:
            organizations.ensure(self._ctx, organization_id)
        return budget_document(budgets.create(self._ctx, organization_id, fields))

    def search(self, organization_id: str | None) -> list[Document]:
        """Budgets by name, each followed by those below it."""
        return [budget_document(one) for one in budgets.list_budgets(self._ctx, organization_id)]

    def get(self, organization_id: str | None, budget_id: str) -> Document:
        """One budget."""
        return budget_document(budgets.get_budget(self._ctx, organization_id, budget_id))

    def change(self, organization_id: str | None, budget_id: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of a budget's own."""
        return budget_document(budgets.change(self._ctx, organization_id, budget_id, fields))

    def remove(self, organization_id: str | None, budget_id: str) -> Document:
        """End a budget."""
        return budget_document(budgets.remove(self._ctx, organization_id, budget_id))

    def statuses(self, organization_id: str | None, at: datetime | None) -> list[Document]:
        """How all budgets stand."""
        found, _ = budget_standing.list_statuses(self._ctx, organization_id, at)
        return [status_document(one) for one in found]

    def status(self, organization_id: str | None, budget_id: str, at: datetime | None) -> list[Document]:
        """How a budget stands, and then those right below it."""
        first, below = budget_standing.get_status(self._ctx, organization_id, budget_id, at)
        return [status_document(one) for one in (first, *below)]

    def history(self, organization_id: str | None, budget_id: str, periods: int) -> list[Document]:
        """A budget's last periods."""
        found = budget_standing.get_history(self._ctx, organization_id, budget_id, periods)
        return [past_document(one) for one in found]

    def check(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """What a reservation would say now."""
        application = self._application
        intake = Intake(
            application.books.current().names,
            to_us(self._ctx.clock()),
            organization_id=organization_id,
            api_key_id=call.get("api_key_id"),
            shapes=application.shapes,
        )
        document = {name: value for name, value in call.items() if name != "api_key_id"}
        ttl = timedelta(seconds=application.settings.budgets.lease_ttl_secs)
        found = leases.look(self._ctx, read_lease_request(document, intake, default_ttl=ttl))
        asked = found.lease if isinstance(found, Granted) else found
        return check_document(found.decision, asked.amount_e10, asked.currency)

    def preview(self, organization_id: str | None, budget_id: str) -> Document:
        """What a budget would have told of the last year."""
        return preview_document(*budget_standing.preview(self._ctx, organization_id, budget_id))

    def preview_document(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """The same for one that is not made."""
        return preview_document(*budget_standing.preview_document(self._ctx, organization_id or "", fields))
