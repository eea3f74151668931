"""Making deliveries: taking on what is due, sending it while no transaction is open, keeping what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cost_ops.domain.access import authorize, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.delivering import after_attempt
from cost_ops.domain.errors import CostOpsError, NotFound
from cost_ops.domain.jobs import NewJob
from cost_ops.domain.notifications import (
    DELIVERY_ID_BITS,
    TEST_EVENT,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    delivery_id_of,
)
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.notifications import (
    Answer,
    Claimed,
    Message,
    NotificationTools,
    Outcome,
    Target,
)
from cost_ops.interfaces.storage import Installation

LEASE = timedelta(seconds=60)
"""How long nobody else takes up a delivery that somebody is at; an attempt takes ten seconds at most."""

TELL_DISABLED = "channels.disabled"
"""The kind of job that tells whose channel was turned off."""

_CHANNELS_LOOKED_AT = 200
_PRUNED_AT_ONCE = 1_000


def claim(ctx: Context, worker: str, *, limit: int = 1, lease: timedelta = LEASE) -> list[Claimed]:
    """Take on what is due, of at most `limit` channels, under a lease."""
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        due = installation.deliveries.due(now, _CHANNELS_LOOKED_AT)
    claimed: list[Claimed] = []
    while due and not claimed:
        with ctx.storage.installation() as installation:
            claimed = installation.deliveries.claim(due[:limit], worker, now, lease)
        due = due[limit:]
    return claimed


def send(tools: NotificationTools, channel: Channel, organization_name: str, deliveries: Sequence[Delivery]) -> Answer:
    """Tell a channel. Never raises: what cannot even be tried is an answer that says so."""
    sender = tools.senders.get(channel.kind)
    if sender is None:
        return Answer(False, error=f"this server cannot tell channels of kind {channel.kind}")
    try:
        secret = {} if channel.secret is None else tools.vault.open(channel.secret, channel.channel_id)
    except CostOpsError as error:
        return Answer(False, error=error.message)
    target = Target(channel.channel_id, channel.kind, channel.name, channel.config, secret)
    return sender.send(target, [_message(delivery, organization_name) for delivery in deliveries])


def _message(delivery: Delivery, organization_name: str) -> Message:
    return Message(
        delivery.delivery_id,
        delivery.event,
        delivery.at,
        delivery.organization_id,
        organization_name,
        delivery.data,
    )


def done(ctx: Context, claimed: Claimed, answer: Answer, began: datetime) -> bool:
    """Keep what came of an attempt, and turn a channel off that was tried to the end.

    False where the lease was over and somebody else has taken on the deliveries: then nothing is kept here.
    """
    now = ctx.clock()
    outcomes = [_outcome(one, claimed.deliveries, answer, began, now) for one in claimed.deliveries]
    with ctx.storage.installation() as installation:
        if not installation.deliveries.record(outcomes, claimed.worker, now):
            return False
        failed = [one for one in outcomes if one.status is DeliveryStatus.FAILED]
        if any(one.delivery.event != TEST_EVENT for one in failed):
            _disable(ctx, installation, claimed.channel, _reason(answer), now)
    return True


def _outcome(
    delivery: Delivery, together: Sequence[Delivery], answer: Answer, began: datetime, now: datetime
) -> Outcome:
    told = after_attempt(delivery, ok=answer.ok, gone=answer.gone, now=now)
    took = max(0, (now - began) // timedelta(milliseconds=1))
    attempt = Attempt(delivery.attempts + 1, began, took, answer.status, answer.error, answer.text)
    first = together[0].delivery_id
    return Outcome(
        delivery, attempt, told.status, told.next_attempt_at, None if delivery.delivery_id == first else first
    )


def _reason(answer: Answer) -> str:
    if answer.gone:
        return f"it asks not to be told again: {answer.error}"
    return f"a delivery failed at every attempt, at last: {answer.error}"[:500]


def _disable(ctx: Context, installation: Installation, channel: Channel, reason: str, now: datetime) -> None:
    if not installation.channels.disable(channel.channel_id, reason, now):
        return
    given_up = installation.deliveries.cancel(channel.channel_id, now)
    detail: Mapping[str, Any] = {"name": channel.name, "reason": reason, "deliveries_cancelled": given_up}
    event = ctx.event(
        Action.CHANNEL_DISABLED, channel.channel_id, organization_id=channel.organization_id, detail=detail
    )
    installation.audit.add(event)
    about = {"organization_id": channel.organization_id, "channel_id": channel.channel_id}
    installation.jobs.enqueue(NewJob(TELL_DISABLED, now, about, organization_id=channel.organization_id), now)


def test(
    ctx: Context,
    tools: NotificationTools,
    organization_id: str,
    channel_id: str,
    *,
    kinds: Collection[ChannelKind],
) -> tuple[Delivery, Attempt]:
    """Tell a channel a test message now, whether it is turned on or not, and say what came of it. Raises NotFound."""
    bound = authorize(ctx.principal, "webhooks:write", organization_id) or organization_id
    check_whole(ctx.principal, "webhooks:write")
    with ctx.storage.ledger(bound) as ledger:
        channel = ledger.channels.get(channel_id)
    if channel is None or channel.kind not in kinds:
        raise NotFound(f"No channel with id {channel_id[:64]!r}")
    with ctx.storage.installation() as installation:
        organization = installation.organization(bound)
    began = ctx.clock()
    delivery = Delivery(
        delivery_id=delivery_id_of(ctx.random_bits(DELIVERY_ID_BITS)),
        organization_id=bound,
        channel_id=channel_id,
        event=TEST_EVENT,
        at=began,
        data={"channel_id": channel_id, "name": channel.name, "message": "This is a test. It works."},
        status=DeliveryStatus.PENDING,
        attempts=0,
        created_at=began,
    )
    answer = send(tools, channel, bound if organization is None else organization.name, [delivery])
    now = ctx.clock()
    outcome = _outcome(delivery, [delivery], answer, began, now)
    tried = replace(delivery, status=outcome.status, attempts=1, finished_at=now)
    with ctx.storage.ledger(bound) as ledger:
        ledger.deliveries.add(tried, outcome.attempt)
        detail = {"name": channel.name, "delivery_id": tried.delivery_id, "status": tried.status.value}
        ledger.audit.add(ctx.event(Action.CHANNEL_TESTED, channel_id, organization_id=bound, detail=detail))
    return tried, outcome.attempt


def prune(ctx: Context, before: datetime) -> int:
    """Remove finished deliveries that were made before an instant; how many there were."""
    removed = 0
    while True:
        with ctx.storage.installation() as installation:
            gone = installation.deliveries.prune(before, _PRUNED_AT_ONCE)
        removed += gone
        if gone < _PRUNED_AT_ONCE:
            return removed
