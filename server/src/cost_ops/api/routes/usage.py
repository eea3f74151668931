"""Usage: history, stream, one record, its proof."""

from __future__ import annotations

from datetime import timedelta

from cost_ops.api.operations import Call, Routes
from cost_ops.api.pages import Cursor, Pagination, pagination, question_of, read_cursor
from cost_ops.api.parameters import Given
from cost_ops.api.parameters_known import CURSOR, FILTERS, ORGANIZATION, PAGE, PAGE_SIZE, SPAN, asked_range, filters_of
from cost_ops.api.schemas.explanation import ExplanationAnswer, explanation_view
from cost_ops.api.schemas.pricing import price_view
from cost_ops.api.schemas.usage import UsageOne, UsagePage, UsageView, revised_view, usage_view
from cost_ops.api.streams import JsonLines
from cost_ops.domain.costing import lines_of
from cost_ops.domain.costs import CostQuery, Filter
from cost_ops.domain.errors import invalid
from cost_ops.domain.periods import TimeRange, parse_zone
from cost_ops.domain.submission import EARLIEST
from cost_ops.domain.usage import UsageRecord
from cost_ops.services import corrections, costs, explain, history

routes = Routes("Usage")
_TIMES = ("start_date", "end_date", "range", "period")


def _span(call: Call) -> TimeRange | None:
    """The range asked for; None, which is all of history, where nothing was said."""
    if not any(call.given.get(name) is not None for name in _TIMES):
        return None
    zone = parse_zone(call.application.settings.defaults.timezone)
    return asked_range(call.given, now=call.application.clock(), zone=zone).span


def _filters(call: Call) -> tuple[Filter, ...]:
    return filters_of(call.given, call.application.books.current().names)


def _question(given: Given, organization_id: str) -> str:
    times = [str(given.get(name)) for name in (*_TIMES, "timezone")]
    filters = [(p.name, given.get(p.name)) for p in FILTERS]
    return question_of(organization_id, times, filters, sorted(given.tags.items()))


@routes.add(
    "GET",
    "/api/v1/usage/history",
    summary="Records, newest first; all of history where no range is given",
    answer=UsagePage,
    permission="usage:read",
    parameters=(ORGANIZATION, *SPAN, *FILTERS, PAGE, PAGE_SIZE, CURSOR),
    tag_filters=True,
    scoped=True,
)
def list_usage(call: Call) -> UsagePage:
    """A page of records."""
    given, organization_id = call.given, call.organization()
    question = _question(given, organization_id)
    cursor = read_cursor(given.get("cursor"), question) if given.get("cursor") is not None else None
    if cursor is not None and given.get("page") is not None:
        raise invalid("cursor", "ambiguous", "give either page or cursor, not both")
    page, page_size = given.get("page", 1) if cursor is None else cursor.page, given.get("page_size", 20)
    span, filters = _span(call), _filters(call)
    found = history.page(
        call.ctx,
        organization_id,
        history.HistoryQuery(
            start_us=span.start_us if span else None,
            end_us=span.end_us if span else None,
            filters=filters,
            page=page,
            page_size=page_size,
            before=cursor.position if cursor else None,
        ),
    )
    whole = span or TimeRange(EARLIEST, call.application.clock() + timedelta(days=2))
    total = costs.count_requests(call.ctx, organization_id, CostQuery(whole, filters=filters))
    following = found.next_position
    return UsagePage(
        [_view(call, record) for record in found.records],
        _pagination(page, page_size, total, Cursor(following, page + 1).text(question) if following else None),
    )


def _pagination(page: int, page_size: int, total: int, next_cursor: str | None) -> Pagination:
    return pagination(
        page=page, page_size=page_size, total=total, next_cursor=next_cursor, has_next=next_cursor is not None
    )


def _view(call: Call, record: UsageRecord) -> UsageView:
    return usage_view(record, lines_of(call.application.books.current(), record), call.money)


@routes.add(
    "GET",
    "/api/v1/usage/stream",
    summary="Records of a range as JSON lines, oldest first, however many there are",
    answer=UsageView,
    permission="usage:read",
    parameters=(ORGANIZATION, *SPAN, *FILTERS),
    tag_filters=True,
    media="application/jsonl",
    scoped=True,
)
def stream(call: Call) -> JsonLines:
    """All records of a range, one JSON object a line."""
    span = _span(call)
    records = history.stream(
        call.ctx,
        call.organization(),
        start_us=span.start_us if span else None,
        end_us=span.end_us if span else None,
        filters=_filters(call),
    )
    return JsonLines(records, lambda record: _view(call, record))


@routes.add(
    "GET",
    "/api/v1/usage/{usage_id}",
    summary="One record with its current cost",
    answer=UsageOne,
    permission="usage:read",
    parameters=(ORGANIZATION,),
    scoped=True,
)
def one(call: Call) -> UsageOne:
    """A stored record."""
    found = explain.explain(call.ctx, call.given.get("organization_id"), call.path["usage_id"])
    lines = [proved.line for proved in found.lines] if found.price else ()
    revision = corrections.revision_of(call.ctx, found.record.organization_id, found.record.usage_id)
    return UsageOne(revised_view(found.record, lines, call.money, revision))


@routes.add(
    "GET",
    "/api/v1/usage/{usage_id}/explain",
    summary="The proof of a record's amount: quantities, price, rates, lines",
    answer=ExplanationAnswer,
    permission="usage:read",
    parameters=(ORGANIZATION,),
    scoped=True,
)
def explained(call: Call) -> ExplanationAnswer:
    """How a cost came to be."""
    found = explain.explain(call.ctx, call.given.get("organization_id"), call.path["usage_id"])
    price = None if found.price is None else price_view(found.price, call.money)
    return ExplanationAnswer(explanation_view(found, price, call.money))
