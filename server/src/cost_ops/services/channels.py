"""Channels of an organisation: making, changing, removing them, and their secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cost_ops.domain.access import authorize, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.channel_documents import MAX_CHANNELS, Common, channel_json, events_of, read_common
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.notifications import Channel, ChannelKind
from cost_ops.domain.periods import format_instant
from cost_ops.domain.random_text import random_identity
from cost_ops.domain.webhooks import OVERLAP, SECRET_BYTES, new_secret, secret_fault
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.notifications import Checked, NotificationTools, Sender
from cost_ops.interfaces.storage import Ledger

READ, WRITE = "webhooks:read", "webhooks:write"
PEOPLE_KINDS = tuple(kind for kind in ChannelKind if kind is not ChannelKind.WEBHOOK)
Document = Mapping[str, Any]
_SEEN_WITH = {
    "usage": "usage:read",
    "cost": "costs:read",
    "budget": "budgets:read",
    "forecast": "forecast:read",
    "export": "export:read",
    "report": "reports:read",
    "pricing": "pricing:read",
}
"""What somebody must be allowed to see themselves to have a channel told of it, by what an event's name begins with."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel with the secret that its receiver needs: shown now and never again. Empty where it has none."""

    channel: Channel
    secret: str = field(default="", repr=False)


def list_channels(ctx: Context, organization_id: str, kinds: Collection[ChannelKind]) -> list[Channel]:
    """The organisation's channels of some kinds, by name."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        return [channel for channel in ledger.channels.list() if channel.kind in kinds]


def get_channel(ctx: Context, organization_id: str, channel_id: str, kinds: Collection[ChannelKind]) -> Channel:
    """One channel. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        return _find(ledger, channel_id, kinds)


def add_channel(
    ctx: Context, tools: NotificationTools, organization_id: str, kind: ChannelKind, document: Document
) -> Shown:
    """A new channel. Raises InvalidInput with every problem, Conflict where there are too many."""
    bound = _bound(ctx, WRITE, organization_id)
    sender = _sender(tools, kind)
    given = {**document}
    if kind is ChannelKind.WEBHOOK and given.get("secret") is None:
        given["secret"] = new_secret(ctx.random_bits(SECRET_BYTES * 8).to_bytes(SECRET_BYTES, "big"))
    common, checked = _read(sender, given, given)
    now = ctx.clock()
    channel = Channel(
        channel_id=random_identity(ctx.random_bits, "wh" if kind is ChannelKind.WEBHOOK else "ch"),
        organization_id=bound,
        kind=kind,
        name=common.name or _named_after(kind, checked),
        events=common.events,
        routing=common.routing,
        config=checked.config,
        secret=None,
        created_at=now,
        created_by=ctx.event(Action.CHANNEL_ADDED, "").actor,
        updated_at=now,
        disabled_at=now if common.enabled is False else None,
        disabled_reason="made so" if common.enabled is False else None,
    )
    _may_tell(ctx, channel)
    channel = replace(channel, secret=_sealed(tools, channel, checked.secret))
    with ctx.storage.ledger(bound) as ledger:
        if len(ledger.channels.list()) >= MAX_CHANNELS:
            raise Conflict(f"this organization has {MAX_CHANNELS} channels, which is the limit; remove one first")
        ledger.channels.add(channel)
        _audit(ctx, ledger, Action.CHANNEL_ADDED, None, channel)
    return Shown(channel, str(checked.secret.get("secret", "")) if kind is ChannelKind.WEBHOOK else "")


def change_channel(
    ctx: Context,
    tools: NotificationTools,
    organization_id: str,
    channel_id: str,
    document: Document,
    *,
    kinds: Collection[ChannelKind],
) -> Channel:
    """A channel with the given fields in place of its own. What it was turned off for is forgotten once it is on again.

    Raises NotFound, InvalidInput; a webhook's secret is not changed here but rotated.
    """
    bound = _bound(ctx, WRITE, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        seen = _find(ledger, channel_id, kinds)
    if seen.kind is ChannelKind.WEBHOOK and "secret" in document:
        raise invalid(
            "secret", "not_changeable", "secret is changed by rotate-secret, so that both are good for a while"
        )
    sender = _sender(tools, seen.kind)
    secret = {} if seen.secret is None else tools.vault.open(seen.secret, channel_id)
    common, checked = _read(sender, {**document}, {**seen.config, **secret, **document})
    sealed = _sealed(tools, seen, checked.secret)
    now = ctx.clock()
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger, channel_id, kinds)
        if old.updated_at != seen.updated_at:
            raise Conflict("the channel was changed at the same time; try again")
        new = replace(
            _switched(old, common.enabled, now),
            name=common.name or old.name,
            events=common.events if "events" in document else old.events,
            routing=common.routing if "routing" in document else old.routing,
            config=checked.config,
            secret=sealed,
            updated_at=now,
        )
        _may_tell(ctx, new)
        ledger.channels.save(new)
        if not new.enabled:
            ledger.deliveries.cancel(channel_id, now)
        _audit(ctx, ledger, Action.CHANNEL_CHANGED, old, new, secret_changed=secret != checked.secret)
    return new


def remove_channel(ctx: Context, organization_id: str, channel_id: str, kinds: Collection[ChannelKind]) -> None:
    """Take a channel away; what waits for it is given up. Raises NotFound."""
    bound = _bound(ctx, WRITE, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        old = _find(ledger, channel_id, kinds)
        ledger.channels.remove(channel_id)
        ledger.deliveries.cancel(channel_id, ctx.clock())
        _audit(ctx, ledger, Action.CHANNEL_REMOVED, old, None)


def rotate_secret(
    ctx: Context, tools: NotificationTools, organization_id: str, channel_id: str, secret: str | None = None
) -> Shown:
    """A new secret for a webhook; the one before signs too for a day. Raises NotFound, InvalidInput."""
    bound = _bound(ctx, WRITE, organization_id)
    if secret is not None and (wrong := secret_fault(secret)) is not None:
        raise InvalidInput([wrong])
    with ctx.storage.ledger(bound) as ledger:
        seen = _find(ledger, channel_id, (ChannelKind.WEBHOOK,))
    now = ctx.clock()
    old = {} if seen.secret is None else tools.vault.open(seen.secret, channel_id)
    fresh = secret or new_secret(ctx.random_bits(SECRET_BYTES * 8).to_bytes(SECRET_BYTES, "big"))
    until = format_instant(now + OVERLAP)
    sealed = _sealed(tools, seen, {"secret": fresh, "previous": old.get("secret"), "previous_until": until})
    with ctx.storage.ledger(bound) as ledger:
        stored = _find(ledger, channel_id, (ChannelKind.WEBHOOK,))
        if stored.updated_at != seen.updated_at:
            raise Conflict("the webhook was changed at the same time; try again")
        new = replace(stored, secret=sealed, updated_at=now)
        ledger.channels.save(new)
        detail = {"name": new.name, "previous_until": until}
        ledger.audit.add(ctx.event(Action.CHANNEL_SECRET_ROTATED, channel_id, organization_id=bound, detail=detail))
    return Shown(new, fresh)


def _bound(ctx: Context, permission: str, organization_id: str) -> str:
    bound = authorize(ctx.principal, permission, organization_id)
    check_whole(ctx.principal, permission)
    return bound or organization_id


def _find(ledger: Ledger, channel_id: str, kinds: Collection[ChannelKind]) -> Channel:
    found = ledger.channels.get(channel_id)
    if found is None or found.kind not in kinds:
        raise NotFound(f"No {'webhook' if ChannelKind.WEBHOOK in kinds else 'channel'} with id {channel_id[:64]!r}")
    return found


def _sender(tools: NotificationTools, kind: ChannelKind) -> Sender:
    sender = tools.senders.get(kind)
    if sender is None:
        raise invalid("kind", "not_installed", f"this server cannot tell channels of kind {kind}")
    return sender


def _read(sender: Sender, document: Document, whole: Document) -> tuple[Common, Checked]:
    """The common fields of a document, and the kind's own of the whole one, with every problem of both."""
    problems: list[Problem] = []
    common = read_common(document, sorted(sender.fields), problems)
    checked = Checked({}, {})
    try:
        checked = sender.check(whole)
    except InvalidInput as error:
        problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    return common, checked


def _named_after(kind: ChannelKind, checked: Checked) -> str:
    host = urlsplit(str(checked.config.get("url", ""))).hostname
    return str(checked.config.get("description") or host or kind.value)[:100]


def _sealed(tools: NotificationTools, channel: Channel, secret: Document) -> bytes | None:
    return tools.vault.seal(secret, channel.channel_id) if secret else None


def _switched(channel: Channel, enabled: bool | None, now: datetime) -> Channel:
    if enabled is None or enabled == channel.enabled:
        return channel
    return replace(
        channel, disabled_at=None if enabled else now, disabled_reason=None if enabled else "turned off by hand"
    )


def _may_tell(ctx: Context, channel: Channel) -> None:
    """Raises Forbidden where somebody would have a channel told what they may not see."""
    for event in events_of(channel):
        permission = _SEEN_WITH[event.partition(".")[0]]
        if not ctx.principal.may(permission):
            raise Forbidden(permission, f"a channel can be told of {event} only by who may see that")
        check_whole(ctx.principal, permission)


def _audit(
    ctx: Context,
    ledger: Ledger,
    action: Action,
    old: Channel | None,
    new: Channel | None,
    *,
    secret_changed: bool = False,
) -> None:
    before, after = (None if one is None else channel_json(one) for one in (old, new))
    detail = before_after(before, after) | ({"secret": "changed"} if secret_changed else {})
    channel = new or old
    if channel is not None:
        event = ctx.event(action, channel.channel_id, organization_id=channel.organization_id, detail=detail)
        ledger.audit.add(event)
