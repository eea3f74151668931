"""`cost-ops alerts`: what was told of budgets, who has seen it, and which budgets are quiet for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

Document = Mapping[str, Any]


@click.group(
    cls=Group,
    examples=(
        "cost-ops alerts list --status open",
        "cost-ops alerts acknowledge alert_1x0c2p5q8m3k7d9a --comment 'batch job, ends today'",
        "cost-ops alerts silence budget-4f1a2b3c4d5e --minutes 120 --reason 'load test'",
    ),
)
def alerts() -> None:
    """Alerts of budgets: each threshold fires once a period, and is kept whoever was told."""


@alerts.command(
    "list",
    examples=(
        "cost-ops alerts list --status open",
        "cost-ops alerts list --budget budget-4f1a2b3c4d5e --since 2026-03-01 --output json",
    ),
)
@click.option("--budget", metavar="ID", help="only alerts of this budget")
@click.option("--status", type=click.Choice(["open", "acknowledged", "recovered"]), help="only alerts of this status")
@click.option("--since", metavar="TIME", help="fired then or later; a date or an RFC 3339 time")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="alerts at most")
@pass_session
def list_alerts(session: Session, /, *, budget: str | None, status: str | None, since: str | None, limit: int) -> None:
    """List alerts, newest first."""
    from cost_ops.cli.alerts_backend import AlertsWanted
    from cost_ops.cli.output import Column, Table, money
    from cost_ops.cli.prices import utc_instant
    from cost_ops.cli.whose import organization_of

    wanted = AlertsWanted(budget, status, utc_instant(since, "since"), limit)
    found, total = session.backend.alerts.search(organization_of(session), wanted)
    columns = (Column("alert"), Column("budget"), Column("period"), Column("what"), money("spent"), Column("status"))
    rows = [
        (one["alert_id"], one["budget_name"], one["period_label"], _what(one), one["current_spend"], _state(one))
        for one in found
    ]
    notes = [f"{total - len(found):,} older alerts; --limit shows more."] if total > len(found) else []
    session.output.show(found, Table(columns, rows) if rows else "There are no such alerts.", *notes)


@alerts.command(examples=("cost-ops alerts show alert_1x0c2p5q8m3k7d9a",))
@click.argument("alert_id")
@pass_session
def show(session: Session, /, *, alert_id: str) -> None:
    """Show an alert."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.alerts.get(organization_of(session), alert_id))


@alerts.command(examples=("cost-ops alerts acknowledge alert_1x0c2p5q8m3k7d9a --comment 'batch job, ends today'",))
@click.argument("alert_id")
@click.option("--comment", metavar="TEXT", help="what is done about it; people who were told of the alert see it")
@pass_session
def acknowledge(session: Session, /, *, alert_id: str, comment: str | None) -> None:
    """Say that an alert was seen: neither it nor the lower ones of its period are escalated."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.alerts.acknowledge(organization_of(session), alert_id, comment))


@alerts.command(
    examples=(
        "cost-ops alerts silence budget-4f1a2b3c4d5e --minutes 120 --reason 'load test'",
        "cost-ops alerts silence budget-4f1a2b3c4d5e --until 2026-12-01",
    )
)
@click.argument("budget_id")
@click.option("--until", metavar="TIME", help="until then; a date or an RFC 3339 time")
@click.option("--minutes", type=click.IntRange(1, 527_040), help="for so long from now")
@click.option("--reason", metavar="TEXT", help="why, for the audit trail")
@pass_session
def silence(session: Session, /, *, budget_id: str, until: str | None, minutes: int | None, reason: str | None) -> None:
    """Have nobody told of a budget's alerts for a while. They are kept all the same."""
    from cost_ops.cli.prices import utc_instant
    from cost_ops.cli.whose import organization_of

    if (until is None) == (minutes is None):
        raise click.UsageError("say for how long: --until or --minutes, one of them")
    end = utc_instant(until, "until")
    found = session.backend.alerts.silence(
        organization_of(session), budget_id, until=end, minutes=minutes, reason=reason
    )
    session.output.show(found, f"{budget_id} is silent until {_time(found['silenced_until'])} UTC.")


@alerts.command(examples=("cost-ops alerts unsilence budget-4f1a2b3c4d5e",))
@click.argument("budget_id")
@pass_session
def unsilence(session: Session, /, *, budget_id: str) -> None:
    """Have people told of a budget's alerts again, of those from now on."""
    from cost_ops.cli.whose import organization_of

    found = session.backend.alerts.unsilence(organization_of(session), budget_id)
    session.output.show(found, f"{budget_id} is not silent.")


def _show(session: Session, alert: Document) -> None:
    from cost_ops.cli.output import Column, Table, format_money

    currency = alert["currency"]
    rows = [
        ("alert", alert["alert_id"]),
        ("budget", f"{alert['budget_name']} ({alert['budget_id']})"),
        ("period", alert["period_label"]),
        ("what", _what(alert)),
        ("spent", f"{format_money(alert['current_spend'])} of {format_money(alert['limit'])} {currency}"),
        ("fired", f"{_time(alert['fired_at'])} UTC{', nobody was told' if alert['silenced'] else ''}"),
        ("status", _state(alert)),
    ]
    if alert["late"]:
        rows.append(("late", "the period was over when it fired"))
    if alert["acknowledged_at"]:
        rows.append(("acknowledged", f"{_time(alert['acknowledged_at'])} UTC by {alert['acknowledged_by']}"))
    if alert["comment"]:
        rows.append(("comment", alert["comment"]))
    session.output.show(alert, Table((Column(""), Column("")), rows))


def _what(alert: Document) -> str:
    if alert["kind"] == "forecast":
        return "forecast"
    return f"{(alert['threshold'] * 100).normalize():f} %"


def _state(alert: Document) -> str:
    escalated = ", escalated" if alert["escalated_at"] and alert["status"] == "open" else ""
    return f"{alert['status']}{escalated}"


def _time(text: str) -> str:
    return text[:16].replace("T", " ")
