"""Channels on real databases: made, changed, rotated, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from cost_ops.bootstrap import Application
from cost_ops.credentials.encryption import StoredKeyVault
from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.channel_documents import MAX_CHANNELS
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.letters import LetterKind
from cost_ops.domain.notifications import ChannelKind
from cost_ops.domain.scopes import of_projects
from cost_ops.domain.webhooks import new_secret
from cost_ops.interfaces.clock import system_clock
from cost_ops.interfaces.notifications import NotificationTools, Sender
from cost_ops.notifiers.slack import SlackSender
from cost_ops.notifiers.webhook import WebhookSender
from cost_ops.services import channel_letters, channels, deliveries
from tests.hook_server import Hook, hook_server
from tests.people import KeptLetters, cheap_tools, join
from tests.services.conftest import Desk
from tests.services.telling import (
    THRESHOLD,
    WEBHOOKS,
    add,
    audited,
    members,
    switch,
)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as made:
        yield made


@pytest.fixture
def tools(application: Application) -> NotificationTools:
    senders: dict[str, Sender] = {
        "webhook": WebhookSender(system_clock, private=True),
        "slack": SlackSender(private=True),
    }
    return NotificationTools(StoredKeyVault(application.storage, system_clock), senders)


def test_whose_channel_was_turned_off_gets_a_letter(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    kept = KeptLetters()
    for name, role in (("ana", "admin"), ("bob", "viewer")):
        join(desk.ctx, cheap_tools(kept), desk.org, f"{name}@{desk.org}.example.com", role)
    shown = add(desk, tools, hook.url, enabled=False)
    mailbox, channel_id = KeptLetters(), shown.channel.channel_id
    assert channel_letters.tell_disabled(desk.ctx, mailbox, "https://c.example", desk.org, channel_id) == 1
    (letter,) = mailbox.letters
    assert (letter.kind, letter.to) == (LetterKind.CHANNEL_DISABLED, f"ana@{desk.org}.example.com")
    assert channel_id in letter.about
    bob = next(one.user_id for one in members(desk) if one.name == "bob")
    mine = channels.add_channel(
        desk.context(Principal(desk.org, None, frozenset(PERMISSIONS), user_id=bob)),
        tools,
        desk.org,
        ChannelKind.WEBHOOK,
        {"url": hook.url, "enabled": False},
    ).channel
    assert channel_letters.tell_disabled(desk.ctx, mailbox, "https://c.example", desk.org, mine.channel_id) == 1
    assert mailbox.last.to == f"bob@{desk.org}.example.com"
    assert channel_letters.tell_disabled(desk.ctx, None, "", desk.org, channel_id) == 0
    switch(desk, tools, channel_id, enabled=True)
    assert channel_letters.tell_disabled(desk.ctx, mailbox, "", desk.org, channel_id) == 0


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    old = add(desk, tools, hook.url)
    channel_id = old.channel.channel_id
    new = channels.rotate_secret(replace(desk.ctx, clock=system_clock), tools, desk.org, channel_id)
    assert new.secret not in ("", old.secret)
    switch(desk, tools, channel_id, description="the same secrets after a change")
    deliveries.test(desk.ctx, tools, desk.org, channel_id, kinds=WEBHOOKS)
    got = hook.next()
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(got.body.decode(), got.headers)
    late = WebhookSender(lambda: system_clock() + timedelta(hours=24, minutes=1), private=True)
    deliveries.test(desk.ctx, replace(tools, senders={"webhook": late}), desk.org, channel_id, kinds=WEBHOOKS)
    assert " " not in hook.next().headers["webhook-signature"]
    with pytest.raises(InvalidInput):
        channels.rotate_secret(desk.ctx, tools, desk.org, channel_id, "hunter2")


def test_secrets_are_in_no_answer_no_trail_and_sealed_in_the_database(
    desk: Desk, hook: Hook, tools: NotificationTools
) -> None:
    secret = new_secret(bytes(range(32)))
    shown = add(desk, tools, hook.url, secret=secret)
    assert shown.secret == secret
    assert secret not in repr((shown, shown.channel))
    url = "https://hooks.slack.com/services/T0/B0/hidden"
    slack = channels.add_channel(desk.ctx, tools, desk.org, ChannelKind.SLACK, {"url": url, "name": "ops"})
    assert slack.secret == ""
    assert "hidden" not in repr(slack)
    assert b"hidden" not in (slack.channel.secret or b"")
    trail = repr(audited(desk, "channels.added"))
    assert len(audited(desk, "channels.added")) == 2
    assert secret not in trail
    assert "hidden" not in trail


def test_every_problem_of_a_new_webhook_is_named(desk: Desk, tools: NotificationTools) -> None:
    bad = {"secret": "x", "events": ["nothing.happened"], "colour": 1, "description": 7}
    with pytest.raises(InvalidInput) as caught:
        add(desk, tools, "ftp://x", **bad)
    assert {problem.field for problem in caught.value.problems} == {"url", "secret", "events", "colour", "description"}
    strict = replace(tools, senders={"webhook": WebhookSender(system_clock)})
    with pytest.raises(InvalidInput) as caught:
        add(desk, strict, "https://169.254.169.254/latest/meta-data/")
    assert caught.value.problems[0].reason == "private_address"
    assert channels.list_channels(desk.ctx, desk.org, WEBHOOKS) == []


def test_a_change_keeps_what_is_not_named_and_is_audited(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    made = add(desk, tools, hook.url, name="first", routing={"min_threshold": "0.9"}, events=["budget.recovered"])
    changed = switch(desk, tools, made.channel.channel_id, url=f"{hook.url}/new", events=[THRESHOLD])
    assert (changed.name, changed.routing, changed.events) == ("first", made.channel.routing, (THRESHOLD,))
    (event,) = audited(desk, "channels.changed")
    assert event.detail == {
        "before": {"events": ["budget.recovered"], "url": hook.url},
        "after": {"events": [THRESHOLD], "url": f"{hook.url}/new"},
    }
    with pytest.raises(InvalidInput, match="rotate-secret"):
        switch(desk, tools, made.channel.channel_id, secret=made.secret)
    channels.remove_channel(desk.ctx, desk.org, made.channel.channel_id, WEBHOOKS)
    with pytest.raises(NotFound):
        switch(desk, tools, made.channel.channel_id, name="x")
    assert len(audited(desk, "channels.removed")) == 1


def test_nobody_has_a_channel_told_what_they_may_not_see(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    writes = Principal(desk.org, "k", frozenset({"webhooks:read", "webhooks:write"}))
    with pytest.raises(Forbidden) as refused:
        channels.add_channel(desk.context(writes), tools, desk.org, ChannelKind.WEBHOOK, {"url": hook.url})
    assert refused.value.details["required_permission"] == "budgets:read"
    both = replace(writes, permissions=writes.permissions | {"budgets:read"})
    made = channels.add_channel(desk.context(both), tools, desk.org, ChannelKind.WEBHOOK, {"url": hook.url})
    with pytest.raises(Forbidden):
        channels.change_channel(
            desk.context(both),
            tools,
            desk.org,
            made.channel.channel_id,
            {"events": ["usage.submitted"]},
            kinds=WEBHOOKS,
        )
    narrow = replace(both, scope=of_projects(["shop"]))
    with pytest.raises(Forbidden):
        channels.list_channels(desk.context(narrow), desk.org, WEBHOOKS)


def test_another_organization_s_channels_are_not_there(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    mine = add(desk, tools, hook.url).channel.channel_id
    other = Desk(desk.application)
    stranger = other.context(Principal(other.org, "k", frozenset(PERMISSIONS)))
    with pytest.raises(NotFound):
        channels.get_channel(stranger, other.org, mine, WEBHOOKS)
    with pytest.raises(NotFound):
        channels.get_channel(stranger, desk.org, mine, WEBHOOKS)
    with pytest.raises(NotFound):
        channels.remove_channel(stranger, other.org, mine, WEBHOOKS)
    assert channels.list_channels(stranger, other.org, WEBHOOKS) == []
    with pytest.raises(NotFound):
        channels.get_channel(desk.ctx, desk.org, mine, channels.PEOPLE_KINDS)  # a webhook is none of these


def test_an_organization_has_a_limited_number_of_channels(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    first = add(desk, tools, hook.url).channel
    with desk.application.storage.ledger(desk.org) as ledger:
        for number in range(MAX_CHANNELS - 1):
            ledger.channels.add(replace(first, channel_id=f"{first.channel_id}_{number}"))
    with pytest.raises(Conflict, match="100 channels"):
        add(desk, tools, hook.url)
