"""Events that reach a real server on this machine, or do not, on real databases."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from standardwebhooks import Webhook

from cost_ops.bootstrap import Application
from cost_ops.credentials.encryption import StoredKeyVault
from cost_ops.domain.delivering import RETRY_AFTER
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.notifications import SPEND_MOVED, ChannelKind, DeliveryStatus
from cost_ops.interfaces.clock import system_clock
from cost_ops.interfaces.notifications import NotificationTools, Sender
from cost_ops.notifiers.slack import SlackSender
from cost_ops.notifiers.webhook import WebhookSender
from cost_ops.services import channels, deliveries, delivery_log, outbox
from tests.hook_server import Hook, Received, hook_server
from tests.one_delivery import deliver_next
from tests.services.conftest import Desk
from tests.services.telling import (
    DATA,
    THRESHOLD,
    WEBHOOKS,
    add,
    audited,
    deliver,
    hand_on,
    log,
    say,
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


def test_an_event_arrives_as_printed_with_signatures_that_verify(
    desk: Desk, hook: Hook, tools: NotificationTools
) -> None:
    shown = add(desk, tools, f"{hook.url}/webhooks/your-endpoint")
    say(desk)
    assert hand_on(desk) == 1
    assert deliver(desk, tools) == [True]
    got = hook.next()
    told = json.loads(got.body)
    assert got.path == "/webhooks/your-endpoint"
    assert (told["event"], told["data"]) == (
        THRESHOLD,
        {"budget_id": "budget-123", "threshold": 0.75, "current_spend": 3750.00},
    )
    assert Webhook(shown.secret).verify(got.body.decode(), got.headers)["delivery_id"] == told["delivery_id"]
    assert log(desk, shown.channel.channel_id) == [("delivered", 1, "")]
    assert deliver(desk, tools) == []


def test_a_failure_is_tried_again_with_the_same_id_and_new_signature(
    desk: Desk, hook: Hook, tools: NotificationTools
) -> None:
    shown = add(desk, tools, hook.url)
    hook.answer = lambda _: (500, "down")
    say(desk)
    hand_on(desk)
    assert deliver(desk, tools) == [False]
    desk.now += timedelta(seconds=5)
    hook.answer = lambda _: (204, "")
    assert deliver(desk, tools) == [True]
    first, second = hook.next(), hook.next()
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert log(desk, shown.channel.channel_id) == [("delivered", 2, "")]


def test_after_the_last_attempt_the_channel_is_off_and_its_owner_is_told(
    desk: Desk, hook: Hook, tools: NotificationTools
) -> None:
    shown = add(desk, tools, hook.url)
    channel_id = shown.channel.channel_id
    hook.answer = lambda _: (500, "down for a week")
    say(desk)
    hand_on(desk)
    for wait in RETRY_AFTER:
        assert deliver(desk, tools) == [False]
        desk.now += wait
    say(desk, data={**DATA, "threshold": Decimal("0.9")})
    hand_on(desk)
    assert deliver(desk, tools) == [False]
    found = channels.get_channel(desk.ctx, desk.org, channel_id, WEBHOOKS)
    assert not found.enabled
    assert "it answers 500" in str(found.disabled_reason)
    assert sorted(log(desk, channel_id))[0][0] == "cancelled"
    assert ("failed", 7, "it answers 500 Internal Server Error") in log(desk, channel_id)
    assert len(audited(desk, "channels.disabled")) == 1
    with desk.application.storage.installation() as installation:
        jobs, _ = installation.jobs.page(kind=deliveries.TELL_DISABLED)
    assert [job.payload for job in jobs if job.organization_id == desk.org] == [
        {"organization_id": desk.org, "channel_id": channel_id}
    ]
    say(desk)
    assert hand_on(desk) == 0


def test_who_asks_not_to_be_told_again_is_not(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    shown = add(desk, tools, hook.url)
    hook.answer = lambda _: (410, "moved out")
    say(desk)
    hand_on(desk)
    assert deliver(desk, tools) == [False]
    found = channels.get_channel(desk.ctx, desk.org, shown.channel.channel_id, WEBHOOKS)
    assert str(found.disabled_reason).startswith("it asks not to be told again")
    on = switch(desk, tools, shown.channel.channel_id, enabled=True)
    assert (on.enabled, on.disabled_reason) == (True, None)


def test_a_slow_endpoint_holds_up_nobody_else(desk: Desk, tools: NotificationTools) -> None:
    released, arrived = threading.Event(), threading.Semaphore(0)
    with hook_server() as slow, hook_server() as quick:

        def hang(_: Received) -> tuple[int, str]:
            arrived.release()
            released.wait(20)
            return 200, ""

        slow.answer = hang
        add(desk, tools, slow.url)
        for _ in range(5):
            say(desk)
        hand_on(desk)
        busy = [threading.Thread(target=deliver_next, args=(desk.ctx, tools, f"busy-{n}")) for n in range(2)]
        for thread in busy:
            thread.start()
            assert arrived.acquire(timeout=20)
        assert deliver(desk, tools) == []  # no third request to it
        add(desk, tools, quick.url)
        say(desk)
        hand_on(desk)
        assert deliver(desk, tools) == [True]
        assert quick.next().headers["x-llm-costops-event"] == THRESHOLD
        released.set()
        for thread in busy:
            thread.join()
        assert deliver(desk, tools) == [True] * 4


def test_usage_that_moves_budgets_is_one_job_for_each_organization(desk: Desk, tools: NotificationTools) -> None:
    for _ in range(5):
        say(desk, SPEND_MOVED, {})
    assert hand_on(desk) == 0
    with desk.application.storage.installation() as installation:
        jobs, _ = installation.jobs.page(kind=outbox.EVALUATE, limit=100)
    assert [dict(job.payload) for job in jobs if job.organization_id == desk.org] == [{"organization_id": desk.org}]


def test_a_test_message_is_sent_at_once_and_logged_whatever_comes_of_it(
    desk: Desk, hook: Hook, tools: NotificationTools
) -> None:
    shown = add(desk, tools, hook.url, enabled=False, events=["budget.escalated"])
    channel_id = shown.channel.channel_id
    found, attempt = deliveries.test(desk.ctx, tools, desk.org, channel_id, kinds=WEBHOOKS)
    assert (found.status, attempt.status, attempt.answer) == (DeliveryStatus.DELIVERED, 200, "thanks")
    got = hook.next()
    assert json.loads(got.body)["event"] == got.headers["x-llm-costops-event"] == "webhook.test"
    assert Webhook(shown.secret).verify(got.body.decode(), got.headers)
    hook.answer = lambda _: (410, "")
    found, attempt = deliveries.test(desk.ctx, tools, desk.org, channel_id, kinds=WEBHOOKS)
    assert (found.status, attempt.status) == (DeliveryStatus.FAILED, 410)
    assert sorted(entry[0] for entry in log(desk, channel_id)) == ["delivered", "failed"]
    with pytest.raises(NotFound):
        deliveries.test(desk.ctx, tools, desk.org, "wh_nobody", kinds=WEBHOOKS)


def test_a_delivery_can_be_sent_again_under_an_id_of_its_own(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    channel_id = add(desk, tools, hook.url).channel.channel_id
    say(desk)
    hand_on(desk)
    page = delivery_log.list_deliveries(desk.ctx, desk.org, channel_id, kinds=WEBHOOKS)
    first = page.deliveries[0][0]
    with pytest.raises(Conflict, match="still being tried"):
        delivery_log.redeliver(desk.ctx, desk.org, channel_id, first.delivery_id, WEBHOOKS)
    deliver(desk, tools)
    again = delivery_log.redeliver(desk.ctx, desk.org, channel_id, first.delivery_id, WEBHOOKS)
    assert deliver(desk, tools) == [True]
    one, two = json.loads(hook.next().body), json.loads(hook.next().body)
    assert (two.pop("delivery_id"), one.pop("delivery_id")) == (again.delivery_id, first.delivery_id)
    assert one == two
    stored, tried = delivery_log.get_delivery(desk.ctx, desk.org, channel_id, again.delivery_id, WEBHOOKS)
    assert (stored.redelivery_of, len(tried)) == (first.delivery_id, 1)
    switch(desk, tools, channel_id, enabled=False)
    with pytest.raises(Conflict, match="turned off"):
        delivery_log.redeliver(desk.ctx, desk.org, channel_id, first.delivery_id, WEBHOOKS)
    with pytest.raises(NotFound):
        delivery_log.redeliver(desk.ctx, desk.org, channel_id, "dlv_nobody", WEBHOOKS)


def test_a_lost_master_key_is_a_recorded_failure(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    sealing = StoredKeyVault(desk.application.storage, system_clock, b64encode(bytes(32)).decode())
    made = add(desk, replace(tools, vault=sealing), hook.url)
    say(desk)
    hand_on(desk)
    another = StoredKeyVault(desk.application.storage, system_clock, b64encode(bytes(range(32))).decode())
    assert deliver(desk, replace(tools, vault=another)) == [False]
    ((status, attempts, error),) = log(desk, made.channel.channel_id)
    assert (status, attempts) == ("pending", 1)
    assert "notifications.secret_key" in error


def test_what_people_are_told_at_once_is_one_message(desk: Desk, hook: Hook, tools: NotificationTools) -> None:
    slack = channels.add_channel(desk.ctx, tools, desk.org, ChannelKind.SLACK, {"url": f"{hook.url}/ops"}).channel
    for threshold in ("0.5", "0.75"):
        say(desk, data={**DATA, "threshold": Decimal(threshold)})
    while outbox.dispatch(desk.ctx, group_wait=timedelta(seconds=10)).events:
        pass
    assert deliver(desk, tools) == []  # others may still come
    desk.now += timedelta(seconds=10)
    assert deliver(desk, tools) == [True]
    assert hook.received.qsize() == 1
    page = delivery_log.list_deliveries(desk.ctx, desk.org, slack.channel_id, kinds=(ChannelKind.SLACK,))
    first, second = sorted(page.deliveries, key=lambda entry: entry[0].sent_with is not None)
    assert (first[0].sent_with, second[0].sent_with) == (None, first[0].delivery_id)
    assert [entry[0].status for entry in (first, second)] == [DeliveryStatus.DELIVERED] * 2
