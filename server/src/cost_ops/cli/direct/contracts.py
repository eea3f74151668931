"""Contracts in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cost_ops.bootstrap import settle_contracts
from cost_ops.cli.backend import Document
from cost_ops.cli.contract_documents import contract_document, settled_document
from cost_ops.domain.contracts import contract_terms
from cost_ops.interfaces.context import Context
from cost_ops.services import contracts, organizations
from cost_ops.services.contracts import NewContract


class DirectContracts:
    """Contracts as the installation's owner."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new contract; an organisation named for the first time is created."""
        terms = contract_terms(fields)
        new = NewContract(
            terms.kind,
            terms.percent,
            fields.get("provider") or "*",
            fields.get("model_id") or "*",
            terms.meters,
            fields.get("effective_date"),
            fields.get("end_date"),
            fields.get("note") or "",
            terms.tiers,
        )
        if organization_id is not None:
            organizations.ensure(self._ctx, organization_id)
        return contract_document(contracts.add(self._ctx, organization_id, new))

    def search(self, organization_id: str | None, *, current: bool) -> list[Document]:
        """Contracts of an organisation, or of all."""
        found = contracts.list_contracts(self._ctx, organization_id, current=current)
        return [contract_document(contract) for contract in found]

    def end(self, organization_id: str | None, contract_id: str, at: datetime | None) -> Document:
        """End a contract."""
        return contract_document(contracts.end(self._ctx, organization_id, contract_id, at))

    def settle(self, organization_id: str | None, month: int | None, *, dry_run: bool) -> Document:
        """Settle months."""
        found = settle_contracts(self._ctx, organization_id, month=month, dry_run=dry_run)
        return {"dry_run": dry_run, "months": [settled_document(one) for one in found]}
