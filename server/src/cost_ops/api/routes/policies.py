"""Policies: rules beside roles, with conditions on project, tag, time and address."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.roles import (
    CHANGED_POLICY,
    NEW_POLICY,
    PolicyOne,
    PolicyPage,
    Removed,
    RemovedOne,
    policy_view,
)
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.domain.policy_documents import FIELDS, read_policy
from cost_ops.services import policies as service

routes = Routes("Access")
_ALL, _ONE = "/api/v1/policies", "/api/v1/policies/{policy_id}"
_EXAMPLES = {
    "hide a project": {
        "name": "secret project",
        "effect": "deny",
        "subjects": ["role:analyst", "role:viewer"],
        "actions": ["usage:*", "costs:read", "analytics:read", "export:read"],
        "conditions": {"projects": ["merger"]},
    },
    "office hours": {
        "name": "prices in office hours",
        "effect": "deny",
        "actions": ["pricing:write"],
        "conditions": {"hours": {"start": "18:00", "end": "08:00", "timezone": "Europe/Berlin"}},
    },
}


@routes.add(
    "GET",
    _ALL,
    summary="Policies by name",
    answer=PolicyPage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_policies(call: Call) -> PolicyPage:
    """A page of policies."""
    views = [policy_view(policy) for policy in service.list_policies(call.ctx, call.organization())]
    return PolicyPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Make a policy; it holds within seconds (plans professional and enterprise)",
    answer=PolicyOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(NEW_POLICY, _EXAMPLES),
    errors=(409,),
)
def add_policy(call: Call) -> Reply:
    """A new policy."""
    fields = Fields(call.body, (*FIELDS, "organization_id"), what="a policy")
    fields.parsed("organization_id", check_organization_id)
    document = {name: value for name, value in fields.values.items() if name in FIELDS}
    fields.attempt(lambda: read_policy(document, policy_id="", now=call.application.clock()))
    fields.done()
    made = service.add_policy(call.ctx, call.organization(fields.values.get("organization_id")), document)
    return Reply(201, PolicyOne(policy_view(made)), {"Location": f"{_ALL}/{made.policy_id}"})


@routes.add("GET", _ONE, summary="One policy", answer=PolicyOne, permission=ADMIN, parameters=(ORGANIZATION,))
def get_policy(call: Call) -> PolicyOne:
    """A policy by its id."""
    return PolicyOne(policy_view(service.get_policy(call.ctx, call.organization(), call.path["policy_id"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a policy; `conditions` are replaced as a whole",
    answer=PolicyOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_POLICY, {"conditions": {"conditions": {"addresses": ["10.0.0.0/8"]}}}),
    errors=(409,),
)
def change_policy(call: Call) -> PolicyOne:
    """Put what is given in place of the policy's own."""
    fields = Fields(call.body, FIELDS, what="a policy")
    fields.done()
    changed = service.change_policy(call.ctx, call.organization(), call.path["policy_id"], fields.values)
    return PolicyOne(policy_view(changed))


@routes.add(
    "DELETE",
    _ONE,
    summary="Remove a policy",
    answer=RemovedOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
)
def remove_policy(call: Call) -> RemovedOne:
    """Take a policy out."""
    service.remove_policy(call.ctx, call.organization(), call.path["policy_id"])
    return RemovedOne(Removed(call.path["policy_id"]))
