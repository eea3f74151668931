"""`cost-ops budget reserve|settle|release|leases`: what a call may cost, held before it is made."""

from __future__ import annotations

from typing import Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session

_STATUSES = ("held", "settled", "released", "expired")


def _usage_options(command: Any) -> Any:
    """What is known of a call."""
    options = (
        click.option("--provider", metavar="NAME", help="the call's provider"),
        click.option("--model", "model_id", metavar="NAME", help="its model"),
        click.option("--project", "project_id", metavar="NAME", help="its project"),
        click.option("--user", "user_id", metavar="NAME", help="its user"),
        click.option("--team", "team_id", metavar="NAME", help="its team"),
        click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="a tag of it; repeatable"),
        click.option("--input-tokens", type=int, metavar="N", help="tokens that are sent"),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    cls=Command,
    examples=(
        "cost-ops budget reserve --project search --amount 0.05",
        "cost-ops budget reserve --provider openai --model gpt-4o --input-tokens 1200 --max-output-tokens 800",
        "cost-ops budget reserve --budget budget-4f1a2b3c4d5e --amount 2 --ttl 3600 --output json",
    ),
)
@_usage_options
@click.option("--amount", metavar="N", help="what the call may cost, instead of tokens")
@click.option("--currency", metavar="CODE", help="of the amount; USD by default")
@click.option("--max-output-tokens", type=int, metavar="N", help="tokens that it may answer with")
@click.option("--budget", "budget_id", metavar="ID", help="it counts for this budget, whose scope fills in the rest")
@click.option("--ttl", "ttl_seconds", type=click.IntRange(1, 86_400), metavar="SECONDS", help="held so long; 600")
@click.option("--key", "idempotency_key", metavar="TEXT", help="the same key again leads to the same lease")
@pass_session
def reserve(session: Session, /, **given: Any) -> None:
    """Hold what a call may cost of every budget it will count for, or of none.

    Settle the lease with the call's usage, or release it; else it runs out. Exit code 1, or 4 through a
    server: a hard budget has no room.
    """
    from cost_ops.cli.output import Column, Table, money

    found = session.backend.leases.reserve(_whose(session), _fields(given))
    columns = (Column("budget"), Column("period"), money("held"), Column("in"))
    rows = [(held["name"], held["period"], held["amount"], held["currency"]) for held in found["holds"]]
    parts = [Table(columns, rows)] if rows else ["No budget is about this call."]
    said = f"{found['lease_id']} holds until {_second(found['expires_at'])}."
    session.output.show(found, *parts, said)


@click.command(
    cls=Command,
    examples=(
        "cost-ops budget settle lease_0a1b2c3d4e5f6g7h --input-tokens 1180 --output-tokens 312",
        "cost-ops budget settle lease_0a1b2c3d4e5f6g7h --provider openai --model gpt-4o --input-tokens 9 "
        "--output-tokens 4",
    ),
)
@click.argument("lease_id")
@_usage_options
@click.option("--output-tokens", type=int, metavar="N", help="tokens that were answered")
@click.option("--cached-tokens", type=int, metavar="N", help="of those sent, read from the provider's cache")
@pass_session
def settle(session: Session, /, *, lease_id: str, **given: Any) -> None:
    """Record the usage of a call and let go of its lease; what is not said is the lease's."""
    found = session.backend.leases.settle(lease_id, _fields(given))
    lease = found["lease"]
    cost = "without a known price" if found["cost"] is None else f"{found['cost']:f} {found['currency']}"
    said = [f"Recorded as {found['usage_id']}: {cost}."]
    if lease["late"]:
        said.append("The lease had run out; the usage is recorded all the same.")
    if lease["over_lease"]:
        said.append(f"That is {lease['over_lease']:f} {lease['currency']} more than was held.")
    session.output.show(found, " ".join(said))


@click.command(cls=Command, examples=("cost-ops budget release lease_0a1b2c3d4e5f6g7h",))
@click.argument("lease_id")
@pass_session
def release(session: Session, /, *, lease_id: str) -> None:
    """Give a lease back: the call is not made."""
    found = session.backend.leases.release(session.organization, lease_id)
    session.output.show(found, f"{lease_id} is {found['status']}; nothing is held.")


@click.command("leases", cls=Command, examples=("cost-ops budget leases", "cost-ops budget leases --status held"))
@click.option("--status", type=click.Choice(_STATUSES), help="only leases that are so")
@pass_session
def list_leases(session: Session, /, *, status: str | None) -> None:
    """List leases, newest first."""
    from cost_ops.cli.output import Column, Table, money

    found = session.backend.leases.search(_whose(session), status)
    columns = (Column("lease"), Column("status"), money("amount"), Column("in"), Column("until"), money("cost"))
    rows = [
        (
            one["lease_id"],
            one["status"],
            one["amount"],
            one["currency"],
            _second(one["expires_at"]),
            one["settled_cost"],
        )
        for one in found
    ]
    session.output.show(found, Table(columns, rows) if rows else "No leases found.")


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    from cost_ops.cli.budget_options import pairs_of

    fields = {name: value for name, value in given.items() if value not in (None, ())}
    if "tags" in fields:
        fields["tags"] = dict(pairs_of(fields["tags"], "--tag"))
    return fields


def _second(instant: str) -> str:
    """An instant to the second, for people."""
    return f"{instant[:19]}Z"


def _whose(session: Session) -> str | None:
    from cost_ops.cli.whose import organization_of

    return organization_of(session)
