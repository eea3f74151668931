"""`cost-ops currencies`: exchange rates by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from datetime import date

ECB = "European Central Bank"


@click.group(
    cls=Group,
    examples=(
        "cost-ops currencies import eurofxref-hist.csv",
        "cost-ops currencies show USD EUR --date 2026-03-13",
        "cost-ops query --range this-month --currency EUR",
    ),
)
def currencies() -> None:
    """Exchange rates by UTC day, for answers in one currency. Nothing is fetched: rates come from files."""


@currencies.command(
    "import",
    examples=(
        "cost-ops currencies import eurofxref-hist.csv",
        "cost-ops currencies import our-rates.csv --source 'treasury department'",
    ),
)
@click.argument("file")
@click.option("--source", metavar="TEXT", help=f"who states these rates; {ECB} where the file has its form")
@click.option("--base", metavar="CODE", default="EUR", show_default=True, help="base of a file in the wide form")
@click.option("--replace", is_flag=True, help="put these in place of stored rates that differ")
@pass_session
def import_rates(session: Session, /, *, file: str, source: str | None, base: str, replace: bool) -> None:
    """Import rates from CSV: the European Central Bank's form (Date,USD,JPY,…), or date,base,quote,rate.

    A stored rate that differs stands, unless you say --replace: answers stay what they were.
    """
    from cost_ops.cli.output import Column, Table
    from cost_ops.domain.exchange_files import read_rates

    lines = _lines(file)
    wide = lines[:1] and "base" not in lines[0].lower()
    rates = read_rates(lines, source or (ECB if wide and base == "EUR" else file), base)
    found = session.backend.currencies.add(rates, replace=replace)
    rows = [(name, f"{found[name]:,}") for name in ("added", "unchanged", "replaced")]
    session.output.show(found, Table((Column("rates"), Column("")), rows))
    if found["kept"]:
        count = f"{len(found['kept']):,} stored rates differ from the file and stand, the first of them"
        first = found["kept"][0]
        session.output.notice(
            f"{count} {first['base']}/{first['quote']} of {first['date']} ({first['rate']}); --replace overwrites them."
        )


def _lines(path: str) -> list[str]:
    from pathlib import Path

    from cost_ops.cli.errors import Refused

    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not text in UTF-8; unpack it first if it is an archive") from error


@currencies.command(
    "list",
    examples=("cost-ops currencies list --quote USD", "cost-ops currencies list --start 2026-01-01 --output csv"),
)
@click.option("--base", metavar="CODE", help="only rates of one unit of this currency")
@click.option("--quote", metavar="CODE", help="only rates in this currency")
@click.option("--start", metavar="DATE", help="from this UTC day on")
@click.option("--end", metavar="DATE", help="up to this UTC day, included")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="rows at most")
@pass_session
def list_rates(session: Session, /, *, limit: int, **given: str | None) -> None:
    """List stored rates, the newest first."""
    from cost_ops.cli.output import Column, Table

    found, total = session.backend.currencies.search(
        base=given["base"],
        quote=given["quote"],
        first=_day(given["start"], "--start"),
        last=_day(given["end"], "--end"),
        limit=limit,
    )
    rows = [(r["date"], f"1 {r['base']}", f"{r['rate']} {r['quote']}", r["source"]) for r in found]
    columns = [Column(header) for header in ("date", "one", "is", "source")]
    parts: list[Any] = [Table(columns, rows)] if rows else ["No exchange rates found."]
    if total > len(found):
        parts.append(f"{len(found):,} of {total:,} rates; --limit shows more.")
    session.output.show(found, *parts)


@currencies.command(examples=("cost-ops currencies show USD EUR", "cost-ops currencies show USD EUR --date 2026-03-13"))
@click.argument("base")
@click.argument("quote")
@click.option("--date", "day", metavar="DATE", help="a UTC day; today by default")
@pass_session
def show(session: Session, /, *, base: str, quote: str, day: str | None) -> None:
    """Show the rate that a conversion on a day uses: that day's, else the last one of the week before."""
    from cost_ops.cli.output import Column, Table

    found = session.backend.currencies.effective(base, quote, _day(day, "--date"))
    rows = [
        ("rate", f"1 {base} is {found['rate']} {quote}"),
        ("for", found["date"]),
        ("stated on", found["rate_date"]),
        ("source", found["source"] or "none needed"),
    ]
    rows += [("over", found["via"])] if found["via"] else []
    session.output.show(found, Table((Column("exchange rate"), Column("")), rows))


def _day(text: str | None, option: str) -> date | None:
    from cost_ops.domain.exchange_files import parse_day

    if text is None:
        return None
    found = parse_day(text)
    if found is None:
        raise click.BadParameter(f"{text[:40]!r} is no day such as 2026-03-13", param_hint=option)
    return found
