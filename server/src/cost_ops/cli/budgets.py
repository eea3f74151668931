"""`cost-ops budget`: how much may be spent, on what, and how it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.budget_options import budget_options
from cost_ops.cli.leases import list_leases, release, reserve, settle
from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from datetime import datetime

_ID = re.compile(r"budget-[0-9a-f]{12}\Z")


@click.group(
    cls=Group,
    examples=(
        "cost-ops budget create --amount 5000 --period monthly --timezone Europe/Berlin",
        "cost-ops budget create --name search --amount 250 --project search --model gpt-4o --tag env=prod --hard",
        "cost-ops budget status",
        "cost-ops budget check --provider openai --model gpt-4o --project search --amount 0.05",
        "cost-ops budget update search --amount 300",
    ),
)
def budget() -> None:
    """Budgets: what may be spent in a period, by an organisation or a part of its usage, in a tree.

    A budget counts what the ledger has, from the start of the period it is made in. BUDGET is an id or a name.
    """


@budget.command(
    examples=(
        "cost-ops budget create --amount 5000 --period monthly --timezone Europe/Berlin",
        "cost-ops budget create --amount 5000 --period monthly --threshold 0.5 --threshold 0.75 --threshold 0.9",
        "cost-ops budget create --name search --amount 250 --period weekly --project search --model gpt-4o "
        "--tag env=prod --hard --rollover unused",
        "cost-ops budget create --name launch --amount 2e4 --period once --start 2026-11-01 --end 2026-12-24",
        "cost-ops budget create --name research --amount 900 --currency EUR --period '14 days' --parent 'all teams'",
    )
)
@budget_options
@pass_session
def create(session: Session, /, **given: Any) -> None:
    """Make a budget. Without a scope it is about the whole organisation."""
    from cost_ops.cli.budget_tables import show_one

    show_one(session.output, session.backend.budgets.create(_whose(session), _fields(session, given)))


@budget.command("list", examples=("cost-ops budget list", "cost-ops budget list --output json"))
@pass_session
def list_budgets(session: Session) -> None:
    """List budgets by name, each followed by those below it."""
    from cost_ops.cli.budget_tables import show_list

    show_list(session.output, session.backend.budgets.search(_whose(session)))


@budget.command(examples=("cost-ops budget show search", "cost-ops budget show budget-4f1a2b3c4d5e --output yaml"))
@click.argument("budget")
@pass_session
def show(session: Session, /, *, budget: str) -> None:
    """Show what a budget is."""
    from cost_ops.cli.budget_tables import show_one

    whose = _whose(session)
    show_one(session.output, session.backend.budgets.get(whose, _identity(session, whose, budget)))


@budget.command(
    examples=(
        "cost-ops budget status",
        "cost-ops budget status search --at 2026-10-31",
        "cost-ops budget status --output json",
    )
)
@click.argument("budget", required=False)
@click.option("--at", metavar="TIME", help="in the period that holds this time: a date or an RFC 3339 time")
@pass_session
def status(session: Session, /, *, budget: str | None, at: str | None) -> None:
    """Show how budgets stand: spent (█) and held (▒) of the limit, thresholds (│), and where they are heading."""
    from cost_ops.cli.budget_tables import show_standing, thresholds

    whose, instant = _whose(session), _instant(at)
    if budget is None:
        found = session.backend.budgets.statuses(whose, instant)
        show_standing(session.output, found)
    else:
        found = session.backend.budgets.status(whose, _identity(session, whose, budget), instant)
        show_standing(session.output, found, thresholds(found[0]))


@budget.command(
    examples=(
        "cost-ops budget update search --amount 300",
        "cost-ops budget update search --threshold 50% --threshold 80% --threshold 100%",
        "cost-ops budget update search --model gpt-4o --model gpt-4o-mini --project search",
        "cost-ops budget update search --everything --parent none",
    )
)
@click.argument("budget")
@budget_options
@click.option("--everything", is_flag=True, help="about the whole organisation again")
@pass_session
def update(session: Session, /, *, budget: str, everything: bool, **given: Any) -> None:
    """Change a budget. A scope that is given takes the place of the old one as a whole."""
    from cost_ops.cli.budget_tables import show_one

    whose = _whose(session)
    identity = _identity(session, whose, budget)
    zone = session.backend.budgets.get(whose, identity)["timezone"]
    fields = _fields(session, given, zone)
    if everything:
        if "scope" in fields:
            raise click.UsageError("give either --everything or a scope, not both")
        fields["scope"] = {}
    if not fields:
        raise click.UsageError("say what to change: --amount, --threshold, --hard, --project …")
    show_one(session.output, session.backend.budgets.change(whose, identity, fields))


@budget.command(examples=("cost-ops budget delete search", "cost-ops budget delete budget-4f1a2b3c4d5e"))
@click.argument("budget")
@pass_session
def delete(session: Session, /, *, budget: str) -> None:
    """End a budget: nothing counts for it any more. Those below it have to go first."""
    whose = _whose(session)
    ended = session.backend.budgets.remove(whose, _identity(session, whose, budget))
    session.output.show(ended, f"{ended['name']} ({ended['budget_id']}) has ended.")


@budget.command(examples=("cost-ops budget history search", "cost-ops budget history search --periods 24"))
@click.argument("budget")
@click.option("--periods", type=click.IntRange(1, 100), default=12, show_default=True, help="periods at most")
@pass_session
def history(session: Session, /, *, budget: str, periods: int) -> None:
    """Show a budget's last periods, the newest first."""
    from cost_ops.cli.budget_tables import history_table

    whose = _whose(session)
    found = session.backend.budgets.history(whose, _identity(session, whose, budget), periods)
    session.output.show(found, history_table(found))


@budget.command(
    examples=(
        "cost-ops budget check --project search --amount 0.05",
        "cost-ops budget check --provider openai --model gpt-4o --input-tokens 1200 --output-tokens 800 --tag env=prod",
    )
)
@click.option("--provider", metavar="NAME", help="the call's provider")
@click.option("--model", "model_id", metavar="NAME", help="its model")
@click.option("--project", "project_id", metavar="NAME", help="its project")
@click.option("--user", "user_id", metavar="NAME", help="its user")
@click.option("--team", "team_id", metavar="NAME", help="its team")
@click.option("--key", "api_key_id", metavar="ID", help="the API key that it is recorded with")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="a tag of it; repeatable")
@click.option("--amount", metavar="N", help="what it may cost")
@click.option("--currency", metavar="CODE", help="of the amount; USD by default")
@click.option("--input-tokens", type=int, metavar="N", help="instead of an amount: tokens, which are priced")
@click.option("--output-tokens", type=int, metavar="N", help="tokens that it may answer with")
@pass_session
def check(session: Session, /, tags: tuple[str, ...], **given: Any) -> None:
    """Say which budgets a call would count for, and whether it may be made now. Exit code 1: it may not.

    Nothing is held; `POST /api/v1/budgets/reserve` does that.
    """
    from cost_ops.cli.budget_options import pairs_of
    from cost_ops.cli.budget_tables import check_parts

    call = {name: value for name, value in given.items() if value is not None}
    if tags:
        call["tags"] = dict(pairs_of(tags, "--tag"))
    found = session.backend.budgets.check(_whose(session), call)
    session.output.show(found, *check_parts(found), rows=found["budgets"])
    if not found["allowed"]:
        current_context().exit(1)


@budget.command(
    examples=(
        "cost-ops budget preview search",
        "cost-ops budget preview --amount 5000 --period monthly --timezone Europe/Berlin --threshold 0.8",
    )
)
@click.argument("budget", required=False)
@budget_options
@pass_session
def preview(session: Session, /, *, budget: str | None, **given: Any) -> None:
    """Show what would have been told over the last year: by a budget, or by one that is not made."""
    from cost_ops.cli.budget_tables import preview_parts

    whose, fields = _whose(session), _fields(session, given)
    if budget is not None and fields:
        raise click.UsageError("name a budget, or say what one would be, not both")
    if budget is None and not fields:
        raise click.UsageError("name a budget, or say what one would be: --amount 5000 --period monthly")
    if budget is not None:
        found = session.backend.budgets.preview(whose, _identity(session, whose, budget))
    else:
        found = session.backend.budgets.preview_document(whose, fields)
    session.output.show(found, *preview_parts(found), rows=found["periods"])


def _whose(session: Session) -> str | None:
    from cost_ops.cli.whose import organization_of

    return organization_of(session)


def _identity(session: Session, whose: str | None, named: str) -> str:
    """The id of a budget that is named by its id or its name."""
    if _ID.match(named):
        return named
    found = [one["budget_id"] for one in session.backend.budgets.search(whose) if one["name"] == named]
    return found[0] if found else named


def _fields(session: Session, given: Mapping[str, Any], zone: str = "UTC") -> dict[str, Any]:
    from cost_ops.cli.budget_options import budget_fields

    fields = budget_fields(given, zone)
    parent = given.get("parent")
    if parent is not None:
        fields["parent_id"] = None if parent == "none" else _identity(session, _whose(session), parent)
    return fields


def _instant(text: str | None) -> datetime | None:
    from cost_ops.cli.prices import utc_instant

    return utc_instant(text, "at")


for _command in (reserve, settle, release, list_leases):
    budget.add_command(_command)
