"""Reading usage back: pages, streams, and what waits for a price."""

from __future__ import annotations

import threading

import pytest

from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import NotFound
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import DAY_US, from_us
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.storage import Correction, Ledger, Position, Storage
from tests.storage.builders import NOON, NOW, moves, new, organize, refs, store


def place(record: UsageRecord) -> tuple[int, int]:
    return parse_usage_id(record.usage_id)


def price(ledger: Ledger, record: UsageRecord, cost: int | None) -> None:
    status, currency = ("unpriced", None) if cost is None else ("computed", "USD")
    ledger.costs.correct([Correction(*place(record), status, currency, cost, 1, "a price was added")], NOW)
    ledger.costs.fold(moves(record, currency=currency, status=status, cost=cost))


def test_pages_follow_each_other_newest_first(storage: Storage) -> None:
    organize(storage, "acme", "other")
    stored = store(storage, [new(at=NOON + (n // 3) * 20 * DAY_US) for n in range(20)])
    store(storage, [new("other")])
    expected = sorted(refs(stored), reverse=True)
    found: list[tuple[int, int]] = []
    before: Position | None = None
    while True:
        with storage.ledger("acme") as ledger:
            page = ledger.usage.page(start_us=None, end_us=None, filters=[], limit=3, before=before)
        if not page:
            break
        found += map(place, page)
        before = Position(*found[-1])
        store(storage, [new(at=NOON + 500 * DAY_US)])  # what comes in meanwhile is newer, so it moves nothing
    assert found == expected


def test_a_page_can_be_counted_off(storage: Storage) -> None:
    organize(storage, "acme")
    stored = store(storage, [new(at=NOON + n) for n in range(10)])
    with storage.ledger("acme") as ledger:
        page = ledger.usage.page(start_us=NOON + 1, end_us=NOON + 8, filters=[], limit=3, offset=2)
    assert list(map(place, page)) == sorted(refs(stored), reverse=True)[4:7]


def test_a_stream_has_every_record_once_oldest_first(storage: Storage) -> None:
    organize(storage, "acme", "other")
    stored = store(storage, [new(at=NOON + (n % 7) * 15 * DAY_US, user_id=f"u{n % 2}") for n in range(2_500)])
    store(storage, [new("other")])
    with storage.ledger("acme") as ledger:
        everything = [place(r) for r in ledger.usage.stream(start_us=None, end_us=None, filters=[])]
        some = list(
            ledger.usage.stream(start_us=NOON + 1, end_us=NOON + 60 * DAY_US, filters=[Filter("user", "eq", ("u1",))])
        )
    assert everything == sorted(refs(stored))
    assert {r.user_id for r in some} == {"u1"}
    assert len(some) == sum(1 for n in range(2_500) if n % 2 and 0 < n % 7 < 4)


def test_a_stream_may_be_left_and_written_beside(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(at=NOON + n, cost=None) for n in range(1_500)])
    with storage.ledger("acme") as ledger:
        for n, record in enumerate(ledger.usage.stream(start_us=None, end_us=None, filters=[])):
            if n % 400 == 0:
                price(ledger, record, 7)
            if n == 1_200:
                break
        assert [m.requests for m in ledger.usage.unpriced_models()] == [1_496]
        assert ledger.costs.rollup_differences() == []


def test_unpriced_usage_is_counted_by_model(storage: Storage) -> None:
    organize(storage, "acme", "other")
    far = NOON + 100 * DAY_US
    store(
        storage,
        [
            new(cost=None, at=NOON),
            new(cost=None, at=far),
            new(cost=5),
            new(cost=None, model_id="z", at=NOON + 5, quantities={"input": 1, "output": 2}),
            new("other", cost=None),
        ],
    )
    with storage.ledger("acme") as ledger:
        gpt, z = ledger.usage.unpriced_models()
        assert (gpt.provider, gpt.model_id, gpt.requests, gpt.input_tokens, gpt.output_tokens) == (
            "openai",
            "gpt-4",
            2,
            200,
            20,
        )
        assert (gpt.first_seen, gpt.last_seen) == (from_us(NOON), from_us(far))
        assert (z.model_id, z.requests, z.first_seen, z.last_seen) == ("z", 1, from_us(NOON + 5), from_us(NOON + 5))
        [first, _] = ledger.usage.unpriced(provider="openai", model_id="gpt-4", after=None, limit=9)
        price(ledger, first, 9)
    with storage.ledger("acme") as ledger:
        gpt = ledger.usage.unpriced_models()[0]
        assert (gpt.requests, gpt.first_seen) == (1, from_us(far))


def test_unpriced_is_what_has_no_cost_now(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(cost=None if n % 2 else 5, at=NOON + n, model_id=f"m{n % 3}") for n in range(12)])
    with storage.ledger("acme") as ledger:
        everything = list(ledger.usage.stream(start_us=None, end_us=None, filters=[]))
        price(ledger, everything[1], 3)
        price(ledger, everything[4], None)
        price(ledger, everything[7], 4)
        again = ledger.usage.get(*place(everything[7]))
        assert again is not None
        price(ledger, again, None)
        assert ledger.costs.rollup_differences() == []
    with storage.ledger("acme") as ledger:
        waiting = ledger.usage.unpriced(provider=None, model_id=None, after=None, limit=99)
        assert waiting == sorted(waiting, key=lambda r: r.timestamp)
        assert [r.timestamp for r in waiting] == [from_us(NOON + n) for n in (3, 4, 5, 7, 9, 11)]
        after = Position(*place(waiting[1]))
        assert ledger.usage.unpriced(provider=None, model_id=None, after=after, limit=2) == waiting[2:4]
        only = ledger.usage.unpriced(provider="openai", model_id="m1", after=None, limit=99)
        assert only == [r for r in waiting if r.model_id == "m1"]
        assert sum(m.requests for m in ledger.usage.unpriced_models()) == 6


def test_two_that_price_the_same_usage_take_turns(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(cost=None, at=NOON + n) for n in range(50)])
    done: list[int] = []

    def price_all() -> None:
        with storage.ledger("acme") as ledger:
            waiting = ledger.usage.unpriced(provider=None, model_id=None, after=None, limit=99)
            for record in waiting:
                price(ledger, record, 1)
        done.append(len(waiting))

    threads = [threading.Thread(target=price_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 50]
    with storage.ledger("acme") as ledger:
        assert ledger.costs.rollup_differences() == []


def test_no_ledger_sees_what_is_anothers(storage: Storage) -> None:
    organize(storage, "acme", "other")
    [stored] = store(storage, [new(key="k", tags={"env": "prod"}, user_id="u", project_id="p", cost=None)])
    with storage.ledger("other") as ledger:
        assert ledger.usage.get(*refs([stored])[0]) is None
        assert ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9) == []
        assert list(ledger.usage.stream(start_us=None, end_us=None, filters=[])) == []
        assert ledger.usage.unpriced_models() == []
        assert ledger.usage.unpriced(provider=None, model_id=None, after=None, limit=9) == []
        assert ledger.project_ids() == []
        assert ledger.costs.newest_us() is None
        with pytest.raises(NotFound):
            ledger.costs.correct([Correction(*refs([stored])[0], "invoiced", "USD", 1, None, "not mine")], NOW)
        ledger.costs.rebuild_rollups()
    with storage.ledger("acme") as ledger:
        assert ledger.project_ids() == ["p"]
        assert ledger.costs.rollup_differences() == []


def test_an_unknown_organization_has_no_ledger(storage: Storage) -> None:
    with pytest.raises(NotFound, match="nobody"), storage.ledger("nobody"):
        pass
