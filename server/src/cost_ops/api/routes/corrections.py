"""Correcting recorded usage, its earlier forms, and erasing what tells of a person."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Routes
from cost_ops.api.parameters_known import ORGANIZATION
from cost_ops.api.schemas.changes import (
    CORRECTION_SCHEMA,
    ERASURE_SCHEMA,
    CorrectedAnswer,
    ErasureAnswer,
    ErasureView,
    RevisionList,
    revision_view,
)
from cost_ops.api.schemas.usage import usage_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.domain.costing import lines_of
from cost_ops.domain.errors import invalid
from cost_ops.services import corrections, retention

routes = Routes("Usage")
_ONE = "/api/v1/usage/{usage_id}"


@routes.add(
    "PUT",
    _ONE,
    summary="Correct a record: only the fields that are given change; the old form is kept",
    answer=CorrectedAnswer,
    permission="usage:write",
    parameters=(ORGANIZATION,),
    body=BodyOf(CORRECTION_SCHEMA, {"counts": {"output_tokens": 450, "reason": "the stream was cut off"}}),
    errors=(409,),
    scoped=True,
)
def correct(call: Call) -> CorrectedAnswer:
    """Put fields in place of a record's own; the same again changes nothing."""
    if not isinstance(call.body, dict):
        raise invalid("", "invalid_type", "the body must be a JSON object: the fields that change, and a reason")
    fields = {name: value for name, value in call.body.items() if name != "reason"}
    reason = call.body.get("reason")
    if not isinstance(reason, str):
        raise invalid("reason", "missing_required_field", "reason is required: it says why the record was wrong")
    named = call.given.get("organization_id")
    found = corrections.correct(call.ctx, named, call.path["usage_id"], fields, reason=reason)
    lines = lines_of(call.application.books.refresh(), found.record)
    return CorrectedAnswer(usage_view(found.record, lines, call.money), found.revision, found.changed)


@routes.add(
    "GET",
    f"{_ONE}/revisions",
    summary="The forms that a corrected record had before, the first first",
    answer=RevisionList,
    permission="usage:read",
    parameters=(ORGANIZATION,),
    scoped=True,
)
def list_revisions(call: Call) -> RevisionList:
    """Earlier forms of a record; empty where it was never corrected."""
    found = corrections.revisions(call.ctx, call.given.get("organization_id"), call.path["usage_id"])
    return RevisionList([revision_view(revision, call.money) for revision in found])


@routes.add(
    "POST",
    "/api/v1/users/erase",
    summary="Take what tells of a person out of their usage; amounts stay, as usage of nobody",
    answer=ErasureAnswer,
    permission=ADMIN,
    body=BodyOf(ERASURE_SCHEMA, {"look": {"organization_id": "org-123", "user_id": "user-7", "dry_run": True}}),
    errors=(409,),
)
def erase(call: Call) -> ErasureAnswer:
    """Erase a person; the id stands in the body, so that no log of addresses keeps it."""
    fields = Fields(call.body, tuple(ERASURE_SCHEMA["properties"]), what="an erasure")
    if fields.text("organization_id", required=True):
        fields.parsed("organization_id", check_organization_id)
    fields.text("user_id", required=True)
    tags = fields.texts("tags") or []
    dry_run = fields.truth("dry_run")
    if call.body.get("dry_run", False) is None:  # what cannot be undone is not done on a maybe
        fields.add("dry_run", "invalid_type", "dry_run must be true or false")
    fields.done()
    found = retention.erase(
        call.ctx, fields.values["organization_id"], fields.values["user_id"], tags=tags, dry_run=dry_run
    )
    return ErasureAnswer(ErasureView(found.organization_id, found.records, found.earlier_forms, found.dry_run))
