"""`cost-ops roles`: named sets of permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group,
    examples=(
        "cost-ops roles list",
        "cost-ops roles create auditor --permissions costs:read,audit:read",
        "cost-ops roles delete auditor",
    ),
)
def roles() -> None:
    """Roles: viewer, analyst, engineer, billing_admin and admin are built in; an organisation may add its own."""


@roles.command("list", examples=("cost-ops roles list", "cost-ops roles list --output json"))
@pass_session
def list_roles(session: Session) -> None:
    """List roles: the built-in ones, then the organisation's own."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.access.roles.search(organization_of(session)))


@roles.command(examples=("cost-ops roles show engineer",))
@click.argument("name")
@pass_session
def show(session: Session, /, *, name: str) -> None:
    """Show a role and all of its permissions."""
    from cost_ops.cli.whose import organization_of

    _show_one(session, session.backend.access.roles.get(organization_of(session), name))


@roles.command(
    examples=("cost-ops roles create auditor --permissions costs:read,audit:read --description 'reads the books'",)
)
@click.argument("name")
@click.option("--permissions", required=True, metavar="A,B", help="what the role may do")
@click.option("--description", metavar="TEXT", help="what it is for")
@pass_session
def create(session: Session, /, *, name: str, permissions: str, description: str | None) -> None:
    """Make a role of the organisation's own."""
    from cost_ops.cli.access_backend import names
    from cost_ops.cli.whose import organization_of

    fields: dict[str, Any] = {"name": name, "permissions": names(permissions)}
    if description is not None:
        fields["description"] = description
    _show_one(session, session.backend.access.roles.add(organization_of(session), fields))


@roles.command(
    examples=(
        "cost-ops roles update auditor --permissions costs:read,audit:read,export:read",
        "cost-ops roles update auditor --add-permissions export:read",
    )
)
@click.argument("name")
@click.option("--permissions", metavar="A,B", help="these in place of its own")
@click.option("--add-permissions", metavar="A,B", help="these too")
@click.option("--remove-permissions", metavar="A,B", help="not these any more")
@click.option("--description", metavar="TEXT", help="what it is for")
@pass_session
def update(session: Session, /, *, name: str, **given: str | None) -> None:
    """Change a role of the organisation's own. Whoever has it may do the new things within seconds."""
    from cost_ops.cli.access_backend import names
    from cost_ops.cli.whose import organization_of

    if not any(given.values()):
        raise click.UsageError("say what to change: --permissions, --add-permissions, --remove-permissions …")
    organization = organization_of(session)
    fields: dict[str, Any] = {}
    granted = names(given["permissions"])
    added, removed = names(given["add_permissions"]) or [], names(given["remove_permissions"]) or []
    if added or removed:
        held = granted or session.backend.access.roles.get(organization, name)["permissions"]
        granted = [one for one in dict.fromkeys((*held, *added)) if one not in removed]
    if granted is not None:
        fields["permissions"] = granted
    if given["description"] is not None:
        fields["description"] = given["description"]
    _show_one(session, session.backend.access.roles.change(organization, name, fields))


@roles.command(examples=("cost-ops roles delete auditor",))
@click.argument("name")
@pass_session
def delete(session: Session, /, *, name: str) -> None:
    """Remove a role of the organisation's own that nobody has."""
    from cost_ops.cli.whose import organization_of

    session.backend.access.roles.remove(organization_of(session), name)
    session.output.notice(f"The role {name} is removed.")


def _show(session: Session, found: Sequence[Mapping[str, Any]]) -> None:
    from cost_ops.cli.output import Column, Table

    columns = [Column(name) for name in ("name", "kind", "permissions", "description")]
    rows = [(r["name"], "built in" if r["built_in"] else "own", len(r["permissions"]), r["description"]) for r in found]
    session.output.show(found, Table(columns, rows))


def _show_one(session: Session, role: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    rows = [
        ("name", role["name"]),
        ("kind", "built in" if role["built_in"] else "the organisation's own"),
        ("description", role["description"] or None),
        ("permissions", ", ".join(role["permissions"]) or "none"),
    ]
    session.output.show(role, Table((Column("role"), Column("")), rows))
