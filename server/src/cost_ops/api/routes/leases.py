"""Leases: held before a call of all budgets that it will count for, settled with its usage, or given back."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from cost_ops.api.ingest import header_key, intake_of
from cost_ops.api.lease_answers import granted_answer, refusal, settled_answer, unchecked_answer
from cost_ops.api.lease_bodies import check_of_budget, lease_id_of, read_request, released_lease, settled_submission
from cost_ops.api.operations import BodyOf, Call, Operation, Routes, respond, standard_errors
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of
from cost_ops.api.parameters_known import MONEY, ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.routes.ingest import IDEMPOTENCY_HEADER
from cost_ops.api.schemas.leases import (
    RELEASE,
    RESERVATION,
    SETTLEMENT,
    LeaseAnswer,
    LeasePage,
    SettledUsageAnswer,
    lease_view,
)
from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.domain.leases import Lease, LeaseStatus
from cost_ops.services import leases, usage
from cost_ops.services.leases import Refused
from cost_ops.services.usage import Batch

routes = Routes("Budgets")
RESERVE_PATH, SETTLE_PATH = "/api/v1/budgets/reserve", "/api/v1/budgets/settle"
_OF_ONE = "/api/v1/budgets/{budget_id}"
_STATUSES = [str(status) for status in LeaseStatus]
STATUS = Parameter("status", "only leases that are so", {"type": "string", "enum": _STATUSES}, one_of(_STATUSES))
_BODY = {"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4"}
_RESERVE = BodyOf(
    RESERVATION,
    {
        "tokens": {**_BODY, "input_tokens": 1200, "max_output_tokens": 800, "project_id": "search"},
        "amount": {"organization_id": "org-123", "amount": 0.05, "user_id": "user-7", "ttl_seconds": 120},
    },
)
_SETTLE = BodyOf(SETTLEMENT, {"one": {"lease_id": "lease_0a1b2c", "input_tokens": 1200, "output_tokens": 310}})
_RELEASE = BodyOf(RELEASE, {"one": {"lease_id": "lease_0a1b2c"}})


def _hot(path: str, summary: str, body: BodyOf, answers: dict[int, type]) -> Operation:
    errors = standard_errors(True, body, (409,))
    return Operation(
        ("POST",), path, None, "Budgets", summary, "usage:write", (MONEY,), False, body, answers, errors,
        IDEMPOTENCY_HEADER if path == RESERVE_PATH else {}, scoped=True,
    )  # fmt: skip


routes.operations.append(
    _hot(
        RESERVE_PATH,
        "Hold what a call may cost of every budget it will count for, or of none: 409 where a hard one has no room",
        _RESERVE,
        {201: LeaseAnswer, 200: LeaseAnswer},
    )
)
routes.operations.append(
    _hot(
        SETTLE_PATH,
        "Record the usage of a call and let go of its lease, in one transaction",
        _SETTLE,
        {201: SettledUsageAnswer, 200: SettledUsageAnswer},
    )
)


@routes.add(
    "POST",
    "/api/v1/budgets/release",
    summary="Give a lease back: the call is not made",
    answer=LeaseAnswer,
    permission="usage:write",
    body=_RELEASE,
    errors=(409,),
    scoped=True,
)
def release(call: Call) -> LeaseAnswer:
    """A released lease."""
    return _released(call, *released_lease(call.body))


@routes.add(
    "POST",
    f"{_OF_ONE}/reserve",
    summary="The same for a call that counts for this budget: its scope fills in what the request leaves open",
    answer=LeaseAnswer,
    status=201,
    also={200: LeaseAnswer},
    permission="usage:write",
    body=_RESERVE,
    errors=(409,),
    scoped=True,
)
def reserve_of(call: Call) -> Response:
    """A lease."""
    application = call.application
    ttl = timedelta(seconds=application.settings.budgets.lease_ttl_secs)
    intake = intake_of(application, call.principal, header_key(call.headers))
    request = read_request(call.body, intake, call.principal, ttl, call.path["budget_id"])
    try:
        outcome = call.process.decider.submit(request).result()
    except Unavailable:
        if application.settings.budgets.when_unavailable == "refuse":
            raise
        call.process.metrics.unchecked.inc()
        return respond(200, unchecked_answer(request))
    if isinstance(outcome, CostOpsError):
        raise outcome
    if isinstance(outcome, Refused):
        raise refusal(outcome, call.principal)
    return respond(200 if outcome.replayed else 201, granted_answer(outcome, call.principal, call.money))


@routes.add(
    "POST",
    f"{_OF_ONE}/settle",
    summary="Record the usage of a call and let go of its lease of this budget",
    answer=SettledUsageAnswer,
    status=201,
    also={200: SettledUsageAnswer},
    permission="usage:write",
    body=_SETTLE,
    errors=(409,),
    scoped=True,
)
def settle_of(call: Call) -> Response:
    """The recorded usage."""
    lease = _of_budget(call, lease_id_of(call.body))
    submission = settled_submission(call.body, lease, intake_of(call.application, call.principal, None))
    priced = usage.price(call.ctx, call.application.books.current(), submission)
    outcome = usage.record(call.ctx, [Batch((priced,), lease_id=lease.lease_id)])[0][0]
    if isinstance(outcome, CostOpsError):
        raise outcome
    return respond(200 if outcome.replayed else 201, settled_answer(outcome, outcome.lease or lease, call.money))


@routes.add(
    "POST",
    f"{_OF_ONE}/release",
    summary="Give a lease of this budget back",
    answer=LeaseAnswer,
    permission="usage:write",
    body=_RELEASE,
    errors=(409,),
    scoped=True,
)
def release_of(call: Call) -> LeaseAnswer:
    """A released lease."""
    lease_id, organization_id = released_lease(call.body)
    _of_budget(call, lease_id)
    return _released(call, lease_id, organization_id)


@routes.add(
    "GET",
    "/api/v1/leases",
    summary="Leases, newest first",
    answer=LeasePage,
    permission="budgets:read",
    parameters=(ORGANIZATION, STATUS, PAGE, PAGE_SIZE),
)
def list_leases(call: Call) -> LeasePage:
    """A page of leases."""
    page, size = call.given.get("page", 1), call.given.get("page_size", 20)
    found, total = leases.list_leases(
        call.ctx, call.organization(), status=call.given.get("status"), limit=size, offset=(page - 1) * size
    )
    views = [lease_view(lease, call.money) for lease in found]
    return LeasePage(views, pagination(page=page, page_size=size, total=total, has_next=page * size < total))


@routes.add(
    "GET",
    "/api/v1/leases/{lease_id}",
    summary="One lease",
    answer=LeaseAnswer,
    permission="budgets:read",
    parameters=(ORGANIZATION,),
)
def get_lease(call: Call) -> LeaseAnswer:
    """A lease."""
    lease_id = call.path["lease_id"]
    organization_id = call.given.get("organization_id") or call.principal.organization_id
    if organization_id is None:
        organization_id = leases.whose(call.ctx, lease_id).organization_id
    return LeaseAnswer(lease_view(leases.get_lease(call.ctx, organization_id, lease_id), call.money))


def _of_budget(call: Call, lease_id: str) -> Lease:
    lease = leases.whose(call.ctx, lease_id)
    check_of_budget(lease, call.path["budget_id"])
    return lease


def _released(call: Call, lease_id: str, organization_id: str | None) -> LeaseAnswer:
    found = leases.release(call.ctx, organization_id or call.principal.organization_id, lease_id)
    return LeaseAnswer(lease_view(found, call.money))
