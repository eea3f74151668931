"""Roles: the built-in ones, and an organisation's own."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.roles import (
    CHANGED_ROLE,
    NEW_ROLE,
    Removed,
    RemovedOne,
    RoleOne,
    RolePage,
    role_view,
)
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.services import roles as service

routes = Routes("Access")
_ALL, _ONE = "/api/v1/roles", "/api/v1/roles/{name}"


@routes.add(
    "GET",
    _ALL,
    summary="Roles: the built-in ones, then the organisation's own",
    answer=RolePage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_roles(call: Call) -> RolePage:
    """A page of roles."""
    views = [role_view(role) for role in service.list_roles(call.ctx, call.organization())]
    return RolePage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Make a role of the organisation's own (plans professional and enterprise)",
    answer=RoleOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(NEW_ROLE, {"auditor": {"name": "auditor", "permissions": ["costs:read", "audit:read"]}}),
    errors=(409,),
)
def add_role(call: Call) -> Reply:
    """A new role."""
    fields = Fields(call.body, tuple(NEW_ROLE["properties"]), what="a role")
    name = fields.text("name", required=True)
    fields.parsed("organization_id", check_organization_id)
    permissions = fields.texts("permissions")
    if permissions is None and "permissions" not in fields.values:
        fields.add("permissions", "missing_required_field", "permissions is required: what the role may do")
    description = fields.text("description")
    fields.done()
    organization = call.organization(fields.values.get("organization_id"))
    made = service.add_role(call.ctx, organization, name or "", permissions or (), description or "")
    return Reply(201, RoleOne(role_view(made)), {"Location": f"{_ALL}/{made.name}"})


@routes.add("GET", _ONE, summary="One role", answer=RoleOne, permission=ADMIN, parameters=(ORGANIZATION,))
def get_role(call: Call) -> RoleOne:
    """A role by its name."""
    return RoleOne(role_view(service.get_role(call.ctx, call.organization(), call.path["name"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a role of the organisation's own; whoever has it has the new permissions within seconds",
    answer=RoleOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_ROLE, {"permissions": {"permissions": ["costs:read", "audit:read", "export:read"]}}),
    errors=(409,),
)
def change_role(call: Call) -> RoleOne:
    """Put what is given in place of the role's own."""
    fields = Fields(call.body, tuple(CHANGED_ROLE["properties"]), what="a change of a role")
    permissions, description = fields.texts("permissions"), fields.text("description")
    fields.done()
    name, organization = call.path["name"], call.organization()
    changed = service.change_role(call.ctx, organization, name, permissions=permissions, description=description)
    return RoleOne(role_view(changed))


@routes.add(
    "DELETE",
    _ONE,
    summary="Remove a role of the organisation's own that nobody has",
    answer=RemovedOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    errors=(409,),
)
def remove_role(call: Call) -> RemovedOne:
    """Take a role out."""
    service.remove_role(call.ctx, call.organization(), call.path["name"])
    return RemovedOne(Removed(call.path["name"]))
