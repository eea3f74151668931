"""`cost-ops correct` and `erase`: changing recorded usage."""

from __future__ import annotations

import json
from typing import Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session


@click.command(
    cls=Command,
    examples=(
        "cost-ops correct 0194d2c8-7e00-7000-8000-000000000001 --set output_tokens=450 --reason 'cut-off stream'",
        "cost-ops correct 0194d2c8-7e00-7000-8000-000000000001 --set project_id=search --set user_id= --reason moved",
    ),
)
@click.argument("usage_id")
@click.option(
    "--set",
    "given",
    multiple=True,
    required=True,
    metavar="FIELD=VALUE",
    help="a field as POST /usage has it; empty takes it away; repeatable",
)
@click.option("--reason", required=True, metavar="TEXT", help="why the record was wrong; kept for good")
@pass_session
def correct(session: Session, /, *, usage_id: str, given: tuple[str, ...], reason: str) -> None:
    """Correct a recorded usage: its old form is kept, its cost worked out anew, and the sums move by the difference.

    Doing the same again changes nothing. A record whose cost an invoice settled cannot be corrected.
    """
    from cost_ops.cli.output import format_money

    fields = dict(_field(text) for text in given)
    found = session.backend.changes.correct(session.organization, usage_id, fields, reason)
    record = found["data"]
    cost = "no known cost" if record["cost"] is None else f"{format_money(record['cost'])} {record['currency']}"
    told = f"corrected, revision {found['revision']}" if found["changed"] else "already so; nothing was changed"
    session.output.show(found, f"{usage_id}: {told}.", f"{record['provider']}/{record['model_id']}: {cost}")


def _field(text: str) -> tuple[str, Any]:
    """A field and its value; numbers and objects as JSON has them, everything else is text."""
    from cost_ops.domain.exact_json import parse_json
    from cost_ops.domain.submitted import TEXT_FIELDS

    name, mark, value = text.partition("=")
    if not mark or not name:
        raise click.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="--set")
    if not value:
        return name, None
    if name in TEXT_FIELDS or name == "timestamp":
        return name, value
    try:
        return name, parse_json(value)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"{value!r} is not a value of {name}", param_hint="--set") from error


@click.command(
    cls=Command,
    examples=(
        "cost-ops erase --user user-7 --organization org-123 --dry-run",
        "cost-ops erase --user user-7 --organization org-123 --tag email --yes",
    ),
)
@click.option("--user", "user_id", required=True, metavar="ID", help="the person whose usage it is")
@click.option("--tag", "tags", multiple=True, metavar="KEY", help="take tags with this key, too; repeatable")
@click.option("--dry-run", is_flag=True, help="count, and change nothing")
@click.option("--yes", "-y", is_flag=True, help="do not ask")
@pass_session
def erase(session: Session, /, *, user_id: str, tags: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Take what tells of a person out of their usage: user, session, metadata, raw payloads and named tags.

    Counts and amounts stay, as usage of nobody. This cannot be undone.
    """
    organization = session.backend.usage.default_organization(session.organization)
    if not dry_run and not yes:
        click.confirm(f"Erase {user_id!r} from {organization or 'the organisation'} for good?", abort=True, err=True)
    found = session.backend.changes.erase(organization, user_id, tags, dry_run=dry_run)
    done = "would be" if dry_run else "were"
    forms = f" and {found['earlier_forms']:,} earlier forms of records" if found["earlier_forms"] else ""
    session.output.show(found, f"{found['records']:,} records{forms} of {found['organization_id']} {done} anonymised.")
