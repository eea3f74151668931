"""`cost-ops webhooks`: events posted to somebody's server, signed."""

from __future__ import annotations

from typing import Any

import rich_click as click

from cost_ops.cli.channel_tables import STATUSES, fields_of, shared_options
from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, current_context, pass_session

_URL = "https://example.com/webhooks/llm-cost-ops"


@click.group(
    cls=Group,
    examples=(
        f"cost-ops webhooks create --url {_URL}",
        "cost-ops webhooks test wh_1x0c2p5q8m3k7d9a",
        "cost-ops webhooks deliveries wh_1x0c2p5q8m3k7d9a --status failed",
    ),
)
def webhooks() -> None:
    """Webhooks tell other programs what happens, by signed requests that are tried again for hours."""


@webhooks.command("list", examples=("cost-ops webhooks list",))
@pass_session
def list_webhooks(session: Session) -> None:
    """List webhooks by name."""
    from cost_ops.cli.channel_tables import state_words
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.whose import organization_of

    found = session.backend.webhooks.search(organization_of(session))
    columns = [Column(name) for name in ("webhook", "name", "url", "state")]
    rows = [(one["webhook_id"], one["name"], one["url"], state_words(one)) for one in found]
    session.output.show(found, Table(columns, rows) if rows else "There are no webhooks.")


@webhooks.command(
    examples=(
        f"cost-ops webhooks create --url {_URL}",
        f"cost-ops webhooks create --url {_URL} --events budget.threshold_exceeded,budget.recovered",
        f"cost-ops webhooks create --url {_URL} --min-threshold 0.9 --budget budget-4f1a2b3c4d5e",
    )
)
@click.option("--url", metavar="URL", required=True, help="where to post to, https://…")
@click.option("--description", metavar="TEXT", help="what it is for")
@shared_options
@pass_session
def create(session: Session, /, *, url: str, description: str | None, **given: Any) -> None:
    """Make a webhook. The secret that its receiver checks signatures with is shown now and never again."""
    from cost_ops.cli.whose import organization_of

    fields = {"url": url, **fields_of(given), **({"description": description} if description else {})}
    made = session.backend.webhooks.add(organization_of(session), fields)
    _show(session, made)
    session.output.notice("Keep the secret: it is not shown again.")


@webhooks.command(examples=("cost-ops webhooks show wh_1x0c2p5q8m3k7d9a",))
@click.argument("webhook_id")
@pass_session
def show(session: Session, /, *, webhook_id: str) -> None:
    """Show a webhook."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.webhooks.get(organization_of(session), webhook_id))


@webhooks.command(
    examples=(
        "cost-ops webhooks update wh_1x0c2p5q8m3k7d9a --enable",
        f"cost-ops webhooks update wh_1x0c2p5q8m3k7d9a --url {_URL}",
    )
)
@click.argument("webhook_id")
@click.option("--url", metavar="URL", help="where to post to from now on")
@click.option("--description", metavar="TEXT", help="what it is for")
@click.option("--enable/--disable", "enabled", default=None, help="turn it on, or off")
@shared_options
@pass_session
def update(
    session: Session,
    /,
    *,
    webhook_id: str,
    url: str | None,
    description: str | None,
    enabled: bool | None,
    **given: Any,
) -> None:
    """Change a webhook: what is given takes the place of its own; routing options do so together."""
    from cost_ops.cli.whose import organization_of

    own = {"url": url, "description": description, "enabled": enabled}
    fields = {**fields_of(given), **{name: value for name, value in own.items() if value is not None}}
    if not fields:
        raise click.UsageError("say what is to change")
    _show(session, session.backend.webhooks.change(organization_of(session), webhook_id, fields))


@webhooks.command(examples=("cost-ops webhooks delete wh_1x0c2p5q8m3k7d9a",))
@click.argument("webhook_id")
@pass_session
def delete(session: Session, /, *, webhook_id: str) -> None:
    """Remove a webhook; what waits for it is given up."""
    from cost_ops.cli.whose import organization_of

    session.backend.webhooks.remove(organization_of(session), webhook_id)
    session.output.notice(f"The webhook {webhook_id} is removed.")


@webhooks.command("rotate-secret", examples=("cost-ops webhooks rotate-secret wh_1x0c2p5q8m3k7d9a",))
@click.argument("webhook_id")
@pass_session
def rotate_secret(session: Session, /, *, webhook_id: str) -> None:
    """Put a new secret in place of a webhook's. For 24 hours the old one signs too."""
    from cost_ops.cli.whose import organization_of

    _show(session, session.backend.webhooks.rotate(organization_of(session), webhook_id))
    session.output.notice("Keep the secret: it is not shown again.")


@webhooks.command(examples=("cost-ops webhooks test wh_1x0c2p5q8m3k7d9a",))
@click.argument("webhook_id")
@pass_session
def test(session: Session, /, *, webhook_id: str) -> None:
    """Post a test message now and say what came of it. The exit code is 1 where it did not arrive."""
    from cost_ops.cli.channel_tables import show_delivery
    from cost_ops.cli.whose import organization_of

    found = session.backend.webhooks.test(organization_of(session), webhook_id)
    show_delivery(session, found)
    if found["status"] != "delivered":
        current_context().exit(1)


@webhooks.command(
    examples=(
        "cost-ops webhooks deliveries wh_1x0c2p5q8m3k7d9a --status failed",
        "cost-ops webhooks deliveries wh_1x0c2p5q8m3k7d9a dlv_7d9a1x0c2p5q8m3k",
    )
)
@click.argument("webhook_id")
@click.argument("delivery_id", required=False)
@click.option("--status", type=click.Choice(STATUSES), help="only deliveries of this status")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="deliveries at most")
@pass_session
def deliveries(
    session: Session, /, *, webhook_id: str, delivery_id: str | None, status: str | None, limit: int
) -> None:
    """List what a webhook was told, newest first; or show one delivery with every attempt."""
    from cost_ops.cli.channel_tables import show_deliveries, show_delivery
    from cost_ops.cli.whose import organization_of

    backend, whose = session.backend.webhooks, organization_of(session)
    if delivery_id is not None:
        show_delivery(session, backend.delivery(whose, webhook_id, delivery_id))
        return
    show_deliveries(session, *backend.deliveries(whose, webhook_id, status=status, limit=limit))


@webhooks.command(examples=("cost-ops webhooks redeliver wh_1x0c2p5q8m3k7d9a dlv_7d9a1x0c2p5q8m3k",))
@click.argument("webhook_id")
@click.argument("delivery_id")
@pass_session
def redeliver(session: Session, /, *, webhook_id: str, delivery_id: str) -> None:
    """Tell an event once more, under a delivery id of its own."""
    from cost_ops.cli.channel_tables import show_delivery
    from cost_ops.cli.whose import organization_of

    show_delivery(session, session.backend.webhooks.redeliver(organization_of(session), webhook_id, delivery_id))


def _show(session: Session, webhook: dict[str, Any]) -> None:
    from cost_ops.cli.channel_tables import show_channel

    rows = [("webhook", webhook["webhook_id"]), ("url", webhook["url"])]
    if webhook["description"]:
        rows.append(("description", webhook["description"]))
    if webhook.get("secret"):
        rows.append(("secret", webhook["secret"]))
    show_channel(session, webhook, *rows)
