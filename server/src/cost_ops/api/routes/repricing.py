"""Re-pricing: a dry run in the request, a real run on a thread of this process, and how far it is."""

from __future__ import annotations

from typing import Any

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.parameters import Given, one_of
from cost_ops.api.parameters_known import ORGANIZATION, asked_range, instant
from cost_ops.api.schemas.repricing import (
    FIELDS,
    REPRICE_SCHEMA,
    DryRunAnswer,
    RunAnswer,
    RunList,
    dry_run_view,
    run_view,
)
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import InvalidInput, NotFound
from cost_ops.domain.periods import PRESETS, parse_zone
from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun
from cost_ops.domain.statuses import CostStatus
from cost_ops.services import repricing

routes = Routes("Costs")
_PATH = "/api/v1/costs/reprice"
_TIMES = ("start_date", "end_date", "range")
_EXAMPLE = {
    "organization_id": "org-123",
    "start_date": "2025-01-01T00:00:00Z",
    "end_date": "2025-02-01T00:00:00Z",
    "model_id": ["gpt-4"],
    "dry_run": True,
}


def _read(call: Call) -> tuple[str | None, RepriceRequest, bool]:
    """(organisation, request, whether it is a dry run) of a body. Raises InvalidInput with every problem."""
    fields = Fields(call.body, tuple(REPRICE_SCHEMA["properties"]), what="a re-pricing")
    organization_id = fields.parsed("organization_id", check_organization_id)
    times = {
        "start_date": fields.parsed("start_date", instant),
        "end_date": fields.parsed("end_date", instant),
        "range": fields.parsed("range", one_of(PRESETS)),
        "timezone": fields.parsed("timezone", parse_zone),
    }
    if not fields.values.keys() & set(_TIMES):
        fields.add("start_date", "missing_required_field", "say which range: start_date and end_date, or range")
    given = Given({name: value for name, value in times.items() if value is not None})
    zone = parse_zone(call.application.settings.defaults.timezone)
    asked = fields.attempt(lambda: asked_range(given, now=call.application.clock(), zone=zone))
    filters = _filters(call, fields)
    reason = fields.text("reason")
    dry_run = fields.truth("dry_run") if "dry_run" in fields.values else True
    unprice = fields.truth("unprice")
    fields.done()
    if asked is None:
        raise InvalidInput(fields.problems)
    return organization_id, RepriceRequest(asked.span, filters, reason or "re-priced", unprice), dry_run


def _filters(call: Call, fields: Fields) -> tuple[Filter, ...]:
    names = call.application.books.current().names
    found = []
    for name, dimension in FIELDS.items():
        values = fields.texts(name)
        if values is None:
            continue
        known = [str(status) for status in CostStatus]
        if not values or (dimension == "status" and not set(values) <= set(known)):
            fields.add(name, "invalid_value", f"{name} must name {'one or more of ' + ', '.join(known)}")
        if dimension == "provider":
            values = [names.canonical(value) for value in values]
        found.append(Filter(dimension, "in", tuple(dict.fromkeys(values))))
    return tuple(found)


@routes.add(
    "POST",
    _PATH,
    summary="Cost recorded usage again by today's prices: a dry run that shows the difference, or a run that does it",
    answer=DryRunAnswer,
    also={202: RunAnswer},
    permission=repricing.PERMISSION,
    body=BodyOf(REPRICE_SCHEMA, {"look": _EXAMPLE, "do": {**_EXAMPLE, "dry_run": False, "reason": "new price list"}}),
    errors=(409,),
)
def reprice(call: Call) -> DryRunAnswer | Reply:
    """A dry run answers with the difference; a real run is begun, and answers 202 with where to look."""
    organization_id, request, dry_run = _read(call)
    if dry_run:
        return DryRunAnswer(dry_run_view(repricing.dry_run(call.ctx, organization_id, request), call.money))
    return _at_work(call, repricing.start(call.ctx, organization_id, request))


def _at_work(call: Call, run: RepriceRun) -> Reply:
    call.process.repricer.submit(call.ctx, run)
    return Reply(202, RunAnswer(run_view(run, call.money)), {"Location": f"{_PATH}/{run.number}"})


@routes.add(
    "GET",
    _PATH,
    summary="The newest re-pricing runs",
    answer=RunList,
    permission=repricing.PERMISSION,
    parameters=(ORGANIZATION,),
)
def list_runs(call: Call) -> RunList:
    """Twenty runs, the newest first."""
    found = repricing.list_runs(call.ctx, call.given.get("organization_id"))
    return RunList([run_view(run, call.money) for run in found])


@routes.add(
    "GET",
    f"{_PATH}/{{number}}",
    summary="A re-pricing run and how far it is",
    answer=RunAnswer,
    permission=repricing.PERMISSION,
    parameters=(ORGANIZATION,),
)
def get_run(call: Call) -> RunAnswer:
    """One run."""
    found = repricing.get(call.ctx, call.given.get("organization_id"), _number(call))
    return RunAnswer(run_view(found, call.money))


@routes.add(
    "POST",
    f"{_PATH}/{{number}}/resume",
    summary="Take up a run that stopped; who still works on it gives it up",
    answer=RunAnswer,
    status=202,
    permission=repricing.PERMISSION,
    parameters=(ORGANIZATION,),
    errors=(409,),
)
def resume(call: Call) -> Reply:
    """Go on with a run on this process's thread."""
    return _at_work(call, repricing.resume(call.ctx, call.given.get("organization_id"), _number(call)))


def _number(call: Call) -> int:
    text: Any = call.path["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"No re-pricing run {text[:20]}")
    return int(text)
