"""`cost-ops query` and `cost-ops summary`: what was spent."""

from __future__ import annotations

from typing import Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.question import (
    RANGES,
    currency_option,
    filter_options,
    filters_of,
    now,
    span_of,
    time_options,
    zone_of,
)
from cost_ops.cli.session import Session, pass_session

DEFAULT_RANGE = "last-30-days"
ORDERS = ("cost", "requests", "input_tokens", "output_tokens", "cached_tokens", "total_tokens")


@click.command(
    cls=Command,
    examples=(
        "cost-ops query --range last-7-days",
        "cost-ops query --organization org-123 --range last-30-days",
        "cost-ops query --range this-month --group-by project,model --limit 20",
        "cost-ops query --start 2025-01-01 --end 2025-02-01 --group-by day --timezone Europe/Berlin",
        "cost-ops query --tag env=prod --group-by tag:feature --output csv",
    ),
)
@click.option("--range", "preset", metavar="RANGE", help=f"{RANGES}; {DEFAULT_RANGE} by default")
@time_options
@filter_options
@click.option(
    "--group-by",
    metavar="A,B",
    default="provider,model",
    show_default=True,
    help="provider, model, project, user, team, api_key, session, status, hour, day, week, month, tag:KEY",
)
@click.option("--order-by", type=click.Choice(ORDERS), help="rows by this, the largest first")
@click.option("--limit", type=click.IntRange(1), help="rows at most")
@currency_option
@pass_session
def query(
    session: Session,
    /,
    *,
    preset: str | None,
    start: str | None,
    end: str | None,
    timezone: str | None,
    tags: tuple[str, ...],
    group_by: str,
    order_by: str | None,
    limit: int | None,
    currency: str | None,
    **given: tuple[str, ...],
) -> None:
    """Costs of a range of time, by provider and model or by whatever you name."""
    from cost_ops.cli.reports import show_costs
    from cost_ops.domain.costs import CostQuery, check_group_by
    from cost_ops.domain.periods import preset_range

    zone = zone_of(session, timezone)
    question = CostQuery(
        span=span_of(preset, start, end, zone) or preset_range(DEFAULT_RANGE, now=now(), zone=zone),
        zone=zone,
        group_by=check_group_by([name.strip() for name in group_by.split(",") if name.strip()]),
        filters=filters_of(given, tags),
        order_by=order_by,
        limit=limit,
        display_currency=currency,
    )
    show_costs(session.output, session.backend.costs.query(session.organization, question))


@click.command(cls=Command, examples=("cost-ops summary --period this-month", "cost-ops summary --period last-week"))
@click.option("--period", metavar="RANGE", default="this-month", show_default=True, help=RANGES)
@click.option("--timezone", metavar="ZONE", help="IANA zone of days, weeks and months; UTC by default")
@currency_option
@pass_session
def summary(session: Session, /, *, period: str, timezone: str | None, currency: str | None) -> None:
    """Totals of a period, its largest providers, models and projects, and the period before it."""
    from cost_ops.cli.reports import show_summary
    from cost_ops.domain.costs import CostQuery
    from cost_ops.domain.periods import preset_range, previous_range

    zone = zone_of(session, timezone)
    moment = now()
    span = preset_range(period, now=moment, zone=zone)
    before = previous_range(period, now=moment, zone=zone)

    def ask(group_by: tuple[str, ...], wanted: Any) -> dict[str, Any]:
        question = CostQuery(
            span=wanted, zone=zone, group_by=group_by, limit=5 if group_by else None, display_currency=currency
        )
        return session.backend.costs.query(session.organization, question)

    whole = ask((), span)
    show_summary(
        session.output,
        {
            "period": period,
            **{k: whole[k] for k in ("organization_id", "start_date", "end_date", "timezone", "totals", "unpriced")},
            "organizations": whole.get("organizations", []),
            "estimated": whole["estimated"],
            "display": whole["display"],
            "previous": {k: v for k, v in ask((), before).items() if k in ("start_date", "end_date", "totals")},
            "providers": ask(("provider",), span)["breakdown"],
            "models": ask(("model",), span)["breakdown"],
            "projects": ask(("project",), span)["breakdown"],
        },
    )
