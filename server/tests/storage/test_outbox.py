"""The outbox, channels, keys and deliveries as both databases keep them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.delivering import MOST_IN_A_MESSAGE, PEOPLE_REST
from cost_ops.domain.notifications import (
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    Escalation,
    OutboxEvent,
    Routing,
    Severity,
)
from cost_ops.interfaces.notifications import Claimed, DataKey, Outcome
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW, organize

LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
THRESHOLD = "budget.threshold_exceeded"
ROUTED = Routing(("budget-1",), Decimal("0.9"), Severity.WARNING, Escalation.FIRST)


def channel(channel_id: str = "wh_1", kind: ChannelKind = ChannelKind.WEBHOOK, **more: Any) -> Channel:
    made = Channel(
        channel_id,
        "acme",
        kind,
        channel_id,
        (THRESHOLD,),
        ROUTED,
        {"url": "https://a.example"},
        b"\x00\xff",
        NOW,
        "me",
        NOW,
    )
    return replace(made, **more)


def delivery(delivery_id: str, channel_id: str = "wh_1", *, at: datetime = NOW, **more: Any) -> Delivery:
    made = Delivery(
        delivery_id,
        "acme",
        channel_id,
        THRESHOLD,
        at,
        {"threshold": Decimal("0.75")},
        DeliveryStatus.PENDING,
        0,
        at,
        at,
    )
    return replace(made, **more)


def keep(storage: Storage, *things: Channel | Delivery) -> None:
    with storage.ledger("acme") as ledger:
        for one in things:
            if isinstance(one, Channel):
                ledger.channels.add(one)
    with storage.installation() as installation:
        installation.deliveries.add(one for one in things if isinstance(one, Delivery))


def claim(storage: Storage, now: datetime = NOW, worker: str = "w") -> list[Claimed]:
    with storage.installation() as installation:
        return installation.deliveries.claim(installation.deliveries.due(now, 100), worker, now, LEASE)


def ids(claimed: list[Claimed]) -> list[list[str]]:
    return [[one.delivery_id for one in group.deliveries] for group in claimed]


def record(storage: Storage, claimed: Claimed, status: DeliveryStatus, again: datetime | None, now: datetime) -> bool:
    tried = Attempt(1, now, 12, 200, "", "fine")
    outcomes = [Outcome(one, tried, status, again, None) for one in claimed.deliveries]
    with storage.installation() as installation:
        return installation.deliveries.record(outcomes, claimed.worker, now)


def test_an_event_comes_back_exactly_once_and_in_order(storage: Storage) -> None:
    organize(storage, "acme", "other")
    data = {
        "amount": Decimal("0.0000000001"),
        "big": Decimal("123456789012345678901.5"),
        "list": [1, None, True, "ü\x00"],
    }
    with storage.ledger("acme") as ledger:
        ledger.outbox.add(THRESHOLD, data, NOW)
    with storage.installation() as installation:
        installation.outbox.add("spend.moved", {}, NOW + SECOND, "other")
        waiting = installation.outbox.backlog()
        assert (waiting.count, waiting.oldest) == (2, NOW)
        first = installation.outbox.take(1)
        second = installation.outbox.take(5)
        assert installation.outbox.take(5) == []
        assert installation.outbox.backlog().oldest is None
    assert first == [OutboxEvent(first[0].number, "acme", THRESHOLD, NOW, {**data, "list": [1, None, True, "ü"]})]
    assert second == [OutboxEvent(second[0].number, "other", "spend.moved", NOW + SECOND, {})]
    assert first[0].number < second[0].number


def test_what_was_taken_is_back_where_the_transaction_fails(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.ledger("acme") as ledger:
        ledger.outbox.add(THRESHOLD, {}, NOW)

    def take_and_fail() -> None:
        with storage.installation() as installation:
            assert len(installation.outbox.take(1)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        take_and_fail()
    with storage.installation() as installation:
        assert installation.outbox.backlog().count == 1


def test_an_event_is_not_there_where_what_it_tells_was_not_committed(storage: Storage) -> None:
    organize(storage, "acme")

    def add_and_fail() -> None:
        with storage.ledger("acme") as ledger:
            ledger.outbox.add(THRESHOLD, {}, NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    with storage.installation() as installation:
        assert installation.outbox.take(1) == []


def test_two_who_take_on_postgres_take_different_events(postgres_storage: Storage) -> None:
    organize(postgres_storage, "acme")
    with postgres_storage.ledger("acme") as ledger:
        for _ in range(10):
            ledger.outbox.add(THRESHOLD, {}, NOW)
    with postgres_storage.installation() as one, postgres_storage.installation() as two:
        taken = [*one.outbox.take(4), *two.outbox.take(4)]
    assert len({event.number for event in taken}) == 8


def test_a_channel_comes_back_exactly_and_is_its_organization_s(storage: Storage) -> None:
    organize(storage, "acme", "other")
    with storage.ledger("acme") as ledger:
        ledger.channels.add(channel())
        assert ledger.channels.list() == [channel()]
        changed = channel(name="b", secret=None, disabled_at=NOW, disabled_reason="because", routing=Routing())
        ledger.channels.save(changed)
        assert ledger.channels.get("wh_1") == changed
    with storage.ledger("other") as ledger:
        assert ledger.channels.get("wh_1") is None
        ledger.channels.save(channel(name="mine now"))
        ledger.channels.remove("wh_1")
    with storage.installation() as installation:
        assert installation.channels.of({"acme"}) == {}
        assert not installation.channels.disable("wh_1", "again", NOW)
    with storage.ledger("acme") as ledger:
        assert ledger.channels.list() == [changed]
        ledger.channels.save(channel())
    with storage.installation() as installation:
        assert installation.channels.of({"acme", "other"}) == {"acme": [channel()]}
        assert installation.channels.disable("wh_1", "gone", NOW)
    with storage.ledger("acme") as ledger:
        found = ledger.channels.get("wh_1")
        assert found is not None
        assert (found.disabled_at, found.disabled_reason) == (NOW, "gone")
        ledger.channels.remove("wh_1")
        assert ledger.channels.list() == []


def test_a_data_key_comes_back(storage: Storage) -> None:
    with storage.installation() as installation:
        keys = installation.data_keys
        keys.lock()
        keys.add(DataKey("k1", b"\x00\x01", None, NOW))
        keys.rewrap("k1", b"\x02", "master")
        assert keys.get("k1") == DataKey("k1", b"\x02", "master", NOW)
        assert keys.all() == [DataKey("k1", b"\x02", "master", NOW)]
        assert keys.get("k2") is None


def test_a_delivery_of_the_same_event_to_a_channel_is_there_once(storage: Storage) -> None:
    organize(storage, "acme")
    once = delivery("d1", event_number=7)
    keep(storage, channel(), once, replace(once, delivery_id="d2"), replace(once, delivery_id="d3", redelivery_of="d1"))
    with storage.ledger("acme") as ledger:
        page = ledger.deliveries.page("wh_1", status=None, limit=10, offset=0)
    assert [one.delivery_id for one, _ in page.deliveries] == ["d3", "d1"]
    assert page.deliveries[1] == (once, [])


def test_what_is_claimed_is_nobody_else_s_until_its_lease_is_over(storage: Storage) -> None:
    organize(storage, "acme")
    keep(storage, channel(), delivery("d1"))
    assert ids(claim(storage)) == [["d1"]]
    assert claim(storage, NOW + LEASE - SECOND, "x") == []
    again = claim(storage, NOW + LEASE, "x")
    assert ids(again) == [["d1"]]
    assert (again[0].organization_name, again[0].channel, again[0].worker) == ("acme", channel(), "x")


def test_a_channel_has_two_requests_under_way_at_most(storage: Storage) -> None:
    organize(storage, "acme")
    keep(storage, channel(), channel("wh_2"), *(delivery(f"d{n}") for n in range(5)), delivery("e1", "wh_2"))
    rounds = [ids(claim(storage, worker=f"w{n}")) for n in range(4)]
    assert [sorted(group for groups in one for group in groups) for one in rounds] == [
        ["d0", "e1"],
        ["d1"],
        [],
        [],
    ]


def test_what_is_due_is_what_has_waited_longest_first(storage: Storage) -> None:
    organize(storage, "acme")
    late = delivery("b1", "wh_2", next_attempt_at=NOW - SECOND)
    future = delivery("c1", "wh_3", next_attempt_at=NOW + SECOND)
    keep(storage, channel(), channel("wh_2"), channel("wh_3"), delivery("a1"), late, future)
    with storage.installation() as installation:
        queue = installation.deliveries
        assert queue.due(NOW, 10) == ["wh_2", "wh_1"]
        assert queue.due(NOW, 1) == ["wh_2"]
        assert queue.due(NOW + SECOND, 10) == ["wh_2", "wh_1", "wh_3"]
        waiting = queue.backlog(NOW)
        assert (waiting.count, waiting.oldest) == (2, NOW - SECOND)


def test_an_outcome_is_kept_with_its_attempt(storage: Storage) -> None:
    organize(storage, "acme", "other")
    keep(storage, channel(), delivery("d1"))
    (claimed,) = claim(storage)
    assert record(storage, claimed, DeliveryStatus.PENDING, NOW + 5 * SECOND, NOW + SECOND)
    assert claim(storage, NOW + 4 * SECOND) == []
    (claimed,) = claim(storage, NOW + 5 * SECOND)
    assert claimed.deliveries[0].attempts == 1
    with storage.installation() as installation:
        outcome = Outcome(
            claimed.deliveries[0], Attempt(2, NOW, 3, None, "refused", ""), DeliveryStatus.FAILED, None, "d0"
        )
        assert installation.deliveries.record([outcome], "w", NOW + 6 * SECOND)
    with storage.ledger("acme") as ledger:
        found = ledger.deliveries.get("wh_1", "d1")
        assert found is not None
        stored, tried = found
        assert (stored.status, stored.attempts, stored.sent_with) == (DeliveryStatus.FAILED, 2, "d0")
        assert (stored.finished_at, stored.next_attempt_at) == (NOW + 6 * SECOND, None)
        assert tried == [Attempt(1, NOW + SECOND, 12, 200, "", "fine"), Attempt(2, NOW, 3, None, "refused", "")]
        assert ledger.deliveries.get("wh_2", "d1") is None
        assert ledger.deliveries.page("wh_1", status=DeliveryStatus.PENDING, limit=9, offset=0) == ([], 0)
    with storage.ledger("other") as ledger:
        assert ledger.deliveries.get("wh_1", "d1") is None


def test_who_lost_the_lease_keeps_nothing(storage: Storage) -> None:
    organize(storage, "acme")
    keep(storage, channel(), delivery("d1"))
    (slow,) = claim(storage, worker="slow")
    (quick,) = claim(storage, NOW + LEASE, "quick")
    assert not record(storage, slow, DeliveryStatus.FAILED, None, NOW + LEASE)
    assert record(storage, quick, DeliveryStatus.DELIVERED, None, NOW + LEASE)
    assert not record(storage, quick, DeliveryStatus.FAILED, None, NOW + LEASE)
    with storage.ledger("acme") as ledger:
        page = ledger.deliveries.page("wh_1", status=DeliveryStatus.DELIVERED, limit=9, offset=0)
    assert (page.total, len(page.deliveries[0][1])) == (1, 1)


def test_people_get_what_is_due_as_one_message_and_then_rest(storage: Storage) -> None:
    organize(storage, "acme")
    mails = channel("ch_1", ChannelKind.EMAIL)
    keep(storage, mails, *(delivery(f"d{n:03}", "ch_1") for n in range(MOST_IN_A_MESSAGE + 5)))
    (first,) = claim(storage)
    assert len(first.deliveries) == MOST_IN_A_MESSAGE
    assert claim(storage, worker="other") == []  # one message at a time
    assert record(storage, first, DeliveryStatus.DELIVERED, None, NOW)
    assert claim(storage, NOW + SECOND) == []  # people are left alone now
    assert claim(storage, NOW + PEOPLE_REST - SECOND) == []
    assert [len(group) for group in ids(claim(storage, NOW + PEOPLE_REST))] == [5]


def test_something_critical_does_not_wait_and_takes_the_rest_along(storage: Storage) -> None:
    organize(storage, "acme")
    keep(storage, channel("ch_1", ChannelKind.SLACK), delivery("d1", "ch_1"))
    (first,) = claim(storage)
    assert record(storage, first, DeliveryStatus.DELIVERED, None, NOW)
    keep(storage, delivery("d2", "ch_1"), delivery("d3", "ch_1", data={"threshold": Decimal(1)}, at=NOW + SECOND))
    assert ids(claim(storage, NOW + SECOND)) == [["d2", "d3"]]


@pytest.mark.parametrize("gone", ["removed", "disabled"])
def test_what_waits_for_a_channel_that_is_gone_is_given_up(storage: Storage, gone: str) -> None:
    organize(storage, "acme")
    keep(storage, channel(), delivery("d1"))
    (under_way,) = claim(storage)
    keep(storage, delivery("d2"))
    with storage.ledger("acme") as ledger:
        if gone == "removed":
            ledger.channels.remove("wh_1")
        else:
            ledger.channels.save(channel(disabled_at=NOW))
        assert ledger.deliveries.cancel("wh_1", NOW) == 1
    keep(storage, delivery("d3"))  # handed on in the same moment
    assert claim(storage) == []
    assert record(storage, under_way, DeliveryStatus.DELIVERED, None, NOW)  # what was under way has arrived
    with storage.ledger("acme") as ledger:
        page = ledger.deliveries.page("wh_1", status=None, limit=9, offset=0)
    assert {one.delivery_id: one.status.value for one, _ in page.deliveries} == {
        "d1": "delivered",
        "d2": "cancelled",
        "d3": "cancelled",
    }


def test_pruning_removes_what_is_finished_and_old(storage: Storage) -> None:
    organize(storage, "acme")
    old = NOW - timedelta(days=31)
    keep(
        storage, channel(), delivery("d1", at=old), delivery("d2", at=old, next_attempt_at=NOW + SECOND), delivery("d3")
    )
    for claimed in claim(storage):
        assert record(storage, claimed, DeliveryStatus.DELIVERED, None, NOW)
    with storage.installation() as installation:
        assert installation.deliveries.prune(NOW - timedelta(days=30), 100) == 1
    with storage.ledger("acme") as ledger:
        page = ledger.deliveries.page("wh_1", status=None, limit=9, offset=0)
    assert sorted(one.delivery_id for one, _ in page.deliveries) == ["d2", "d3"]
