"""Budgets: make, list, change, end; how they stand, stood, and would have gone; what they say of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cost_ops.api.fields import Fields
from cost_ops.api.ingest import intake_of
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut, pagination
from cost_ops.api.parameters import Parameter, text, whole
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE, instant
from cost_ops.api.schemas.budget_status import (
    CheckAnswer,
    CheckView,
    HistoryAnswer,
    PreviewAnswer,
    StatusOne,
    StatusPage,
    checked_level,
    past_view,
    preview_view,
    status_view,
)
from cost_ops.api.schemas.budgets import CHANGED_BUDGET, NEW_BUDGET, BudgetOne, BudgetPage, budget_view
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.budget_documents import FIELDS, read_budget, same_names
from cost_ops.domain.budgets import is_within
from cost_ops.domain.errors import invalid
from cost_ops.domain.lease_requests import read_lease_request
from cost_ops.domain.scoped_usage import check_covered
from cost_ops.services import budget_standing, budgets, leases
from cost_ops.services.budget_standing import MOST_HISTORY
from cost_ops.services.leases import Granted

routes = Routes("Budgets")
_ALL, _ONE = "/api/v1/budgets", "/api/v1/budgets/{budget_id}"
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}
_MOST_TOKENS = 10**12
AT = Parameter("at", "how it stood in the period that holds this instant, by what is known now", _TIME, instant)
PERIODS = Parameter(
    "periods",
    "periods at most",
    {"type": "integer", "minimum": 1, "maximum": MOST_HISTORY, "default": 12},
    whole(1, MOST_HISTORY),
)
_CALL = (
    Parameter("provider", "the call's provider", _TEXT, text),
    Parameter("model_id", "its model", _TEXT, text),
    Parameter("project_id", "its project", _TEXT, text),
    Parameter("user_id", "its user", _TEXT, text),
    Parameter("team_id", "its team", _TEXT, text),
    Parameter("api_key_id", "the key that it is recorded with; the one that asks, by default", _TEXT, text),
    Parameter("amount", "what it may cost", {"type": "string", "examples": ["0.05"]}, text),
    Parameter("currency", "of `amount`", {"type": "string", "pattern": "^[A-Z]{3}$", "default": "USD"}, text),
    *(
        Parameter(name, meaning, {"type": "integer", "minimum": 0, "maximum": _MOST_TOKENS}, whole(0, _MOST_TOKENS))
        for name, meaning in (
            ("input_tokens", "instead of an amount: tokens, which are priced"),
            ("output_tokens", "tokens that it may answer with"),
        )
    ),
)
_SEED = {"organization_id": "org-123", "amount": 5000.00, "period": "monthly", "alert_thresholds": [0.50, 0.75, 0.90]}
_EXAMPLES = {
    "monthly": _SEED,
    "hard": {
        "name": "search in production",
        "amount": "250",
        "currency": "EUR",
        "period": "weekly",
        "timezone": "Europe/Berlin",
        "scope": {"project": "search", "model": ["gpt-4o", "gpt-4o-mini"], "tag:env": "prod"},
        "enforcement": "hard",
        "rollover": {"unused": True, "limit": 100},
    },
}


@routes.add(
    "GET",
    _ALL,
    summary="Budgets by name, each followed by those below it",
    answer=BudgetPage,
    permission=budgets.READ,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
    scoped=True,
)
def list_budgets(call: Call) -> BudgetPage:
    """A page of budgets."""
    found = budgets.list_budgets(call.ctx, call.organization())
    shown, page = cut(found, call.given.get("page", 1), call.given.get("page_size", 20))
    return BudgetPage([budget_view(one, call.money) for one in shown], page)


@routes.add(
    "POST",
    _ALL,
    summary="Make a budget; it knows what was spent since its period began",
    answer=BudgetOne,
    status=201,
    permission=budgets.WRITE,
    body=BodyOf(NEW_BUDGET, _EXAMPLES),
    errors=(409,),
    scoped=True,
)
def add_budget(call: Call) -> Reply:
    """A new budget."""
    document, organization_id = _new_document(call)
    made = budgets.create(call.ctx, organization_id, document)
    return Reply(201, BudgetOne(budget_view(made, call.money)), {"Location": f"{_ALL}/{made.budget_id}"})


@routes.add(
    "GET",
    f"{_ALL}/status",
    summary="How all budgets stand",
    answer=StatusPage,
    permission=budgets.READ,
    parameters=(ORGANIZATION, AT, PAGE, PAGE_SIZE),
    scoped=True,
)
def list_statuses(call: Call) -> StatusPage:
    """A page of budgets as they stand."""
    given = call.given
    page, size = given.get("page", 1), given.get("page_size", 20)
    found, total = budget_standing.list_statuses(
        call.ctx, call.organization(), given.get("at"), offset=(page - 1) * size, limit=size
    )
    views = [status_view(one, call.money) for one in found]
    return StatusPage(views, pagination(page=page, page_size=size, total=total, has_next=page * size < total))


@routes.add(
    "GET",
    f"{_ALL}/check",
    summary="Which budgets a call would count for, and whether a reservation would be granted now; nothing is held",
    answer=CheckAnswer,
    permission=budgets.READ,
    parameters=(ORGANIZATION, *_CALL),
    tag_filters=True,
    scoped=True,
)
def check(call: Call) -> CheckAnswer:
    """A decision."""
    given = call.given
    document: dict[str, Any] = {name: value for name, value in given.values.items() if name not in ("money",)}
    document |= {"organization_id": call.organization()}
    key_id = document.pop("api_key_id", None)
    if given.tags:
        document["tags"] = {key: values[-1] for key, values in given.tags.items()}
    intake = intake_of(call.application, call.principal, None)
    ttl = timedelta(seconds=call.application.settings.budgets.lease_ttl_secs)
    request = read_lease_request(document, replace(intake, api_key_id=key_id or intake.api_key_id), default_ttl=ttl)
    scope = call.principal.scope_of(budgets.READ)
    if scope.single_project is not None:
        request = request.filled({"project": scope.single_project})
    check_covered(call.principal, budgets.READ, request)
    found = leases.look(call.ctx, request)
    seen = [level for level in found.decision.levels if is_within(level.status.budget.scope, scope)]
    asked = found.lease if isinstance(found, Granted) else found
    levels = [checked_level(level, call.money) for level in seen]
    return CheckAnswer(CheckView(found.decision.allowed, call.money(asked.amount_e10), asked.currency, levels))


@routes.add(
    "POST",
    f"{_ALL}/preview",
    summary="What a budget that is not made would have told of the last year",
    answer=PreviewAnswer,
    permission=budgets.READ,
    body=BodyOf(NEW_BUDGET, _EXAMPLES),
    scoped=True,
)
def preview_document(call: Call) -> PreviewAnswer:
    """A preview of a document."""
    document, organization_id = _new_document(call)
    return PreviewAnswer(
        preview_view(*budget_standing.preview_document(call.ctx, organization_id, document), call.money)
    )


@routes.add(
    "GET",
    _ONE,
    summary="One budget",
    answer=BudgetOne,
    permission=budgets.READ,
    parameters=(ORGANIZATION,),
    scoped=True,
)
def get_budget(call: Call) -> BudgetOne:
    """A budget by its id."""
    found = budgets.get_budget(call.ctx, call.organization(), call.path["budget_id"])
    return BudgetOne(budget_view(found, call.money))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a budget; `scope`, `rollover` and `phases` are replaced as a whole",
    answer=BudgetOne,
    permission=budgets.WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_BUDGET, {"amount": {"amount": 6000, "version": 1}}),
    errors=(409,),
    scoped=True,
)
def change_budget(call: Call) -> BudgetOne:
    """Put what is given in place of the budget's own."""
    fields = Fields(call.body, (*FIELDS, "version"), what="a budget")
    version = fields.whole("version", 1, 2**31 - 1)
    organization_id = fields.parsed("organization_id", check_organization_id)
    fields.done()
    changes = {name: value for name, value in call.body.items() if name not in ("version", "organization_id")}
    version = version if version is not None else _if_match(call.headers)
    bound = call.organization(organization_id)
    changed = budgets.change(call.ctx, bound, call.path["budget_id"], changes, version=version)
    return BudgetOne(budget_view(changed, call.money))


@routes.add(
    "DELETE",
    _ONE,
    summary="End a budget: nothing counts for it any more; 409 while others are below it",
    answer=BudgetOne,
    permission=budgets.WRITE,
    parameters=(ORGANIZATION,),
    errors=(409,),
    scoped=True,
)
def remove_budget(call: Call) -> BudgetOne:
    """The ended budget."""
    ended = budgets.remove(call.ctx, call.organization(), call.path["budget_id"])
    return BudgetOne(budget_view(ended, call.money))


@routes.add(
    "GET",
    f"{_ONE}/status",
    summary="How a budget stands, and those right below it",
    answer=StatusOne,
    permission=budgets.READ,
    parameters=(ORGANIZATION, AT),
    scoped=True,
)
def get_status(call: Call) -> StatusOne:
    """A budget as it stands."""
    first, below = budget_standing.get_status(
        call.ctx, call.organization(), call.path["budget_id"], call.given.get("at")
    )
    return StatusOne(status_view(first, call.money), [status_view(one, call.money) for one in below])


@routes.add(
    "GET",
    f"{_ONE}/history",
    summary="The last periods of a budget, the newest first",
    answer=HistoryAnswer,
    permission=budgets.READ,
    parameters=(ORGANIZATION, PERIODS),
    scoped=True,
)
def get_history(call: Call) -> HistoryAnswer:
    """A budget's periods."""
    found = budget_standing.get_history(
        call.ctx, call.organization(), call.path["budget_id"], call.given.get("periods", 12)
    )
    return HistoryAnswer([past_view(one, call.money) for one in found])


@routes.add(
    "GET",
    f"{_ONE}/preview",
    summary="What a budget, as it is now, would have told of the last year",
    answer=PreviewAnswer,
    permission=budgets.READ,
    parameters=(ORGANIZATION,),
    scoped=True,
)
def preview(call: Call) -> PreviewAnswer:
    """A preview of a budget."""
    found = budget_standing.preview(call.ctx, call.organization(), call.path["budget_id"])
    return PreviewAnswer(preview_view(*found, call.money))


def _new_document(call: Call) -> tuple[dict[str, Any], str]:
    """The document of a budget and its organisation. Raises InvalidInput with every problem of both."""
    fields = Fields(call.body, FIELDS, what="a budget")
    organization_id = fields.parsed("organization_id", check_organization_id)
    document = {name: value for name, value in fields.values.items() if name in FIELDS and name != "organization_id"}
    now = call.application.clock()
    fields.attempt(lambda: read_budget(document, organization_id="", budget_id="", by="", now=now, names=same_names))
    fields.done()
    return document, call.organization(organization_id)


def _if_match(headers: Mapping[bytes, bytes]) -> int | None:
    """The version in the header If-Match, if there is one."""
    given = headers.get(b"if-match", b"*").decode("latin-1").strip().strip('"')
    if given == "*":
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise invalid("If-Match", "invalid_value", 'If-Match must be a budget\'s version, such as "3"')
    return int(given)
