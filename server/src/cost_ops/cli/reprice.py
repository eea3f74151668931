"""`cost-ops reprice`: recorded usage costed again by today's prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.question import RANGES, filters_of, span_of, time_options, zone_of
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from cost_ops.cli.backend import Document, Watch
    from cost_ops.cli.output import Part
    from cost_ops.domain.reprice_runs import RepriceRequest

MOST_SHOWN = 40
STATUSES = ("computed", "estimated", "unpriced", "reported", "invoiced")


@click.command(
    cls=Command,
    examples=(
        "cost-ops reprice --range last-month --dry-run",
        "cost-ops reprice --start 2025-01-01 --end 2025-02-01 --model gpt-4 --reason 'corrected price' --yes",
        "cost-ops reprice --range this-year --dry-run --output csv",
        "cost-ops reprice --resume 7",
    ),
)
@click.option("--range", "preset", metavar="RANGE", help=RANGES)
@time_options
@click.option("--provider", multiple=True, metavar="NAME", help="only this provider; repeatable")
@click.option("--model", multiple=True, metavar="NAME", help="only this model; repeatable")
@click.option("--project", multiple=True, metavar="NAME", help="only this project; repeatable")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="only costs of this status")
@click.option("--dry-run", is_flag=True, help="show what would change, and change nothing")
@click.option("--unprice", is_flag=True, help="take the cost of records whose price is gone; otherwise they keep it")
@click.option("--reason", metavar="TEXT", default="re-priced", show_default=True, help="stands in every new cost row")
@click.option("--resume", "number", type=click.IntRange(1), metavar="RUN", help="go on with a run that stopped")
@click.option("--yes", "-y", is_flag=True, help="do it without showing the difference first")
@pass_session
def reprice(
    session: Session,
    /,
    *,
    preset: str | None,
    start: str | None,
    end: str | None,
    timezone: str | None,
    dry_run: bool,
    unprice: bool,
    reason: str,
    number: int | None,
    yes: bool,
    **given: tuple[str, ...],
) -> None:
    """Cost recorded usage again by the prices that hold today for the time of each call.

    Without --yes it shows the difference and asks. Nothing is overwritten: each changed cost is superseded by a new row
    that names the run. Reported and invoiced costs stay. A second run finds nothing left to change.
    """
    from cost_ops.domain.reprice_runs import RepriceRequest

    if number is not None:
        _show_run(session, _watched(session, lambda watch: session.backend.repricing.resume(None, number, watch)))
        return
    span = span_of(preset, start, end, zone_of(session, timezone))
    if span is None:
        raise click.UsageError("say which usage: --range, or --start and --end")
    request = RepriceRequest(span, filters_of(given, ()), reason, unprice)
    organization = session.backend.usage.default_organization(session.organization)
    if dry_run or not yes:
        found = _watched(session, lambda watch: session.backend.repricing.dry_run(organization, request, watch))
        if dry_run:
            _show_dry_run(session, found)
            return
        _confirm(session, found)
    _really(session, organization, request)


def _really(session: Session, organization: str | None, request: RepriceRequest) -> None:
    if organization is None and not session.is_remote:
        raise click.UsageError("a run is of one organisation; name it with --organization")
    _show_run(session, _watched(session, lambda watch: session.backend.repricing.run(organization, request, watch)))


def _watched(session: Session, work: Callable[[Watch], Document]) -> Document:
    from cost_ops.cli.progress import Progress

    with Progress("Re-pricing", 1.0, hidden=session.output.quiet) as progress:
        return work(lambda done, whole: progress.to(done / whole))


def _confirm(session: Session, found: Document) -> None:
    """Show what would happen on stderr, where it is in no one's way, and ask."""
    if not found["changed_records"]:
        session.output.notice("Nothing would change.")
        current_context().exit(0)
    for line in _total_lines(found):
        click.echo(line, err=True)
    click.confirm(f"Supersede the cost of {_records(found['changed_records'])}?", abort=True, err=True)


def _show_dry_run(session: Session, found: Document) -> None:
    rows = found["changes"]
    parts: list[Part] = []
    if rows:
        parts.append(_table(rows[:MOST_SHOWN]))
    if len(rows) > MOST_SHOWN:
        parts.append(f"… and {len(rows) - MOST_SHOWN:,} more rows; --output csv has all of them.")
    if found["change_count"] > len(rows):
        parts.append(f"The server left {found['change_count'] - len(rows):,} rows out; ask for a shorter range.")
    session.output.show(found, *parts, *_total_lines(found), "Nothing was changed: this was a dry run.", rows=rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> Part:
    from cost_ops.cli.output import Column, Table, count, money

    several = len({row["currency"] for row in rows}) > 1
    columns = [Column("day"), Column("model"), count("records"), money("before"), money("after"), money("difference")]
    columns += [Column("")] if several else []
    cells = []
    for row in rows:
        model = f"{row['provider']}/{row['model_id']}"
        values = [row["day"], model, row["records"], row["before"], row["after"], row["difference"]]
        cells.append(values + ([row["currency"]] if several else []))
    return Table(columns, cells)


def _total_lines(found: Document) -> list[str]:
    from cost_ops.cli.output import format_money

    lines = [f"Looked at {_records(found['examined_records'])}; {found['changed_records']:,} of them change."]
    for total in found["totals"]:
        before, after, difference = (format_money(total[name]) for name in ("before", "after", "difference"))
        lines.append(f"{total['currency']}: {before} before, {after} after, difference {difference}")
    if found["final_records"]:
        lines.append(f"{_records(found['final_records'])} reported or invoiced: not touched.")
    if found["no_price_records"]:
        lines.append(
            f"{_records(found['no_price_records'])} whose price is gone: they keep their cost (see --unprice)."
        )
    return lines


def _records(number: int) -> str:
    return f"{number:,} record" + ("" if number == 1 else "s")


def _show_run(session: Session, found: Document) -> None:
    lines = [f"Run {found['number']} of {found['organization_id']} is {found['status']}.", *_total_lines(found)]
    if found["prices_changed"]:
        lines.append("Prices changed while it ran: run it again, so that all is costed alike.")
    session.output.show(found, *lines)
