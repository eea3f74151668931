"""`cost-ops teams`: groups of people, to whom projects can belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group, examples=("cost-ops teams list", "cost-ops teams create support", "cost-ops teams delete support")
)
def teams() -> None:
    """Teams: whoever is bound to one sees the usage of its projects, and no other."""


@teams.command("list", examples=("cost-ops teams list",))
@pass_session
def list_teams(session: Session) -> None:
    """List teams with their projects and how many members they have."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.access.teams.search(organization_of(session)))


@teams.command(examples=("cost-ops teams create support --name 'Customer support'",))
@click.argument("team_id")
@click.option("--name", metavar="NAME", help="what people call it")
@pass_session
def create(session: Session, /, *, team_id: str, name: str | None) -> None:
    """Make a team. `cost-ops projects update --team` gives it projects."""
    from cost_ops.cli.whose import organization_of

    fields = {"team_id": team_id} | ({} if name is None else {"name": name})
    _show(session, [session.backend.access.teams.add(organization_of(session), fields)])


@teams.command(examples=("cost-ops teams update support --name 'Customer support'",))
@click.argument("team_id")
@click.option("--name", required=True, metavar="NAME", help="what people call it")
@pass_session
def update(session: Session, /, *, team_id: str, name: str) -> None:
    """Give a team another name."""
    from cost_ops.cli.whose import organization_of

    _show(session, [session.backend.access.teams.change(organization_of(session), team_id, {"name": name})])


@teams.command(examples=("cost-ops teams delete support",))
@click.argument("team_id")
@pass_session
def delete(session: Session, /, *, team_id: str) -> None:
    """Remove a team to which nobody and no project belongs."""
    from cost_ops.cli.whose import organization_of

    session.backend.access.teams.remove(organization_of(session), team_id)
    session.output.notice(f"The team {team_id} is removed.")


def _show(session: Session, found: Sequence[Mapping[str, Any]]) -> None:
    from cost_ops.cli.output import Column, Table, count

    columns = [Column("team"), Column("name"), Column("projects"), count("members")]
    rows = [(t["team_id"], t["name"], ", ".join(t["projects"]) or None, t["members"]) for t in found]
    session.output.show(
        found, Table(columns, rows) if rows else "There are no teams; `cost-ops teams create` makes one."
    )
