"""The audit trail: who did what, whether anybody touched it, and all of it for others to check."""

from __future__ import annotations

import threading

from cost_ops.api.operations import Call, Routes
from cost_ops.api.pages import Cursor, pagination, question_of, read_cursor
from cost_ops.api.parameters import Parameter, one_of, text
from cost_ops.api.parameters_known import CURSOR, END, ORGANIZATION, PAGE, PAGE_SIZE, START
from cost_ops.api.schemas.audit import AuditPage, ChainedView, VerifyAnswer, audit_view, chained_view, verdict_view
from cost_ops.api.streams import JsonLines
from cost_ops.domain.audit import Action
from cost_ops.domain.audit_chain import Anchor, parse_anchors
from cost_ops.domain.errors import Unavailable, invalid
from cost_ops.domain.periods import to_us
from cost_ops.interfaces.changes import AuditPlace
from cost_ops.interfaces.storage import Position
from cost_ops.services import audit

routes = Routes("Audit")
_ACTIONS = [str(action) for action in Action]
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}
ACTION = Parameter("action", "only events of this kind", {"type": "string", "enum": _ACTIONS}, one_of(_ACTIONS))
ACTOR = Parameter("actor", "only what this actor did: `user:ID`, the id of a key, `owner`, `unknown`", _TEXT, text)
RESOURCE = Parameter("resource", "only what was done to this thing, such as key_1a2b3c4d", _TEXT, text)
ADDRESS = Parameter("address", "only requests from this address", _TEXT, text)
_FILTERS = (ACTION, ACTOR, RESOURCE, ADDRESS)


def _anchor(value: str, name: str) -> Anchor:
    return parse_anchors([value], name)[0]


EXPECT = Parameter(
    "expect",
    "SEQUENCE:HASH (or CHAIN:SEQUENCE:HASH) as noted earlier; repeat it for several",
    {"type": "string", "pattern": "^(.*:)?[0-9]{1,18}:[0-9a-fA-F]{64}$"},
    _anchor,
    many=True,
)
_AT_ONCE = 2
_verifications = threading.BoundedSemaphore(_AT_ONCE)


@routes.add(
    "GET",
    "/api/v1/audit",
    summary="What was done and what was refused, newest first; with an admin key and no organization_id that of all",
    answer=AuditPage,
    permission="audit:read",
    parameters=(ORGANIZATION, *_FILTERS, START, END, PAGE, PAGE_SIZE, CURSOR),
)
def list_events(call: Call) -> AuditPage:
    """A page of audit events."""
    given = call.given
    start, end = given.get("start_date"), given.get("end_date")
    if start is not None and end is not None and end <= start:
        raise invalid("end_date", "empty_range", "end_date must lie after start_date")
    filters = {parameter.name: given.get(parameter.name) for parameter in _FILTERS}
    organization_id = given.get("organization_id") or call.principal.organization_id
    question = question_of("audit", organization_id, start, end, sorted(filters.items(), key=str))
    cursor = None if given.get("cursor") is None else read_cursor(given.get("cursor"), question)
    if cursor is not None and given.get("page") is not None:
        raise invalid("cursor", "ambiguous", "give either page or cursor, not both")
    page, page_size = given.get("page", 1) if cursor is None else cursor.page, given.get("page_size", 20)
    query = audit.AuditQuery(
        **filters,
        page=page,
        page_size=page_size,
        start_us=None if start is None else to_us(start),
        end_us=None if end is None else to_us(end),
        before=None if cursor is None else AuditPlace(*cursor.position),
        look_ahead=1,
    )
    found, total = audit.page(call.ctx, given.get("organization_id"), query)
    shown, following = found[:page_size], None
    if len(found) > page_size:
        last = shown[-1]
        following = Cursor(Position(last.sequence, last.number or 0), page + 1).text(question)
    about = pagination(
        page=page, page_size=page_size, total=total, next_cursor=following, has_next=following is not None
    )
    return AuditPage([audit_view(event) for event in shown], about)


@routes.add(
    "GET",
    "/api/v1/audit/verify",
    summary="Whether the chain of events is as it was written; with an admin key and no organization_id all chains",
    answer=VerifyAnswer,
    permission="audit:read",
    parameters=(ORGANIZATION, EXPECT),
)
def verify(call: Call) -> VerifyAnswer:
    """Check every event's hash. It reads them all, so only a few may do so at once."""
    if not _verifications.acquire(blocking=False):
        raise Unavailable("other verifications of the audit trail are running; try again", retry_after=5)
    try:
        verdicts = audit.verify(call.ctx, call.given.get("organization_id"), call.given.get("expect", ()))
    finally:
        _verifications.release()
    return VerifyAnswer(all(verdict.whole for verdict in verdicts), [verdict_view(verdict) for verdict in verdicts])


@routes.add(
    "GET",
    "/api/v1/audit/export",
    summary="All events as JSON lines, oldest first, with what it takes to check their hashes",
    answer=ChainedView,
    permission="audit:read",
    parameters=(ORGANIZATION,),
    media="application/jsonl",
)
def export(call: Call) -> JsonLines:
    """Every event, one JSON object a line."""
    return JsonLines(audit.export(call.ctx, call.given.get("organization_id")), chained_view)
