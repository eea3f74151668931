"""`cost-ops policies`: rules beside roles, with conditions on project, tag, time and address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

_EXAMPLE = "cost-ops policies create --deny usage:*,costs:read --name 'no merger' --for role:analyst --project merger"


@click.group(cls=Group, examples=("cost-ops policies list", _EXAMPLE, "cost-ops policies show 'no merger'"))
def policies() -> None:
    """Policies allow or deny something to roles, people and keys, for some usage, at some times, from some addresses.

    A denial goes before everything that allows. `cost-ops access explain` says what follows from them.
    """


@policies.command("list", examples=("cost-ops policies list",))
@pass_session
def list_policies(session: Session) -> None:
    """List policies by name."""
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.whose import organization_of

    found = session.backend.access.policies.search(organization_of(session))
    columns = [Column(name) for name in ("name", "effect", "for", "actions", "conditions")]
    rows = [
        (p["name"], p["effect"], ", ".join(p["subjects"]), ", ".join(p["actions"]), ", ".join(p["conditions"]) or None)
        for p in found
    ]
    session.output.show(found, Table(columns, rows) if rows else "There are no policies: roles and keys decide alone.")


@policies.command(examples=("cost-ops policies show 'no merger'",))
@click.argument("policy")
@pass_session
def show(session: Session, /, *, policy: str) -> None:
    """Show a policy, by its name or id."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.access.policies.get(organization_of(session), policy))


@policies.command(
    examples=(
        _EXAMPLE,
        "cost-ops policies create --deny pricing:write --name 'office hours' --hours 18:00-08:00",
        "cost-ops policies create --deny '*' --name 'abroad' --for key:key_123 --until 2026-04-01",
        "cost-ops policies create --file policy.json",
    )
)
@click.option("--name", metavar="NAME", help="what it is called; refusals say it")
@click.option("--allow", metavar="A,B", help="permissions to allow, such as export:read or usage:*")
@click.option("--deny", metavar="A,B", help="permissions to deny; * is all but admin:*")
@click.option("--for", "subjects", metavar="A,B", help="role:NAME, user:ID or key:ID; everybody by default")
@click.option("--project", "projects", metavar="ID", multiple=True, help="for usage of this project; repeatable")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="for usage with this tag; repeatable")
@click.option("--hours", metavar="FROM-TO", help="such as 09:00-18:00, or 18:00-08:00 over midnight")
@click.option("--weekdays", metavar="1,2", help="days of --hours, from 1 (Monday) to 7")
@click.option("--timezone", metavar="ZONE", help="of --hours; UTC by default")
@click.option("--from", "start", metavar="TIME", help="holds from then on")
@click.option("--until", "end", metavar="TIME", help="holds until then")
@click.option("--address", "addresses", metavar="NETWORK", multiple=True, help="from there, 10.0.0.0/8; repeatable")
@click.option("--file", "file", type=click.File("rb"), help="a policy as JSON instead, - for standard input")
@pass_session
def create(session: Session, /, *, file: Any, **given: Any) -> None:
    """Make a policy. It holds within seconds, for what is asked then."""
    from cost_ops.cli.policy_fields import policy_fields, policy_from_file
    from cost_ops.cli.whose import organization_of

    if file is not None and any(given.values()):
        raise click.UsageError("give either --file or options, not both")
    fields = policy_from_file(file.read()) if file is not None else policy_fields(given)
    _show(session, session.backend.access.policies.add(organization_of(session), fields))


@policies.command(
    examples=(
        "cost-ops policies update 'no merger' --file policy.json",
        "echo '{\"actions\": [\"*\"]}' | cost-ops policies update 'no merger' --file -",
    ),
)
@click.argument("policy")
@click.option(
    "--file", "file", type=click.File("rb"), required=True, help="the fields that change as JSON, - for stdin"
)
@pass_session
def update(session: Session, /, *, policy: str, file: Any) -> None:
    """Change a policy: the fields that are given take the place of its own."""
    from cost_ops.cli.policy_fields import policy_from_file
    from cost_ops.cli.whose import organization_of

    fields = policy_from_file(file.read())
    _show(session, session.backend.access.policies.change(organization_of(session), policy, fields))


@policies.command(examples=("cost-ops policies delete 'no merger'",))
@click.argument("policy")
@pass_session
def delete(session: Session, /, *, policy: str) -> None:
    """Remove a policy, by its name or id."""
    from cost_ops.cli.whose import organization_of

    session.backend.access.policies.remove(organization_of(session), policy)
    session.output.notice(f"The policy {policy} is removed.")


def _show(session: Session, policy: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    rows: list[Sequence[Any]] = [
        ("name", policy["name"]),
        ("id", policy["policy_id"]),
        ("effect", policy["effect"]),
        ("for", ", ".join(policy["subjects"])),
        ("actions", ", ".join(policy["actions"])),
    ]
    rows.extend((name, _words(value)) for name, value in policy["conditions"].items())
    if not policy["conditions"]:
        rows.append(("conditions", "none: always"))
    session.output.show(policy, Table((Column("policy"), Column("")), rows))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_words(item)}" for name, item in value.items() if item not in ([], None))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
