"""The audit trail: who changed what in the ledger."""

from __future__ import annotations

from cost_ops.api.operations import Call, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.changes import AuditPage, audit_view
from cost_ops.domain.audit import Action
from cost_ops.services import audit

routes = Routes("Audit")
_ACTIONS = [str(action) for action in Action]
ACTION = Parameter("action", "only events of this kind", {"type": "string", "enum": _ACTIONS}, one_of(_ACTIONS))


@routes.add(
    "GET",
    "/api/v1/audit",
    summary="Changes of the ledger, newest first; with an admin key and no organization_id those of all",
    answer=AuditPage,
    permission="audit:read",
    parameters=(ORGANIZATION, ACTION, PAGE, PAGE_SIZE),
)
def list_events(call: Call) -> AuditPage:
    """A page of audit events."""
    given = call.given
    page, page_size = given.get("page", 1), given.get("page_size", 20)
    query = audit.AuditQuery(given.get("action"), page, page_size)
    found, total = audit.page(call.ctx, given.get("organization_id"), query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return AuditPage([audit_view(event) for event in found], about)
