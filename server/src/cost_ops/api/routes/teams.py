"""Teams: groups of people, to whom projects can belong."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.roles import CHANGED_TEAM, NEW_TEAM, Removed, RemovedOne, TeamOne, TeamPage, team_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.services import projects as service

routes = Routes("Access")
_ALL, _ONE = "/api/v1/teams", "/api/v1/teams/{team_id}"


@routes.add(
    "GET",
    _ALL,
    summary="Teams by id, each with its projects",
    answer=TeamPage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_teams(call: Call) -> TeamPage:
    """A page of teams."""
    views = [team_view(known) for known in service.list_teams(call.ctx, call.organization())]
    return TeamPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Make a team; its members see the projects that belong to it",
    answer=TeamOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(NEW_TEAM, {"one": {"team_id": "search", "name": "Search and answers"}}),
    errors=(409,),
)
def add_team(call: Call) -> Reply:
    """A new team."""
    fields = Fields(call.body, tuple(NEW_TEAM["properties"]), what="a team")
    team_id, name = fields.text("team_id", required=True), fields.text("name")
    fields.parsed("organization_id", check_organization_id)
    fields.done()
    made = service.add_team(call.ctx, call.organization(fields.values.get("organization_id")), team_id or "", name)
    return Reply(201, TeamOne(team_view(made)))


@routes.add("GET", _ONE, summary="One team", answer=TeamOne, permission=ADMIN, parameters=(ORGANIZATION,))
def get_team(call: Call) -> TeamOne:
    """A team by its id."""
    return TeamOne(team_view(service.get_team(call.ctx, call.organization(), call.path["team_id"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Give a team another name",
    answer=TeamOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_TEAM, {"name": {"name": "Search"}}),
)
def change_team(call: Call) -> TeamOne:
    """Put a name in place of the team's own."""
    fields = Fields(call.body, tuple(CHANGED_TEAM["properties"]), what="a change of a team")
    name = fields.text("name", required=True)
    fields.done()
    return TeamOne(team_view(service.change_team(call.ctx, call.organization(), call.path["team_id"], name or "")))


@routes.add(
    "DELETE",
    _ONE,
    summary="Remove a team to which nobody and no project belongs",
    answer=RemovedOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    errors=(409,),
)
def remove_team(call: Call) -> RemovedOne:
    """Take a team out."""
    service.remove_team(call.ctx, call.organization(), call.path["team_id"])
    return RemovedOne(Removed(call.path["team_id"]))
