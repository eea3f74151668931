"""The audit trail in a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cost_ops.cli.audit_backend import AuditSearch
from cost_ops.cli.audit_documents import audit_document, chained_document, verdicts_document
from cost_ops.cli.backend import Document, Watch
from cost_ops.domain.audit_chain import parse_anchors
from cost_ops.domain.periods import to_us
from cost_ops.interfaces.context import Context
from cost_ops.services import audit


class DirectAudit:
    """The trail as the installation's owner sees it."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None, wanted: AuditSearch) -> tuple[list[Document], int]:
        """Events, newest first, and how many there are in all."""
        query = audit.AuditQuery(
            wanted.action,
            page_size=wanted.limit,
            actor=wanted.actor,
            resource=wanted.resource,
            address=wanted.address,
            start_us=_us(wanted.start),
            end_us=_us(wanted.end),
        )
        found, total = audit.page(self._ctx, organization_id, query)
        return [audit_document(event) for event in found], total

    def verify(self, organization_id: str | None, expected: Sequence[str], watch: Watch) -> Document:
        """The verdict on every chain."""
        return verdicts_document(audit.verify(self._ctx, organization_id, parse_anchors(expected), watch))

    def export(self, organization_id: str | None) -> Iterator[Document]:
        """All events, oldest first."""
        return map(chained_document, audit.export(self._ctx, organization_id))


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else to_us(instant)
