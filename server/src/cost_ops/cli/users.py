"""`cost-ops users`: the people of an organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group,
    examples=(
        "cost-ops users add ana@example.com --role engineer",
        "cost-ops users list",
        "cost-ops users remove ana@example.com",
    ),
)
def users() -> None:
    """People: let them into an organisation, say what they are in it, let them go."""


@users.command(
    examples=(
        "cost-ops users add ana@example.com --role engineer --name 'Ana'",
        "cost-ops users add ben@example.com --role viewer --projects chatbot,search --organization org-123",
    )
)
@click.argument("email")
@click.option(
    "--role", required=True, metavar="NAME", help="viewer, analyst, engineer, billing_admin, admin, or your own"
)
@click.option("--name", metavar="NAME", help="what they are called; else the part before the @")
@click.option("--projects", metavar="A,B", help="they see these only; everything where left out")
@click.option("--teams", metavar="A,B", help="they see the projects of these teams")
@pass_session
def add(
    session: Session, /, *, email: str, role: str, name: str | None, projects: str | None, teams: str | None
) -> None:
    """Make somebody a member and send them an invitation.

    On the database, without a mail server, the link that sets their password is shown: hand it over.
    """
    from cost_ops.cli.access_backend import names
    from cost_ops.cli.whose import organization_of

    fields = {"email": email, "role": role, "name": name, "projects": names(projects), "teams": names(teams)}
    given = {name: value for name, value in fields.items() if value is not None}
    added = session.backend.members.add(organization_of(session), given)
    _show(session, added)
    if added.get("invitation") == "sent":
        session.output.notice(f"An invitation is on its way to {added['email']}.")
    elif not added.get("link"):
        session.output.notice(
            "No mail server is configured, so nobody was told; `cost-ops auth reset-password --email …` on the "
            "database makes a link."
        )


@users.command("list", examples=("cost-ops users list", "cost-ops users list --organization org-123 --output json"))
@pass_session
def list_users(session: Session) -> None:
    """List the members of an organisation."""
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.whose import organization_of

    found = session.backend.members.search(organization_of(session))
    columns = [Column(name) for name in ("e-mail", "name", "role", "sees", "last log-in", "id")]
    rows = [(m["email"], m["name"], m["role"], _sees(m), (m["last_login_at"] or "never")[:10], m["id"]) for m in found]
    session.output.show(
        found, Table(columns, rows) if rows else "There are no users; `cost-ops users add` invites one."
    )


@users.command(
    examples=(
        "cost-ops users update ana@example.com --role analyst",
        "cost-ops users update ben@example.com --projects chatbot",
        "cost-ops users update ben@example.com --everything",
        "cost-ops users update eva@example.com --disable",
    )
)
@click.argument("user")
@click.option("--role", metavar="NAME", help="another role")
@click.option("--name", metavar="NAME", help="call them so")
@click.option("--projects", metavar="A,B", help="these in place of theirs")
@click.option("--teams", metavar="A,B", help="these in place of theirs")
@click.option("--everything", is_flag=True, help="bound to no projects and teams any more")
@click.option("--disable/--enable", default=None, help="shut the account in all organisations, or open it again")
@pass_session
def update(
    session: Session,
    /,
    *,
    user: str,
    role: str | None,
    name: str | None,
    projects: str | None,
    teams: str | None,
    everything: bool,
    disable: bool | None,
) -> None:
    """Change what a member is. They are named by e-mail address or id. It holds within seconds."""
    from cost_ops.cli.access_backend import names
    from cost_ops.cli.whose import organization_of

    if everything and (projects is not None or teams is not None):
        raise click.UsageError("give either --everything, or --projects and --teams")
    fields: dict[str, Any] = {
        "role": role,
        "name": name,
        "projects": [] if everything else names(projects),
        "teams": [] if everything else names(teams),
        "disabled": disable,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        raise click.UsageError("say what to change: --role, --name, --projects, --teams, --everything or --disable")
    _show(session, session.backend.members.change(organization_of(session), user, given))


@users.command(examples=("cost-ops users remove ana@example.com",))
@click.argument("user")
@pass_session
def remove(session: Session, /, *, user: str) -> None:
    """Take a member out: their sessions end within seconds. Keys that they made stay good."""
    from cost_ops.cli.whose import organization_of

    removed = session.backend.members.remove(organization_of(session), user)
    session.output.show(removed, f"{removed['email']} is no member of {removed['organization_id']} any more.")


def _sees(member: Mapping[str, Any]) -> str:
    bound: Sequence[str] = [*member["projects"], *(f"team {team}" for team in member["teams"])]
    return ", ".join(bound) or "everything"


def _show(session: Session, member: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    rows = [
        ("name", member["name"]),
        ("role", member["role"]),
        ("organisation", member["organization_id"]),
        ("sees", _sees(member)),
        ("last log-in", member["last_login_at"] or "never"),
        ("id", member["id"]),
    ]
    table = Table((Column(member["email"]), Column("")), rows)
    told = []
    if member.get("link"):
        told.append(f"No mail server is configured. The link that sets their password:\n{member['link']}")
    session.output.show(member, table, *told)
