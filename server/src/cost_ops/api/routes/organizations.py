"""Organisations: the tenants. With an admin key only."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import PAGE, PAGE_SIZE
from cost_ops.api.schemas.access import NEW_ORGANIZATION, OrganizationOne, OrganizationPage, organization_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.services import organizations

routes = Routes("Access")


@routes.add(
    "GET",
    "/api/v1/organizations",
    summary="Organisations by id",
    answer=OrganizationPage,
    permission=ADMIN,
    parameters=(PAGE, PAGE_SIZE),
)
def list_organizations(call: Call) -> OrganizationPage:
    """A page of organisations."""
    views = [organization_view(found) for found in organizations.list_organizations(call.ctx)]
    return OrganizationPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    "/api/v1/organizations",
    summary="Create an organisation; one that exists is returned as it is, with 200",
    answer=OrganizationOne,
    status=201,
    also={200: OrganizationOne},
    permission=ADMIN,
    body=BodyOf(NEW_ORGANIZATION, {"one": {"organization_id": "org-123", "name": "Example"}}),
)
def create_organization(call: Call) -> Reply:
    """An organisation, created where it does not exist."""
    fields = Fields(call.body, tuple(NEW_ORGANIZATION["properties"]), what="an organisation")
    if fields.text("organization_id", required=True):
        fields.parsed("organization_id", check_organization_id)
    name = fields.text("name")
    fields.done()
    identity = fields.values["organization_id"]
    existed = organizations.exists(call.ctx, identity)
    found = organizations.ensure(call.ctx, identity, name)
    return Reply(200 if existed else 201, OrganizationOne(organization_view(found)))
