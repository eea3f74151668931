"""`cost-ops contracts`: what an organisation agreed on top of published prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.output import Part, Table

Document = Mapping[str, Any]


@click.group(
    cls=Group,
    examples=(
        "cost-ops contracts add --organization org-123 --discount 10 --provider openai --note 'enterprise agreement'",
        "cost-ops contracts list",
        "cost-ops contracts settle",
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
        "cost-ops contracts add --organization org-123 --provider openai --tier 0:0% --tier 1000000000:10%",
    )
)
@click.option("--discount", metavar="PERCENT", help="this much off; of several, the most specific holds")
@click.option("--margin", metavar="PERCENT", help="this much on top, after a discount")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="TOKENS:PERCENT",
    help="a discount for all usage of a UTC calendar month that has so many tokens; repeatable, the first from 0 on",
)
@click.option("--provider", metavar="NAME", help="only this provider; all by default")
@click.option("--model", metavar="NAME", help="only this model; * stands for any characters; all by default")
@click.option("--meters", metavar="WORDS", help="tokens, all (the default), or meters with commas between them")
@click.option("--effective-date", metavar="TIME", help="from then; a date or an RFC 3339 time; now by default")
@click.option("--end-date", metavar="TIME", help="until then; a date or an RFC 3339 time")
@click.option("--note", metavar="TEXT", help="why: shown by `explain`")
@pass_session
def add(session: Session, /, tiers: tuple[str, ...], **given: str | None) -> None:
    """Add a contract of the organisation that --organization names."""
    from cost_ops.cli.prices import utc_instant

    meters: Any = given["meters"]
    if meters is not None and meters not in ("tokens", "all"):
        meters = [name.strip() for name in meters.split(",")]
    fields = {
        **_terms(given["discount"], given["margin"], tiers),
        "provider": given["provider"],
        "model_id": given["model"],
        "meters": meters,
        "effective_date": utc_instant(given["effective_date"], "effective_date"),
        "end_date": utc_instant(given["end_date"], "end_date"),
        "note": given["note"],
    }
    wanted = {name: value for name, value in fields.items() if value is not None}
    _show(session, [session.backend.contracts.add(session.organization, wanted)])


def _terms(discount: str | None, margin: str | None, tiers: Sequence[str]) -> Document:
    if sum((discount is not None, margin is not None, bool(tiers))) != 1:
        raise click.UsageError("give either --discount or --margin, or volume tiers with --tier")
    if tiers:
        return {"volume": {"tiers": [_tier(text) for text in tiers]}}
    return {"kind": "margin", "percent": margin} if discount is None else {"kind": "discount", "percent": discount}


def _tier(text: str) -> Document:
    """A tier as `1000000000:10%`; the `%` may be left out."""
    from cost_ops.domain.money import format_decimal, parse_decimal

    least, _, percent = text.partition(":")
    try:
        return {"from": int(least), "discount": format_decimal(parse_decimal(percent.removesuffix("%")).scaleb(-2))}
    except ValueError as error:
        message = f"a tier is TOKENS:PERCENT such as 1000000000:10%, got {text[:40]!r}"
        raise click.BadParameter(message, param_hint="'--tier'") from error


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


@contracts.command(
    examples=(
        "cost-ops contracts settle",
        "cost-ops contracts settle --month 2026-11 --dry-run",
        "cost-ops contracts settle --organization org-123 --month 2026-10",
    )
)
@click.option("--month", metavar="MONTH", help="only this one, settled or not; all that are not settled by default")
@click.option("--dry-run", is_flag=True, help="show the months' volumes and tiers, and change nothing")
@pass_session
def settle(session: Session, /, *, month: str | None, dry_run: bool) -> None:
    """Settle the months of contracts with volume tiers, and bring the running month up to date.

    Usage is costed again by the tier that its month reached; a month that is over is then settled. Run it every day, or
    after each month. A second time changes nothing. Usage that came late into a settled month needs --month.
    """
    from cost_ops.domain.volumes import parse_month

    wanted = None if month is None else parse_month(month)
    found = session.backend.contracts.settle(session.named_organization, wanted, dry_run=dry_run)
    _show_settled(session, found)


def _show_settled(session: Session, found: Document) -> None:
    from cost_ops.cli.output import Column, Table, count

    months = found["months"]
    rows = [
        (
            one["contract_id"],
            one["organization_id"],
            one["after"]["month"],
            one["after"]["volume"],
            _tier_text(one["after"]["tier"]),
            None if one["before"] is None else _tier_text(one["before"]["tier"]),
            _state_text(one["after"]),
            one["superseded_records"],
        )
        for one in months
    ]
    columns = [Column("id"), Column("organisation"), Column("month"), count("tokens"), Column("tier"), Column("before")]
    columns += [Column("state"), count("costs changed")]
    parts: list[Part] = [Table(columns, rows)] if rows else ["No month to settle."]
    if found["dry_run"]:
        parts.append("Nothing was changed: this was a dry run.")
    session.output.show(found, *parts, rows=months)


def _tier_text(tier: Document) -> str:
    from cost_ops.domain.money import format_decimal, parse_decimal

    return f"{format_decimal(parse_decimal(tier['discount']).scaleb(2))} % off"


def _state_text(month: Document) -> str:
    return "settled" if month["settled"] else "so far"


def _terms_text(contract: Document) -> str:
    if not contract["volume"]:
        return f"{contract['percent']} % {'off' if contract['kind'] == 'discount' else 'on top'}"
    return ", ".join(f"{_tier_text(tier)} from {tier['from']:,}" for tier in contract["volume"]["tiers"])


def _months_table(found: Sequence[Document]) -> Table:
    from cost_ops.cli.output import Column, Table, count

    rows = [
        (contract["contract_id"], month["month"], month["volume"], _tier_text(month["tier"]), _state_text(month))
        for contract in found
        for month in contract["months"] or ()
    ]
    return Table([Column("id"), Column("month"), count("tokens"), Column("tier"), Column("state")], rows)


def _show(session: Session, found: Sequence[Document]) -> None:
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.prices import meters_text

    rows = [
        (
            c["contract_id"],
            c["organization_id"],
            _terms_text(c),
            f"{c['provider']} / {c['model_id']}",
            meters_text(c["meters"]),
            (c["effective_date"] or "always")[:10],
            (c["end_date"] or "open")[:10],
            c["note"] or None,
        )
        for c in found
    ]
    columns = [Column(header) for header in ("id", "organisation", "terms", "for", "meters", "from", "until", "note")]
    months = _months_table(found)
    session.output.show(list(found), Table(columns, rows), *([months] if months.rows else []))
