"""Leases in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.cli.backend import Document
from cost_ops.cli.lease_documents import lease_document, refusal, settled_document
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.lease_requests import read_lease_request, settled_fields, settled_intake
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import leases, usage
from cost_ops.services.leases import Refused

_PAGE = 100


class DirectLeases:
    """Leases as the installation's owner."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with an application and a context."""
        self._application = application
        self._ctx = ctx

    def reserve(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """A lease for a call."""
        ttl = timedelta(seconds=self._application.settings.budgets.lease_ttl_secs)
        fields = {name: value for name, value in call.items() if name != "budget_id"}
        request = read_lease_request(
            fields, self._intake(organization_id), default_ttl=ttl, budget_id=call.get("budget_id")
        )
        outcome = leases.reserve(self._ctx, [request])[0]
        if isinstance(outcome, CostOpsError):
            raise outcome
        if isinstance(outcome, Refused):
            raise refusal(outcome)
        return lease_document(outcome.lease)

    def settle(self, lease_id: str, usage_: Mapping[str, Any]) -> Document:
        """The recorded usage of a call."""
        lease = leases.whose(self._ctx, lease_id)
        sent, problems = read_fields(settled_fields(usage_, lease))
        submission = build(sent, settled_intake(lease, self._intake(lease.organization_id)), problems)
        priced = usage.price(self._ctx, self._ctx.books.current(), submission)
        outcome = usage.record(self._ctx, [usage.Batch((priced,), lease_id=lease_id)])[0][0]
        if isinstance(outcome, CostOpsError):
            raise outcome
        return settled_document(outcome, outcome.lease or lease)

    def release(self, organization_id: str | None, lease_id: str) -> Document:
        """A lease that is given back."""
        return lease_document(leases.release(self._ctx, organization_id, lease_id))

    def search(self, organization_id: str | None, status: str | None) -> list[Document]:
        """Leases, newest first."""
        found, total = leases.list_leases(self._ctx, organization_id or "", status=status, limit=_PAGE)
        while len(found) < total:
            more, _ = leases.list_leases(
                self._ctx, organization_id or "", status=status, limit=_PAGE, offset=len(found)
            )
            if not more:
                break
            found += more
        return [lease_document(lease) for lease in found]

    def _intake(self, organization_id: str | None) -> Intake:
        application = self._application
        now_us = to_us(self._ctx.clock())
        return Intake(
            application.books.current().names, now_us, organization_id=organization_id, shapes=application.shapes
        )
