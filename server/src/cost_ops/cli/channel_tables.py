"""How webhooks, channels and deliveries are shown to people, and the options that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import rich_click as click

from cost_ops.cli.access_backend import names
from cost_ops.cli.output import Column, Table, count
from cost_ops.cli.session import Session

Document = Mapping[str, Any]
_F = TypeVar("_F", bound=Callable[..., Any])
STATUSES = ("pending", "delivered", "failed", "cancelled")

_SHARED = (
    click.option("--name", metavar="NAME", help="what it is called"),
    click.option("--events", metavar="A,B", help="what it is told; see the reference for the names"),
    click.option("--budget", "budgets", metavar="ID", multiple=True, help="only of this budget; repeatable"),
    click.option("--min-threshold", metavar="0.9", help="only of this threshold or a higher one"),
    click.option("--severity", type=click.Choice(["info", "warning", "critical"]), help="only what matters as much"),
    click.option(
        "--escalation", type=click.Choice(["first", "escalated", "both"]), help="first alerts, escalated ones, or both"
    ),
)


def shared_options(command: _F) -> _F:
    """The options that all kinds of channels have."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The API's fields from the options that were given; routing is one of them, as a whole."""
    routing = {
        "budgets": list(given["budgets"]) or None,
        "min_threshold": given["min_threshold"],
        "severity": given["severity"],
        "escalation": given["escalation"],
    }
    routing = {name: value for name, value in routing.items() if value is not None}
    others = {"name": given["name"], "events": names(given["events"]), "routing": routing or None}
    return {name: value for name, value in others.items() if value is not None}


def routing_words(routing: Document) -> str | None:
    """What a channel's events are limited to."""
    parts = []
    if routing["budgets"]:
        parts.append(f"budgets {', '.join(routing['budgets'])}")
    if routing["min_threshold"] is not None:
        parts.append(f"from {routing['min_threshold']} on")
    if routing["severity"]:
        parts.append(f"{routing['severity']} or worse")
    if routing["escalation"] != "both":
        parts.append({"first": "first alerts", "escalated": "escalated alerts"}[routing["escalation"]])
    return ", ".join(parts) or None


def state_words(channel: Document) -> str:
    """Whether a channel is on, or why not."""
    return "on" if channel["enabled"] else f"off: {channel['disabled_reason'] or 'turned off'}"


def time_words(text: str | None) -> str | None:
    """A time for people, in UTC."""
    return None if text is None else text[:19].replace("T", " ")


def show_channel(session: Session, channel: Document, *rows: tuple[str, Any]) -> None:
    """One channel; `rows` are what is its kind's own."""
    found: list[Sequence[Any]] = [
        ("name", channel["name"]),
        *rows,
        ("events", "\n".join(channel["events"])),
        ("only", routing_words(channel["routing"]) or "no limits"),
        ("state", state_words(channel)),
        ("made", f"{time_words(channel['created_at'])} UTC by {channel['created_by']}"),
    ]
    session.output.show(channel, Table((Column(""), Column("")), found))


def show_deliveries(session: Session, found: Sequence[Document], total: int) -> None:
    """Deliveries, newest first."""
    columns = (Column("delivery"), Column("event"), Column("made"), Column("status"), count("tries"), Column("last"))
    rows = [
        (
            one["delivery_id"],
            one["event"],
            time_words(one["created_at"]),
            one["status"],
            len(one["attempts"]),
            _last(one["attempts"]),
        )
        for one in found
    ]
    notes = [f"{total - len(found):,} older deliveries; --limit shows more."] if total > len(found) else []
    session.output.show(found, Table(columns, rows) if rows else "There are no such deliveries.", *notes)


def show_delivery(session: Session, delivery: Document) -> None:
    """One delivery with every attempt."""
    rows: list[Sequence[Any]] = [
        ("delivery", delivery["delivery_id"]),
        ("event", delivery["event"]),
        ("status", delivery["status"]),
    ]
    rows += [(f"attempt {one['attempt']}", f"{time_words(one['at'])} {_outcome(one)}") for one in delivery["attempts"]]
    if delivery["next_attempt_at"]:
        rows.append(("next", f"{time_words(delivery['next_attempt_at'])} UTC"))
    for label, field in (("sent with", "sent_with"), ("again for", "redelivery_of")):
        if delivery[field]:
            rows.append((label, delivery[field]))
    session.output.show(delivery, Table((Column(""), Column("")), rows))


def _last(attempts: Sequence[Document]) -> str | None:
    return _outcome(attempts[-1]) if attempts else None


def _outcome(attempt: Document) -> str:
    if attempt["error"]:
        return str(attempt["error"])
    return f"{attempt['status'] or 'sent'} in {attempt['duration_ms']} ms"
