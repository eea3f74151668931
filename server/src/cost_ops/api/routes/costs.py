"""Costs: totals and breakdowns, by query string and by the filter language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from cost_ops.api.cost_questions import QUESTION_SCHEMA, read_question
from cost_ops.api.operations import BodyOf, Call, Routes
from cost_ops.api.parameters_known import (
    DEFAULT_RANGE,
    DISPLAY_CURRENCY,
    FILTERS,
    GROUP_BY,
    LIMIT,
    ORDER,
    ORDER_BY,
    ORGANIZATION,
    SPAN,
    asked_range,
    filters_of,
    grouped,
)
from cost_ops.api.schemas.costs import CostAnswer, cost_answer
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.periods import parse_zone
from cost_ops.services import costs

routes = Routes("Costs")
_PARAMETERS = (ORGANIZATION, *SPAN, GROUP_BY, *FILTERS, ORDER_BY, ORDER, LIMIT, DISPLAY_CURRENCY)
_EXAMPLE = {
    "start_date": "2025-01-01T00:00:00Z",
    "end_date": "2025-02-01T00:00:00Z",
    "group_by": ["provider", "day"],
    "filters": [
        {"dimension": "provider", "op": "in", "values": ["openai"]},
        {"metric": "cost", "op": "gte", "value": "10"},
    ],
    "order_by": "cost",
    "limit": 100,
}


def _zone(call: Call) -> ZoneInfo:
    return parse_zone(call.application.settings.defaults.timezone)


def _ask(call: Call, *, default: str, group_by: tuple[str, ...]) -> CostAnswer:
    """The answer to a question in the query string."""
    given = call.given
    asked = asked_range(given, now=call.application.clock(), zone=_zone(call), default=default)
    question = CostQuery(
        asked.span,
        asked.zone,
        group_by=group_by,
        filters=filters_of(given, call.application.books.current().names),
        order_by=given.get("order_by"),
        descending=given.get("order") != "asc",
        limit=given.get("limit"),
        display_currency=given.get("display_currency"),
    )
    named: str | None = given.get("organization_id")
    report = costs.query(call.ctx, named, question)
    return cost_answer(report, asked, named or call.principal.organization_id, call.money)


@routes.add(
    "GET HEAD",
    "/api/v1/costs",
    summary=f"Totals, and a breakdown by `group_by`; {DEFAULT_RANGE} where no range is given",
    answer=CostAnswer,
    permission="costs:read",
    parameters=_PARAMETERS,
    tag_filters=True,
    scoped=True,
)
def get_costs(call: Call) -> CostAnswer:
    """The answer to a cost question; an owner who names no organisation gets all of them together."""
    return _ask(call, default=DEFAULT_RANGE, group_by=grouped(call.given))


@routes.add(
    "GET",
    "/api/v1/costs/summary",
    summary="This month, or another period, by provider and model unless `group_by` says otherwise",
    answer=CostAnswer,
    permission="costs:read",
    parameters=_PARAMETERS,
    tag_filters=True,
    scoped=True,
)
def summary(call: Call) -> CostAnswer:
    """A period at a glance."""
    return _ask(call, default="this-month", group_by=grouped(call.given) or ("provider", "model"))


def _ask_by_body(call: Call, *, group_required: bool) -> CostAnswer:
    named, asked, question = read_question(
        call.body,
        names=call.application.books.current().names,
        now=call.application.clock(),
        zone=_zone(call),
        group_required=group_required,
    )
    report = costs.query(call.ctx, named, question)
    return cost_answer(report, asked, named or call.principal.organization_id, call.money)


@routes.add(
    "POST",
    "/api/v1/costs/breakdown",
    summary="Costs by many dimensions at once; `group_by` is required",
    answer=CostAnswer,
    permission="costs:read",
    body=BodyOf({**QUESTION_SCHEMA, "required": ["group_by"]}, {"breakdown": _EXAMPLE}),
    scoped=True,
)
def breakdown(call: Call) -> CostAnswer:
    """The answer to a grouped question in a body."""
    return _ask_by_body(call, group_required=True)


@routes.add(
    "POST",
    "/api/v1/costs/query",
    summary="The filter language: dimensions with in, contains …, bounds on metrics with gte, lt …",
    answer=CostAnswer,
    permission="costs:read",
    body=BodyOf(QUESTION_SCHEMA, {"filtered": _EXAMPLE}),
    scoped=True,
)
def query(call: Call) -> CostAnswer:
    """The answer to any question in a body."""
    return _ask_by_body(call, group_required=False)
