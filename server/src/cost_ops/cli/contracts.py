"""`cost-ops contracts`: what an organisation agreed on top of published prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

Document = Mapping[str, Any]


@click.group(
    cls=Group,
    examples=(
        "cost-ops contracts add --organization org-123 --discount 10 --provider openai --note 'enterprise agreement'",
        "cost-ops contracts list",
        "cost-ops contracts end contract-1",
    ),
)
def contracts() -> None:
    """Discounts and margins of an organisation, on top of published prices. A negotiated rate is a price of its own.

    A contract counts for usage that is priced while it holds; what was priced before stays, until it is repriced.
    """


@contracts.command(
    examples=(
        "cost-ops contracts add --organization org-123 --discount 10 --provider openai",
        "cost-ops contracts add --organization org-123 --discount 20 --model 'gpt-4*' --meters tokens "
        "--effective-date 2026-01-01 --end-date 2027-01-01",
        "cost-ops contracts add --organization org-123 --margin 5 --note 'platform fee'",
    )
)
@click.option("--discount", metavar="PERCENT", help="this much off; of several, the most specific holds")
@click.option("--margin", metavar="PERCENT", help="this much on top, after a discount")
@click.option("--provider", metavar="NAME", help="only this provider; all by default")
@click.option("--model", metavar="NAME", help="only this model; * stands for any characters; all by default")
@click.option("--meters", metavar="WORDS", help="tokens, all (the default), or meters with commas between them")
@click.option("--effective-date", metavar="TIME", help="from then; a date or an RFC 3339 time; now by default")
@click.option("--end-date", metavar="TIME", help="until then; a date or an RFC 3339 time")
@click.option("--note", metavar="TEXT", help="why: shown by `explain`")
@pass_session
def add(session: Session, /, **given: str | None) -> None:
    """Add a contract of the organisation that --organization names."""
    from cost_ops.cli.prices import utc_instant

    percents = {kind: given[kind] for kind in ("discount", "margin") if given[kind] is not None}
    if len(percents) != 1:
        raise click.UsageError("give either --discount or --margin")
    ((kind, percent),) = percents.items()
    meters: Any = given["meters"]
    if meters is not None and meters not in ("tokens", "all"):
        meters = [name.strip() for name in meters.split(",")]
    fields = {
        "kind": kind,
        "percent": percent,
        "provider": given["provider"],
        "model_id": given["model"],
        "meters": meters,
        "effective_date": utc_instant(given["effective_date"], "effective_date"),
        "end_date": utc_instant(given["end_date"], "end_date"),
        "note": given["note"],
    }
    wanted = {name: value for name, value in fields.items() if value is not None}
    _show(session, [session.backend.contracts.add(session.organization, wanted)])


@contracts.command("list", examples=("cost-ops contracts list", "cost-ops contracts list --organization org-123 --all"))
@click.option("--all", "everything", is_flag=True, help="ended and future contracts too")
@pass_session
def list_contracts(session: Session, /, *, everything: bool) -> None:
    """List the contracts that hold now."""
    found = session.backend.contracts.search(session.organization, current=not everything)
    if found:
        _show(session, found)
    else:
        session.output.show([], "No contracts found.")


@contracts.command(examples=("cost-ops contracts end contract-1", "cost-ops contracts end contract-1 --at 2026-12-31"))
@click.argument("contract_id")
@click.option("--at", metavar="TIME", help="a date or an RFC 3339 time; now by default")
@pass_session
def end(session: Session, /, *, contract_id: str, at: str | None) -> None:
    """End a contract. What was priced under it stays as it is."""
    from cost_ops.cli.prices import utc_instant

    found = session.backend.contracts.end(session.named_organization, contract_id, utc_instant(at, "at"))
    _show(session, [found])


def _show(session: Session, found: Sequence[Document]) -> None:
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.prices import meters_text

    rows = [
        (
            c["contract_id"],
            c["organization_id"],
            f"{c['percent']} % {'off' if c['kind'] == 'discount' else 'on top'}",
            f"{c['provider']} / {c['model_id']}",
            meters_text(c["meters"]),
            (c["effective_date"] or "always")[:10],
            (c["end_date"] or "open")[:10],
            c["note"] or None,
        )
        for c in found
    ]
    columns = [Column(header) for header in ("id", "organisation", "terms", "for", "meters", "from", "until", "note")]
    session.output.show(list(found), Table(columns, rows))
