"""`cost-ops retention`: removing usage that is older than it is to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli.options import Command, Group
from cost_ops.cli.session import Session, current_context, pass_session


@click.group(cls=Group, examples=("cost-ops retention apply --older-than 400d --dry-run",))
def retention() -> None:
    """How long usage is kept."""


@retention.command(
    "apply",
    cls=Command,
    examples=(
        "cost-ops retention apply --older-than 400d --dry-run",
        "cost-ops retention apply --older-than 13m --yes",
    ),
)
@click.option("--older-than", "age", metavar="AGE", help="400d or 13m; [retention] usage_days by default")
@click.option("--dry-run", is_flag=True, help="count, and remove nothing")
@click.option("--yes", "-y", is_flag=True, help="do not ask")
@pass_session
def apply(session: Session, /, *, age: str | None, dry_run: bool, yes: bool) -> None:
    """Remove usage of whole UTC months before an age, of all organisations, with its costs, sums and keys.

    With 400d every month stays that has a day of the last 400; with 13m the last 13 whole months and this one. On
    PostgreSQL whole partitions are dropped. For a scheduler: --yes, once a month.
    """
    from cost_ops.cli.change_documents import retention_document
    from cost_ops.cli.direct.backend import open_ready
    from cost_ops.cli.progress import Progress
    from cost_ops.domain.access import OWNER
    from cost_ops.domain.retention import month_name
    from cost_ops.services import retention as service

    if session.is_remote:
        raise click.UsageError("this works on a database only; name it with --database-url")
    application = open_ready(session.settings)
    try:
        ctx = application.context(OWNER)
        month = _month(session, age)
        if not dry_run and not yes:
            records = service.apply(ctx, month, dry_run=True).removed.usage_records
            if not records:
                session.output.notice(f"There is no usage before {month_name(month)}.")
                current_context().exit(0)
            click.confirm(f"Remove {records:,} records before {month_name(month)} for good?", abort=True, err=True)
        with Progress("Removing", 1.0, hidden=session.output.quiet) as progress:
            outcome = service.apply(ctx, month, dry_run=dry_run, watch=lambda done, all_: progress.to(done / all_))
    finally:
        application.close()
    found = retention_document(outcome, month)
    _show(session, found)


def _month(session: Session, age: str | None) -> int:
    from cost_ops.cli.question import now
    from cost_ops.domain.retention import cut_month, cut_month_of_days

    if age is not None:
        return cut_month(age, now())
    days = session.settings.retention.usage_days
    if not days:
        raise click.UsageError("usage is kept for ever: say --older-than, or set [retention] usage_days")
    return cut_month_of_days(days, now())


def _show(session: Session, found: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Part, Table, count

    months = found["months"]
    parts: list[Part] = []
    if months:
        rows = [(month["month"], month["organization_id"], month["records"]) for month in months]
        parts.append(Table((Column("month"), Column("organisation"), count("records")), rows))
    done = "would go" if found["dry_run"] else "are gone"
    parts.append(f"{found['usage_records']:,} records before {found['kept_from']} {done}.")
    session.output.show(found, *parts, rows=months)
