"""Projects: declared ones, and those that usage has named."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.roles import CHANGED_PROJECT, NEW_PROJECT, ProjectOne, ProjectPage, project_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.services import projects as service
from cost_ops.services.projects import ProjectChange

routes = Routes("Access")
_ALL, _ONE = "/api/v1/projects", "/api/v1/projects/{project_id}"


@routes.add(
    "GET",
    _ALL,
    summary="Projects by id: declared ones, and those that usage has named",
    answer=ProjectPage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_projects(call: Call) -> ProjectPage:
    """A page of projects."""
    views = [project_view(known) for known in service.list_projects(call.ctx, call.organization())]
    return ProjectPage(*cut(views, call.given.get("page", 1), call.given.get("page_size", 20)))


@routes.add(
    "POST",
    _ALL,
    summary="Declare a project, so that it has a name and a team",
    answer=ProjectOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(NEW_PROJECT, {"one": {"project_id": "chatbot", "name": "Support chatbot"}}),
    errors=(409,),
)
def add_project(call: Call) -> Reply:
    """A new project."""
    fields = Fields(call.body, tuple(NEW_PROJECT["properties"]), what="a project")
    project_id = fields.text("project_id", required=True)
    name, team_id = fields.text("name"), fields.text("team_id")
    fields.parsed("organization_id", check_organization_id)
    fields.done()
    organization = call.organization(fields.values.get("organization_id"))
    made = service.add_project(call.ctx, organization, project_id or "", name=name, team_id=team_id)
    return Reply(201, ProjectOne(project_view(made)))


@routes.add("GET", _ONE, summary="One project", answer=ProjectOne, permission=ADMIN, parameters=(ORGANIZATION,))
def get_project(call: Call) -> ProjectOne:
    """A project by its id."""
    return ProjectOne(project_view(service.get_project(call.ctx, call.organization(), call.path["project_id"])))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a project's name or team, or archive it; one that only usage names is declared by it",
    answer=ProjectOne,
    permission=ADMIN,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_PROJECT, {"name": {"name": "Support chatbot"}, "archive": {"archived": True}}),
)
def change_project(call: Call) -> ProjectOne:
    """Put what is given in place of the project's own. Whoever is bound to its team sees it from then on."""
    fields = Fields(call.body, tuple(CHANGED_PROJECT["properties"]), what="a change of a project")
    name = fields.text("name")
    team_id = "" if fields.values.get("team_id") == "" else fields.text("team_id")
    archived = fields.truth("archived") if "archived" in fields.values else None
    fields.done()
    change = ProjectChange(name, team_id, archived)
    changed = service.change_project(call.ctx, call.organization(), call.path["project_id"], change)
    return ProjectOne(project_view(changed))
