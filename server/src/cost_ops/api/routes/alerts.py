"""Alerts of budgets: looked through, acknowledged; and budgets that are silent for a while."""

from __future__ import annotations

from datetime import timedelta

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of, text
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE, instant
from cost_ops.api.schemas.alerts import (
    ACKNOWLEDGEMENT,
    SILENCE,
    AlertOne,
    AlertPage,
    SilenceOne,
    alert_view,
    silence_view,
)
from cost_ops.domain.alerts import AlertStatus
from cost_ops.services import alerts as service
from cost_ops.services.alerts import AlertQuery

routes = Routes("Budgets")
READ, WRITE = "budgets:read", "budgets:write"
_ALL, _ONE = "/api/v1/alerts", "/api/v1/alerts/{alert_id}"
_SILENCE = "/api/v1/budgets/{budget_id}/silence"
_STATUSES = [str(status) for status in AlertStatus]
BUDGET = Parameter("budget_id", "only alerts of this budget", {"type": "string", "minLength": 1}, text)
STATUS = Parameter("status", "only alerts of this status", {"type": "string", "enum": _STATUSES}, one_of(_STATUSES))
SINCE = Parameter(
    "since",
    "only alerts fired then or later, RFC 3339 with an offset",
    {"type": "string", "format": "date-time"},
    instant,
)


@routes.add(
    "GET",
    _ALL,
    summary="Alerts of budgets, newest first",
    answer=AlertPage,
    permission=READ,
    parameters=(ORGANIZATION, BUDGET, STATUS, SINCE, PAGE, PAGE_SIZE),
    scoped=True,
)
def list_alerts(call: Call) -> AlertPage:
    """A page of alerts of the budgets that whoever asks may see."""
    given = call.given
    status = given.get("status")
    page, page_size = given.get("page", 1), given.get("page_size", 20)
    query = AlertQuery(
        given.get("budget_id"), None if status is None else AlertStatus(status), given.get("since"), page, page_size
    )
    found, total = service.page(call.ctx, call.organization(), query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return AlertPage([alert_view(alert, call.money) for alert in found], about)


@routes.add("GET", _ONE, summary="One alert", answer=AlertOne, permission=READ, parameters=(ORGANIZATION,), scoped=True)
def get_alert(call: Call) -> AlertOne:
    """An alert by its id."""
    return AlertOne(alert_view(service.get(call.ctx, call.organization(), call.path["alert_id"]), call.money))


@routes.add(
    "POST",
    f"{_ONE}/acknowledge",
    summary="Say that an alert was seen: neither it nor the lower ones of its period are escalated",
    answer=AlertOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(ACKNOWLEDGEMENT, {"seen": {}, "with a comment": {"comment": "batch job, ends today"}}),
    scoped=True,
)
def acknowledge(call: Call) -> AlertOne:
    """Acknowledge an alert; one that was acknowledged before stays as it is."""
    fields = Fields(call.body, tuple(ACKNOWLEDGEMENT["properties"]), what="an acknowledgement")
    comment = fields.text("comment")
    fields.done()
    found = service.acknowledge(call.ctx, call.organization(), call.path["alert_id"], comment)
    return AlertOne(alert_view(found, call.money))


@routes.add(
    "POST",
    _SILENCE,
    summary="Have nobody told of a budget's alerts for a while; they are kept all the same",
    answer=SilenceOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(
        SILENCE,
        {
            "for two hours": {"minutes": 120, "reason": "load test"},
            "until": {"until": "2030-01-01T00:00:00Z"},
        },
    ),
    scoped=True,
)
def silence(call: Call) -> SilenceOne:
    """Silence a budget until an instant, or for some minutes."""
    fields = Fields(call.body, tuple(SILENCE["properties"]), what="a silence")
    until, minutes = fields.parsed("until", instant), fields.whole("minutes", 1, 527_040)
    reason = fields.text("reason")
    given = [name for name in ("until", "minutes") if name in fields.values]
    if not given:
        fields.add("until", "missing_required_field", "say for how long: until or minutes")
    if len(given) > 1:
        fields.add("minutes", "ambiguous", "give either until or minutes, not both")
    fields.done()
    if until is None:
        until = call.ctx.clock() + timedelta(minutes=minutes or 0)
    budget_id = call.path["budget_id"]
    found = service.silence(call.ctx, call.organization(), budget_id, until=until, reason=reason)
    return SilenceOne(silence_view(found))


@routes.add(
    "DELETE",
    _SILENCE,
    summary="Have people told of a budget's alerts again, of those from now on",
    answer=SilenceOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    scoped=True,
)
def unsilence(call: Call) -> SilenceOne:
    """End a budget's silence."""
    return SilenceOne(silence_view(service.unsilence(call.ctx, call.organization(), call.path["budget_id"])))
