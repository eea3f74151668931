"""The people of an organisation: list, invite, change, remove. With an admin key, or as the organisation's admin.

Nothing in a body can name another organisation than one's own, or give what is not a role.
"""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.people import CHANGED_MEMBER, NEW_MEMBER, MemberOne, MemberPage, member_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.services import people
from cost_ops.services.people import MemberChange, NewMember

routes = Routes("Access")
_ALL, _ONE = "/api/v1/users", "/api/v1/users/{user_id}"


@routes.add(
    "GET",
    _ALL,
    summary="Members of the organisation, by e-mail address",
    answer=MemberPage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_members(call: Call) -> MemberPage:
    """A page of members."""
    views = [member_view(found) for found in people.members(call.ctx, call.organization())]
    return MemberPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Make somebody a member, and invite them by e-mail",
    answer=MemberOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(
        NEW_MEMBER,
        {
            "engineer": {"email": "ana@example.com", "name": "Ana", "role": "engineer"},
            "one project": {"email": "ben@example.com", "role": "viewer", "projects": ["chatbot"]},
        },
    ),
    errors=(409,),
)
def add_member(call: Call) -> Reply:
    """A new member; whether the address was known elsewhere is not told."""
    fields = Fields(call.body, tuple(NEW_MEMBER["properties"]), what="a member")
    email, role = fields.text("email", required=True), fields.text("role", required=True)
    name = fields.text("name")
    fields.parsed("organization_id", check_organization_id)
    projects, teams = fields.texts("projects") or (), fields.texts("teams") or ()
    fields.done()
    address = email or ""
    new = NewMember(address, name or address.partition("@")[0], role or "", tuple(projects), tuple(teams))
    organization = call.organization(fields.values.get("organization_id"))
    invited = people.add(call.ctx, call.application.login_tools, organization, new)
    location = {"Location": f"/api/v1/users/{invited.member.user_id}"}
    return Reply(201, MemberOne(member_view(invited.member, invited)), location)


@routes.add("GET", _ONE, summary="One member", answer=MemberOne, permission=ADMIN, parameters=(ORGANIZATION,))
def describe_member(call: Call) -> MemberOne:
    """A member by id."""
    return MemberOne(member_view(people.member(call.ctx, call.organization(), call.path["user_id"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change what a member is: name, role, projects, teams",
    answer=MemberOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_MEMBER, {"role": {"role": "analyst"}, "projects": {"projects": ["chatbot", "search"]}}),
    errors=(409,),
)
def change_member(call: Call) -> MemberOne:
    """What is not said stays."""
    fields = Fields(call.body, tuple(CHANGED_MEMBER["properties"]), what="a change of a member")
    name, role = fields.text("name"), fields.text("role")
    projects, teams = fields.texts("projects"), fields.texts("teams")
    disabled = fields.truth("disabled") if "disabled" in fields.values else None
    fields.done()
    wanted = MemberChange(
        name,
        role,
        None if projects is None else tuple(projects),
        None if teams is None else tuple(teams),
        disabled,
    )
    return MemberOne(member_view(people.change(call.ctx, call.organization(), call.path["user_id"], wanted)))


@routes.add(
    "DELETE",
    _ONE,
    summary="Take a member out; their sessions end, their account stays",
    answer=MemberOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    errors=(409,),
)
def remove_member(call: Call) -> MemberOne:
    """Keys that they made stay good; revoke those that should not."""
    return MemberOne(member_view(people.remove(call.ctx, call.organization(), call.path["user_id"])))
