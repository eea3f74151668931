"""What tests of channels and deliveries do with a desk: make webhooks, write events, have them delivered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.notifications import Channel, ChannelKind
from cost_ops.domain.users import Membership
from cost_ops.interfaces.notifications import NotificationTools
from cost_ops.services import channels, deliveries, delivery_log, outbox
from cost_ops.services.channels import Shown
from tests.services.conftest import Desk

THRESHOLD = "budget.threshold_exceeded"
WEBHOOKS = (ChannelKind.WEBHOOK,)
DATA = {"budget_id": "budget-123", "threshold": Decimal("0.75"), "current_spend": Decimal("3750.00")}


def add(desk: Desk, tools: NotificationTools, url: str, **more: Any) -> Shown:
    return channels.add_channel(desk.ctx, tools, desk.org, ChannelKind.WEBHOOK, {"url": url, **more})


def say(desk: Desk, event: str = THRESHOLD, data: dict[str, Any] = DATA) -> None:
    with desk.application.storage.ledger(desk.org) as ledger:
        ledger.outbox.add(event, data, desk.now)


def hand_on(desk: Desk) -> int:
    """The deliveries that were made of all that waits."""
    made = 0
    while (found := outbox.dispatch(desk.ctx)).events:
        made += found.deliveries
    return made


def deliver(desk: Desk, tools: NotificationTools) -> list[bool]:
    """Whether each message of the desk that is due arrives; what others have left is tried as well."""
    found = []
    while claimed := deliveries.claim(desk.ctx, "w"):
        for one in claimed:
            answer = deliveries.send(tools, one.channel, one.organization_name, one.deliveries)
            assert deliveries.done(desk.ctx, one, answer, desk.now)
            found += [answer.ok] if one.channel.organization_id == desk.org else []
    return found


def log(desk: Desk, channel_id: str) -> list[tuple[str, int, str]]:
    page = delivery_log.list_deliveries(desk.ctx, desk.org, channel_id, kinds=WEBHOOKS, limit=100)
    return [(one.status.value, len(tried), tried[-1].error if tried else "") for one, tried in page.deliveries]


def audited(desk: Desk, action: str) -> list[AuditEvent]:
    with desk.application.storage.ledger(desk.org) as ledger:
        return ledger.audit.page(action=action)[0]


def members(desk: Desk) -> list[Membership]:
    with desk.application.storage.ledger(desk.org) as ledger:
        return ledger.people.members()


def switch(desk: Desk, tools: NotificationTools, channel_id: str, **document: Any) -> Channel:
    return channels.change_channel(desk.ctx, tools, desk.org, channel_id, document, kinds=WEBHOOKS)
