"""`cost-ops channels`: where people are told, by mail, Slack, Teams, PagerDuty and what apprise knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli.channel_tables import STATUSES, fields_of, shared_options
from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, current_context, pass_session

KINDS = ("email", "slack", "teams", "pagerduty", "apprise")


@click.group(
    cls=Group,
    examples=(
        "cost-ops channels create email --address ana@example.com --name owners",
        "cost-ops channels create slack --url - --severity critical",
        "cost-ops channels test ch_1x0c2p5q8m3k7d9a",
    ),
)
def channels() -> None:
    """Channels tell people what happens with budgets. Messages that come together are one message."""


@channels.command("list", examples=("cost-ops channels list",))
@pass_session
def list_channels(session: Session) -> None:
    """List channels by name; webhooks are listed by themselves."""
    from cost_ops.cli.channel_tables import routing_words, state_words
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.whose import organization_of

    found = session.backend.channels.search(organization_of(session))
    columns = [Column(name) for name in ("channel", "kind", "name", "only", "state")]
    rows = [
        (one["channel_id"], one["kind"], one["name"], routing_words(one["routing"]), state_words(one)) for one in found
    ]
    session.output.show(found, Table(columns, rows) if rows else "There are no channels.")


def own_options(command: Any) -> Any:
    """The options that say where a channel leads; each belongs to some kinds."""
    for option in (
        click.option("--address", "addresses", metavar="MAIL", multiple=True, help="email: who gets it; repeatable"),
        click.option("--url", metavar="URL", help="slack, teams, apprise: its secret URL; - asks for it"),
        click.option("--routing-key", metavar="KEY", help="pagerduty: the integration key; - asks for it"),
        click.option("--region", type=click.Choice(["us", "eu"]), help="pagerduty: where the account is"),
    ):
        command = option(command)
    return command


@channels.command(
    examples=(
        "cost-ops channels create email --address ana@example.com --address ben@example.com",
        "cost-ops channels create slack --url - --name ops --min-threshold 0.9",
        "cost-ops channels create pagerduty --routing-key - --severity critical --escalation escalated",
    )
)
@click.argument("kind", type=click.Choice(KINDS))
@own_options
@shared_options
@pass_session
def create(session: Session, /, *, kind: str, **given: Any) -> None:
    """Make a channel. URLs and keys are kept encrypted and never shown; with - they stay out of the shell's history."""
    from cost_ops.cli.whose import organization_of

    fields = {"kind": kind, **fields_of(given), **_own(given)}
    _show(session, session.backend.channels.add(organization_of(session), fields))


@channels.command(examples=("cost-ops channels show ch_1x0c2p5q8m3k7d9a",))
@click.argument("channel_id")
@pass_session
def show(session: Session, /, *, channel_id: str) -> None:
    """Show a channel."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.channels.get(organization_of(session), channel_id))


@channels.command(
    examples=(
        "cost-ops channels update ch_1x0c2p5q8m3k7d9a --enable",
        "cost-ops channels update ch_1x0c2p5q8m3k7d9a --severity critical",
    )
)
@click.argument("channel_id")
@click.option("--enable/--disable", "enabled", default=None, help="turn it on, or off")
@own_options
@shared_options
@pass_session
def update(session: Session, /, *, channel_id: str, enabled: bool | None, **given: Any) -> None:
    """Change a channel: what is given takes the place of its own; routing options do so together."""
    from cost_ops.cli.whose import organization_of

    fields = {**fields_of(given), **_own(given), **({} if enabled is None else {"enabled": enabled})}
    if not fields:
        raise click.UsageError("say what is to change")
    _show(session, session.backend.channels.change(organization_of(session), channel_id, fields))


@channels.command(examples=("cost-ops channels delete ch_1x0c2p5q8m3k7d9a",))
@click.argument("channel_id")
@pass_session
def delete(session: Session, /, *, channel_id: str) -> None:
    """Remove a channel; what waits for it is given up."""
    from cost_ops.cli.whose import organization_of

    session.backend.channels.remove(organization_of(session), channel_id)
    session.output.notice(f"The channel {channel_id} is removed.")


@channels.command(examples=("cost-ops channels test ch_1x0c2p5q8m3k7d9a",))
@click.argument("channel_id")
@pass_session
def test(session: Session, /, *, channel_id: str) -> None:
    """Send a test message now and say what came of it. The exit code is 1 where it did not arrive."""
    from cost_ops.cli.channel_tables import show_delivery
    from cost_ops.cli.whose import organization_of

    found = session.backend.channels.test(organization_of(session), channel_id)
    show_delivery(session, found)
    if found["status"] != "delivered":
        current_context().exit(1)


@channels.command(
    examples=(
        "cost-ops channels deliveries ch_1x0c2p5q8m3k7d9a --status failed",
        "cost-ops channels deliveries ch_1x0c2p5q8m3k7d9a dlv_7d9a1x0c2p5q8m3k",
    )
)
@click.argument("channel_id")
@click.argument("delivery_id", required=False)
@click.option("--status", type=click.Choice(STATUSES), help="only deliveries of this status")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="deliveries at most")
@pass_session
def deliveries(
    session: Session, /, *, channel_id: str, delivery_id: str | None, status: str | None, limit: int
) -> None:
    """List what a channel was told, newest first; or show one delivery with every attempt."""
    from cost_ops.cli.channel_tables import show_deliveries, show_delivery
    from cost_ops.cli.whose import organization_of

    backend, whose = session.backend.channels, organization_of(session)
    if delivery_id is not None:
        show_delivery(session, backend.delivery(whose, channel_id, delivery_id))
        return
    show_deliveries(session, *backend.deliveries(whose, channel_id, status=status, limit=limit))


@channels.command(examples=("cost-ops channels redeliver ch_1x0c2p5q8m3k7d9a dlv_7d9a1x0c2p5q8m3k",))
@click.argument("channel_id")
@click.argument("delivery_id")
@pass_session
def redeliver(session: Session, /, *, channel_id: str, delivery_id: str) -> None:
    """Tell an event once more, under a delivery id of its own."""
    from cost_ops.cli.channel_tables import show_delivery
    from cost_ops.cli.whose import organization_of

    show_delivery(session, session.backend.channels.redeliver(organization_of(session), channel_id, delivery_id))


def _own(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say where a channel leads; a secret given as - is asked for."""
    found: dict[str, Any] = {"region": given["region"], "addresses": list(given["addresses"]) or None}
    for name in ("url", "routing_key"):
        value = given[name]
        found[name] = click.prompt(name.replace("_", " "), hide_input=True, err=True) if value == "-" else value
    return {name: value for name, value in found.items() if value is not None}


def _show(session: Session, channel: Mapping[str, Any]) -> None:
    from cost_ops.cli.channel_tables import show_channel

    rows = [("channel", channel["channel_id"]), ("kind", channel["kind"])]
    for name, value in channel["config"].items():
        rows.append((name, ", ".join(value) if isinstance(value, list) else str(value)))
    show_channel(session, channel, *rows)
