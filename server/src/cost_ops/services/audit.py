"""Reading the audit trail. Whatever changes the ledger writes its event itself, in the transaction of the change."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import authorize
from cost_ops.domain.audit import AuditEvent
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A page of events, newest first; of one action, where it is named."""

    action: str | None = None
    page: int = 1
    page_size: int = 20


def page(ctx: Context, organization_id: str | None, query: AuditQuery) -> tuple[list[AuditEvent], int]:
    """Events of an organisation, or of the whole installation for an owner who names none, and how many in all."""
    bound = authorize(ctx.principal, "audit:read", organization_id)
    offset = (query.page - 1) * query.page_size
    if bound is None:
        with ctx.storage.installation() as installation:
            return installation.audit.page(action=query.action, limit=query.page_size, offset=offset)
    with ctx.storage.ledger(bound) as ledger:
        return ledger.audit.page(action=query.action, limit=query.page_size, offset=offset)
