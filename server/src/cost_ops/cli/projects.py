"""`cost-ops projects`: what usage is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group,
    examples=(
        "cost-ops projects list",
        "cost-ops projects create chatbot --name 'Support chatbot' --team support",
        "cost-ops projects archive chatbot",
    ),
)
def projects() -> None:
    """Projects are known from usage that names them; declaring one gives it a name and a team."""


@projects.command("list", examples=("cost-ops projects list", "cost-ops projects list --all"))
@click.option("--all", "everything", is_flag=True, help="archived ones too")
@pass_session
def list_projects(session: Session, /, *, everything: bool) -> None:
    """List projects: declared ones, and those that usage names."""
    from cost_ops.cli.whose import organization_of

    found = session.backend.access.projects.search(organization_of(session))
    _show(session, [project for project in found if everything or not project["archived"]])


@projects.command(examples=("cost-ops projects create chatbot --name 'Support chatbot' --team support",))
@click.argument("project_id")
@click.option("--name", metavar="NAME", help="what people call it")
@click.option("--team", metavar="ID", help="the team that it belongs to; its members see it")
@pass_session
def create(session: Session, /, *, project_id: str, name: str | None, team: str | None) -> None:
    """Declare a project, before usage names it or after."""
    from cost_ops.cli.whose import organization_of

    given = {"project_id": project_id, "name": name, "team_id": team}
    fields = {key: value for key, value in given.items() if value is not None}
    _show(session, [session.backend.access.projects.add(organization_of(session), fields)])


@projects.command(
    examples=("cost-ops projects update chatbot --team support", "cost-ops projects update chatbot --no-team")
)
@click.argument("project_id")
@click.option("--name", metavar="NAME", help="what people call it")
@click.option("--team", metavar="ID", help="the team that it belongs to; its members see it")
@click.option("--no-team", is_flag=True, help="it belongs to no team")
@pass_session
def update(session: Session, /, *, project_id: str, name: str | None, team: str | None, no_team: bool) -> None:
    """Change a project's name or team."""
    from cost_ops.cli.whose import organization_of

    if no_team and team is not None:
        raise click.UsageError("give either --team or --no-team, not both")
    given = {"name": name, "team_id": "" if no_team else team}
    fields = {key: value for key, value in given.items() if value is not None}
    if not fields:
        raise click.UsageError("say what to change: --name, --team or --no-team")
    _show(session, [session.backend.access.projects.change(organization_of(session), project_id, fields)])


@projects.command(examples=("cost-ops projects archive chatbot", "cost-ops projects archive chatbot --undo"))
@click.argument("project_id")
@click.option("--undo", is_flag=True, help="take it out of the archive again")
@pass_session
def archive(session: Session, /, *, project_id: str, undo: bool) -> None:
    """Put a project aside: lists leave it out. Its usage stays, and more is still recorded."""
    from cost_ops.cli.whose import organization_of

    organization = organization_of(session)
    _show(session, [session.backend.access.projects.change(organization, project_id, {"archived": not undo})])


def _show(session: Session, found: Sequence[Mapping[str, Any]]) -> None:
    from cost_ops.cli.output import Column, Table

    columns = [Column(name) for name in ("project", "name", "team", "state")]
    rows = [(p["project_id"], p["name"], p["team_id"], _state(p)) for p in found]
    session.output.show(found, Table(columns, rows) if rows else "There are no projects yet; usage names them.")


def _state(project: Mapping[str, Any]) -> str:
    if project["archived"]:
        return "archived"
    if not project["declared"]:
        return "seen in usage"
    return "declared" if project["used"] else "declared, no usage yet"
