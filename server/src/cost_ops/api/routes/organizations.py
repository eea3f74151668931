"""Organisations: the tenants, their plans and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import PAGE, PAGE_SIZE
from cost_ops.api.schemas.organizations import (
    CHANGED_ORGANIZATION,
    NEW_ORGANIZATION,
    LimitsAnswer,
    OrganizationOne,
    OrganizationPage,
    limits_view,
    organization_view,
)
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.domain.plans import DEFAULT_QUOTA, changed_quota
from cost_ops.services import organizations
from cost_ops.services.organizations import OrganizationChange

routes = Routes("Access")
_ALL, _ONE = "/api/v1/organizations", "/api/v1/organizations/{organization_id}"


@routes.add(
    "GET",
    _ALL,
    summary="Organisations by id: all of them with an admin key, else one's own",
    answer=OrganizationPage,
    permission=ADMIN,
    parameters=(PAGE, PAGE_SIZE),
    scoped=True,
)
def list_organizations(call: Call) -> OrganizationPage:
    """A page of organisations."""
    views = [organization_view(found) for found in organizations.list_organizations(call.ctx)]
    return OrganizationPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Create an organisation; one that exists is returned as it is, with 200",
    answer=OrganizationOne,
    status=201,
    also={200: OrganizationOne},
    permission=ADMIN,
    body=BodyOf(
        NEW_ORGANIZATION,
        {
            "one": {"organization_id": "org-123", "name": "Example"},
            "with a plan": {"organization_id": "org-456", "plan": "developer"},
        },
    ),
)
def create_organization(call: Call) -> Reply:
    """An organisation, created where it does not exist. With an admin key only."""
    fields = Fields(call.body, tuple(NEW_ORGANIZATION["properties"]), what="an organisation")
    if fields.text("organization_id", required=True):
        fields.parsed("organization_id", check_organization_id)
    name = fields.text("name")
    wanted = _quota(fields)
    fields.done()
    identity = fields.values["organization_id"]
    existed = organizations.exists(call.ctx, identity) if call.principal.owner else False
    found = organizations.ensure(call.ctx, identity, name, wanted)
    return Reply(200 if existed else 201, OrganizationOne(organization_view(found)))


@routes.add("GET", _ONE, summary="One organisation", answer=OrganizationOne, permission=ADMIN, scoped=True)
def get_organization(call: Call) -> OrganizationOne:
    """An organisation by its id."""
    return OrganizationOne(organization_view(organizations.get(call.ctx, call.path["organization_id"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change an organisation's name, plan or limits; with an admin key only",
    answer=OrganizationOne,
    permission=ADMIN,
    body=BodyOf(
        CHANGED_ORGANIZATION,
        {
            "a plan": {"plan": "professional"},
            "limits of its own": {"limits": {"requests_per_hour": 50_000, "burst": None}},
            "the plan's limits again": {"limits": None},
        },
    ),
)
def change_organization(call: Call) -> OrganizationOne:
    """Put what is given in place of the organisation's own. It holds within `auth.key_cache_secs` seconds."""
    fields = Fields(call.body, tuple(CHANGED_ORGANIZATION["properties"]), what="a change of an organisation")
    plan_limits = "limits" in call.body and call.body["limits"] is None
    wanted = replace(_quota(fields), name=fields.text("name"), plan_limits=plan_limits)
    fields.done()
    changed = organizations.change(call.ctx, call.path["organization_id"], wanted)
    return OrganizationOne(organization_view(changed))


@routes.add(
    "GET",
    f"{_ONE}/limits",
    summary="An organisation's limits and how much of them is used now; its own needs no permission",
    answer=LimitsAnswer,
    scoped=True,
)
def get_limits(call: Call) -> LimitsAnswer:
    """Limits and their use."""
    now = organizations.limits(call.ctx, call.application.permits, call.path["organization_id"])
    return LimitsAnswer(limits_view(now))


def _quota(fields: Fields) -> OrganizationChange:
    """Plan and limits, checked, so that what is wrong with them is told beside the rest."""
    plan, limits = fields.text("plan"), fields.values.get("limits")
    if limits is not None and not isinstance(limits, Mapping):
        fields.add("limits", "invalid_type", 'limits must be an object such as {"requests_per_hour": 1000}')
        limits = None
    fields.attempt(lambda: changed_quota(DEFAULT_QUOTA, plan, limits))
    return OrganizationChange(plan=plan, limits=limits)
