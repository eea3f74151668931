"""Events on their way out: handed on and delivered by a runner, to real servers on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.access import OWNER
from cost_ops.domain.delivering import RETRY_AFTER
from cost_ops.domain.jobs import JobStatus
from cost_ops.domain.letters import LetterKind
from cost_ops.domain.notifications import ChannelKind, DeliveryStatus
from cost_ops.services import channels, deliveries, delivery_log, organizations
from cost_ops.settings import load_settings
from cost_ops.workers.notifying import PUMPS, make_delivering
from cost_ops.workers.runner import Runner
from cost_ops.workers.tasks import TASKS
from cost_ops.workers.workplace import Trade
from tests.hook_server import Hook, Received, hook_server
from tests.people import KeptLetters, cheap_tools, join
from tests.workers.conftest import NOW, Shop

EVENT = "budget.threshold_exceeded"
WEBHOOKS = (ChannelKind.WEBHOOK,)


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An installation that may post to this machine, with the organisation `acme`."""
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_database"))
    else:
        migrate(url)
    flags = {"database.url": url, "notifications.allow_private_addresses": "true", "notifications.group_wait_secs": "0"}
    clock = [NOW]
    application = open_application(load_settings(environment={}, flags=flags), lambda: clock[0])
    organizations.ensure(application.context(OWNER), "acme")
    yield Shop(application, clock)
    application.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as made:
        yield made


def add(shop: Shop, url: str) -> str:
    ctx, tools = shop.application.context(OWNER), shop.application.notification_tools()
    return channels.add_channel(ctx, tools, "acme", ChannelKind.WEBHOOK, {"url": url}).channel.channel_id


def say(shop: Shop, count: int = 1) -> None:
    with shop.application.storage.ledger("acme") as ledger:
        for n in range(count):
            ledger.outbox.add(EVENT, {"n": n, "threshold": Decimal("0.75")}, shop.now)


def runner(application: Application) -> Runner:
    return Runner(application, threads=1, trade=Trade((), TASKS, PUMPS))


def statuses(shop: Shop, channel_id: str) -> list[str]:
    ctx = shop.application.context(OWNER)
    page = delivery_log.list_deliveries(ctx, "acme", channel_id, kinds=WEBHOOKS, limit=100)
    return [one.status.value for one, _ in page.deliveries]


def test_an_event_that_is_committed_is_received(shop: Shop, hook: Hook) -> None:
    channel_id = add(shop, hook.url)
    running = runner(shop.application)
    running.start()
    say(shop, 20)
    got = [json.loads(hook.next().body) for _ in range(20)]
    running.stop()
    assert sorted(body["data"]["n"] for body in got) == list(range(20))
    assert len({body["delivery_id"] for body in got}) == 20
    assert statuses(shop, channel_id) == ["delivered"] * 20


def test_whoever_stops_lets_what_is_under_way_arrive(shop: Shop, hook: Hook) -> None:
    asked, released = threading.Event(), threading.Event()

    def hold(_: Received) -> tuple[int, str]:
        asked.set()
        released.wait(20)
        return 200, ""

    hook.answer = hold
    channel_id = add(shop, hook.url)
    say(shop)
    running = runner(shop.application)
    running.start()
    assert asked.wait(20)
    stopping = threading.Thread(target=running.stop)
    stopping.start()
    assert running.workplace.stopping.wait(20)
    released.set()
    stopping.join()
    assert statuses(shop, channel_id) == ["delivered"]


def test_endpoints_that_hang_hold_up_nobody_else(shop: Shop, hook: Hook) -> None:
    released = threading.Event()

    def hang(_: Received) -> tuple[int, str]:
        released.wait(20)
        return 200, ""

    with hook_server() as slow:
        slow.answer = hang
        for _ in range(4):
            add(shop, slow.url)
        add(shop, hook.url)
        say(shop, 10)
        running = runner(shop.application)
        running.start()
        assert sorted(json.loads(hook.next().body)["data"]["n"] for _ in range(10)) == list(range(10))
        released.set()
        running.stop()


def test_a_channel_is_turned_off_after_the_last_attempt_and_its_owner_written_to(shop: Shop, hook: Hook) -> None:
    letters = KeptLetters()
    tools = replace(shop.application.login_tools, mailer=letters)
    shop = Shop(replace(shop.application, login_tools=tools), shop.clock)
    join(shop.application.context(OWNER), cheap_tools(KeptLetters()), "acme", "ana@example.com", "admin")
    hook.answer = lambda _: (500, "")
    channel_id = add(shop, hook.url)
    say(shop)
    for wait in (*RETRY_AFTER, timedelta(0)):
        runner(shop.application).run_due()
        shop.clock[0] += wait
    assert statuses(shop, channel_id) == ["failed"]
    assert hook.received.qsize() == 7
    assert [(letter.kind, letter.to) for letter in letters.letters] == [
        (LetterKind.CHANNEL_DISABLED, "ana@example.com")
    ]
    assert shop.job(deliveries.TELL_DISABLED).status is JobStatus.DONE


def test_old_deliveries_are_forgotten(shop: Shop, hook: Hook) -> None:
    channel_id = add(shop, hook.url)
    say(shop)
    runner(shop.application).run_due()
    shop.pass_(days=31)
    shop.add("deliveries.prune")
    runner(shop.application).run_due()
    assert shop.job("deliveries.prune").result == {"forgotten": 1}
    assert statuses(shop, channel_id) == []


def test_an_outcome_that_cannot_be_kept_is_told_and_sent_again(
    shop: Shop, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel_id = add(shop, hook.url)
    say(shop)
    working = runner(shop.application)
    PUMPS[0].make(working.workplace)()

    def fail(*_: object) -> bool:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(deliveries, "done", fail)
        with pytest.raises(OSError, match="disk is full"):
            make_delivering(working.workplace)()
    shop.clock[0] += deliveries.LEASE
    assert make_delivering(working.workplace)()
    assert statuses(shop, channel_id) == [DeliveryStatus.DELIVERED.value]
    first, second = json.loads(hook.next().body), json.loads(hook.next().body)
    assert first["delivery_id"] == second["delivery_id"]
