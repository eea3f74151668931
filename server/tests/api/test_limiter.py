"""The limiter by itself, on a plain event loop: many tasks, one or several processes' worth of limiters, one store."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.api.limiter import Limiter
from cost_ops.api.metrics import Metrics
from cost_ops.api.strangers import LONGEST_WAIT_SECONDS
from cost_ops.api.tickets import NO_LIMIT, Ticket, TooMany
from cost_ops.bootstrap import Application
from cost_ops.domain.errors import RateLimited, Unavailable
from cost_ops.domain.limiting import Count, Taken, Window, current, take
from cost_ops.domain.plans import PLANS, UNLIMITED, Limits
from tests.api.running import opened

NOON = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
HOUR_ENDS = NOON.replace(hour=13, second=0)


@dataclass
class Counting:
    """A store in memory that can be made to wait, and to fail."""

    stored: dict[str, dict[int, Count]] = field(default_factory=dict)
    takes: list[tuple[int, int, int]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)
    away: bool = False
    gate: threading.Event | None = None

    def take(self, holder: str, windows: Sequence[Window], *, needed: int, ahead: int, at: int) -> Taken:
        if self.gate is not None:
            assert self.gate.wait(30)
        with self.lock:
            if self.away:
                raise Unavailable("it is away")
            stored = self.stored.setdefault(holder, {})
            taken = take(windows, stored, needed, ahead, at)
            stored.update({window.seconds: count for window, count in zip(windows, taken.counts, strict=True)})
            self.takes.append((needed, ahead, taken.granted))
            return taken

    def give_back(self, holder: str, starts: Sequence[tuple[int, int]], permits: int) -> None:
        with self.lock:
            if self.away:
                raise Unavailable("it is away")
            stored = self.stored[holder]
            for seconds, started in starts:
                if stored[seconds].started == started:
                    stored[seconds] = Count(started, stored[seconds].used - permits)

    def counts(self, holder: str, windows: Sequence[Window], at: int) -> tuple[Count, ...]:
        return tuple(current(w, self.stored.get(holder, {}).get(w.seconds), at) for w in windows)

    def used(self, holder: str = "organization:org", seconds: int = 3600) -> int:
        return self.stored[holder][seconds].used

    def check(self) -> str:
        return "memory"

    def close(self) -> None:
        pass


@dataclass
class Harness:
    """Limiters with a store and a clock that a test moves."""

    application: Application
    store: Counting
    now: datetime = NOON

    def limiter(self, **limits: Any) -> Limiter:
        settings = self.application.settings
        changed = replace(settings, limits=replace(settings.limits, **limits))
        return Limiter(
            replace(self.application, settings=changed, clock=lambda: self.now, permits=self.store), Metrics()
        )


@pytest.fixture
def harness(ledger: str) -> Iterator[Harness]:
    application = opened(ledger)
    yield Harness(application, Counting())
    application.close()


async def admitted(limiter: Limiter, limits: Limits, holder: str = "org") -> Ticket:
    return limiter.admit(holder, limits) or await limiter.admit_slow(holder, limits)


async def ask_until_refused(limiter: Limiter, limits: Limits, refusals: int = 3) -> int:
    """How many were let in before so many were refused."""
    let_in = refused = 0
    while refused < refusals:
        try:
            ticket = await admitted(limiter, limits)
        except RateLimited:
            refused += 1
        else:
            let_in += 1
            await asyncio.sleep(0)
            limiter.leave(ticket)
    return let_in


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 60))


def headers(limiter: Limiter, ticket: Ticket) -> dict[str, int]:
    return {name.decode().removeprefix("x-ratelimit-"): int(value) for name, value in limiter.header_pairs(ticket)}


@pytest.mark.parametrize("limit", [1, 2, 31, 100, 1000, 5003])
@pytest.mark.parametrize("limiters", [1, 4])
def test_exactly_the_limit_is_let_in(harness: Harness, limit: int, limiters: int) -> None:
    async def load() -> list[int]:
        each = [harness.limiter() for _ in range(limiters)]
        limits = Limits(requests_per_hour=limit)
        found = await asyncio.gather(*(ask_until_refused(each[n % limiters], limits) for n in range(32)))
        for limiter in each:
            await limiter.close()
        return found

    assert sum(run(load)) == limit
    assert harness.store.used() == limit


def test_blocks_save_most_questions_to_the_store(harness: Harness) -> None:
    async def load() -> int:
        limiter = harness.limiter()
        return sum(await asyncio.gather(*(ask_until_refused(limiter, Limits(100_000)) for _ in range(32))))

    assert run(load) == 100_000
    assert len(harness.store.takes) < 2_000
    assert all(granted <= max(needed, 100_000 // 16) for needed, _, granted in harness.store.takes)


def test_one_question_serves_all_who_wait(harness: Harness) -> None:
    harness.store.gate = threading.Event()

    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=100)
        first = [asyncio.create_task(limiter.admit_slow("org", limits)) for _ in range(20)]
        await asyncio.sleep(0)
        harness.store.gate.set()  # type: ignore[union-attr]
        await asyncio.gather(*first)

    run(load)
    assert [needed for needed, _, _ in harness.store.takes if needed] == [20]


def test_what_nobody_uses_goes_back(harness: Harness) -> None:
    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=100_000)
        for _ in range(500):
            limiter.leave(await admitted(limiter, limits))
        while harness.store.used() != 500:
            await asyncio.sleep(0.01)
        limiter.leave(await admitted(limiter, limits))
        assert harness.store.used() >= 501
        await limiter.close()

    run(load)
    assert any(granted > 1 for _, _, granted in harness.store.takes)
    assert harness.store.used() == 501


def test_one_who_holds_permits_and_is_idle_leaves_them_to_others(harness: Harness) -> None:
    async def load() -> int:
        one, other, limits = harness.limiter(), harness.limiter(), Limits(requests_per_hour=2_000)
        for _ in range(300):
            one.leave(await admitted(one, limits))
        let_in = 300
        while let_in < 2_000:
            let_in += await ask_until_refused(other, limits)
        assert await ask_until_refused(one, limits) == 0
        return let_in

    assert run(load) == 2_000


def test_the_next_hour_lets_in_as_many_again(harness: Harness) -> None:
    async def load() -> tuple[int, int]:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=50)
        first = await ask_until_refused(limiter, limits)
        harness.now = HOUR_ENDS
        return first, await ask_until_refused(limiter, limits)

    assert run(load) == (50, 50)


def test_the_hour_counts_on_when_the_minute_is_over(harness: Harness) -> None:
    async def load() -> list[int]:
        limiter, limits, found = harness.limiter(), Limits(requests_per_hour=250, burst=100), []
        for _ in range(4):
            found.append(await ask_until_refused(limiter, limits))
            harness.now += timedelta(minutes=1)
        return found

    assert run(load) == [100, 100, 50, 0]


def test_permits_of_a_minute_that_is_over_are_not_lost_to_the_hour(harness: Harness) -> None:
    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=1_000_000, burst=100_000)
        for _ in range(300):
            limiter.leave(await admitted(limiter, limits))
        harness.now += timedelta(minutes=1)
        limiter.leave(await admitted(limiter, limits))
        await limiter.close()

    run(load)
    assert harness.store.used(seconds=3600) == 301
    assert harness.store.used(seconds=60) == 1


def test_what_a_window_says_is_what_is_left_of_the_hour(harness: Harness) -> None:
    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=3, burst=2)
        reset = int(HOUR_ENDS.timestamp())
        for left in (2, 1):
            found = headers(limiter, await admitted(limiter, limits))
            assert found == {"limit": 3, "remaining": left, "reset": reset, "window": 3600}
        with pytest.raises(TooMany) as caught:
            await admitted(limiter, limits)
        minute = int((NOON + timedelta(seconds=30)).timestamp())
        assert headers(limiter, caught.value.ticket) == {"limit": 2, "remaining": 0, "reset": minute, "window": 60}
        assert caught.value.retry_after == 30
        assert caught.value.details == {"limit": "burst", "maximum": 2, "reset_at": "2026-11-25T12:01:00Z"}

    run(load)


def test_the_window_that_lasts_longest_is_named_where_both_have_nothing_left(harness: Harness) -> None:
    async def load() -> TooMany:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=1, burst=1)
        await admitted(limiter, limits)
        with pytest.raises(TooMany) as caught:
            await admitted(limiter, limits)
        return caught.value

    refused = run(load)
    assert (refused.details["limit"], refused.retry_after) == ("requests_per_hour", 3570)


def test_too_many_at_once_are_refused_and_use_no_permit(harness: Harness) -> None:
    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=10, concurrency=2)
        tickets = [await admitted(limiter, limits) for _ in range(2)]
        with pytest.raises(TooMany) as caught:
            await admitted(limiter, limits)
        assert caught.value.details == {"limit": "concurrency", "maximum": 2}
        assert caught.value.retry_after == 1
        limiter.leave(caught.value.ticket)
        limiter.leave(tickets[0])
        limiter.leave(tickets[0])
        await admitted(limiter, limits)
        with pytest.raises(TooMany):
            await admitted(limiter, limits)
        await limiter.close()

    run(load)
    assert harness.store.used() == 3


def test_concurrency_alone_asks_no_store(harness: Harness) -> None:
    async def load() -> None:
        limiter, limits = harness.limiter(), Limits(concurrency=1)
        ticket = await admitted(limiter, limits)
        assert headers(limiter, ticket)["limit"] == NO_LIMIT
        with pytest.raises(TooMany):
            await admitted(limiter, limits)
        limiter.leave(ticket)
        assert headers(limiter, await admitted(limiter, limits))["remaining"] == NO_LIMIT

    run(load)
    assert harness.store.takes == []


def test_new_limits_hold_from_the_next_request_on(harness: Harness) -> None:
    async def load() -> list[int]:
        limiter = harness.limiter()
        found = [await ask_until_refused(limiter, Limits(requests_per_hour=10))]
        found.append(await ask_until_refused(limiter, Limits(requests_per_hour=25)))
        found.append(await ask_until_refused(limiter, Limits(requests_per_hour=25)))
        found.append(await ask_until_refused(limiter, PLANS["free"].limits))
        return found

    assert run(load) == [10, 15, 0, 20]


def test_limits_that_are_switched_off_let_everything_in(harness: Harness) -> None:
    async def load() -> None:
        limiter = harness.limiter(enabled=False, anonymous_per_hour=1)
        tickets = [await admitted(limiter, Limits(1, 1, 1)) for _ in range(30)]
        tickets += [limiter.admit_stranger("192.0.2.1") for _ in range(30)]
        assert (
            headers(limiter, tickets[-1])
            == headers(limiter, tickets[0])
            == {
                "limit": NO_LIMIT,
                "remaining": NO_LIMIT,
                "reset": int(HOUR_ENDS.timestamp()),
                "window": 3600,
            }
        )

    run(load)
    assert harness.store.takes == []


def test_without_a_store_requests_are_let_in_and_it_is_told(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    async def load() -> Limiter:
        harness.store.away = True
        limiter, limits = harness.limiter(), Limits(requests_per_hour=1)
        tickets = [await admitted(limiter, limits) for _ in range(50)]
        assert headers(limiter, tickets[-1])["limit"] == NO_LIMIT
        harness.now += timedelta(seconds=1)
        await admitted(limiter, limits)
        harness.store.away = False
        harness.now += timedelta(seconds=1)
        assert await ask_until_refused(limiter, limits) == 1
        return limiter

    with caplog.at_level(logging.WARNING):
        limiter = run(load)
    assert b'cost_ops_limit_takes_total{outcome="failed"} 2.0' in limiter._metrics.text()


def test_without_a_store_requests_are_refused_where_that_is_wanted(harness: Harness) -> None:
    async def load() -> None:
        harness.store.away = True
        limiter, limits = harness.limiter(when_unavailable="refuse"), Limits(requests_per_hour=1)
        with pytest.raises(Unavailable, match="requests cannot be counted now"):
            await admitted(limiter, limits)
        harness.store.away = False
        await admitted(limiter, limits)

    run(load)


def test_whoever_gives_up_waiting_takes_nothing_along(harness: Harness) -> None:
    harness.store.gate = threading.Event()

    async def load() -> int:
        limiter, limits = harness.limiter(), Limits(requests_per_hour=10, concurrency=10)
        waiting = [asyncio.create_task(limiter.admit_slow("org", limits)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in waiting[:4]:
            task.cancel()
        harness.store.gate.set()  # type: ignore[union-attr]
        await waiting[4]
        return 1 + await ask_until_refused(limiter, limits)

    assert run(load) == 10


def test_strangers_are_counted_by_address_and_hour(harness: Harness) -> None:
    limiter = harness.limiter(anonymous_per_hour=2)
    assert [headers(limiter, limiter.admit_stranger("192.0.2.1"))["remaining"] for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimited) as caught:
        limiter.admit_stranger("192.0.2.1")
    assert caught.value.details["limit"] == "anonymous_per_hour"
    assert caught.value.retry_after == 3570
    assert limiter.admit_stranger("192.0.2.2").remaining == 1
    assert limiter.admit_stranger(None).remaining == 1
    assert dict(limiter.stranger_pairs("192.0.2.1"))[b"x-ratelimit-remaining"] == b"0"
    harness.now = HOUR_ENDS
    assert limiter.admit_stranger("192.0.2.1").remaining == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix:", "other:", False),
    ],
)
def test_a_network_of_ipv6_is_one_client(harness: Harness, one: str, other: str, same: bool) -> None:
    limiter = harness.limiter(anonymous_per_hour=10)
    limiter.admit_stranger(one)
    assert limiter.admit_stranger(other).remaining == (8 if same else 9)


def test_whoever_fails_often_waits_ever_longer_and_others_do_not(harness: Harness) -> None:
    limiter = harness.limiter(anonymous_per_hour=10)
    waits = []
    for _ in range(10):
        limiter.admit_stranger("192.0.2.1")
        waits.append(limiter.patience("192.0.2.1"))
    assert waits[:5] == [0.0] * 5
    assert waits[5:] == sorted(waits[5:])
    assert (waits[5] > 0, waits[-1], limiter.patience("192.0.2.2")) == (True, LONGEST_WAIT_SECONDS, 0.0)
    assert harness.limiter(anonymous_per_hour=0).patience("192.0.2.1") == 0.0


def test_only_so_many_addresses_are_remembered(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cost_ops.api.strangers.MOST_ADDRESSES", 3)
    limiter = harness.limiter(anonymous_per_hour=10)
    left = Counter({name: limiter.admit_stranger(name).remaining for name in ("a", "b", "c", "a", "d")})
    assert left == {"a": 8, "b": 9, "c": 9, "d": 9}
    assert limiter.admit_stranger("a").remaining == 7
    assert limiter.admit_stranger("b").remaining == 9


def test_organisations_without_a_limit_are_told_so(harness: Harness) -> None:
    limiter = harness.limiter()
    assert limiter.unlimited_pairs() is limiter.unlimited_pairs()
    first = dict(limiter.unlimited_pairs())
    harness.now = HOUR_ENDS
    assert dict(limiter.unlimited_pairs())[b"x-ratelimit-reset"] == b"%d" % (int(first[b"x-ratelimit-reset"]) + 3600)
    assert run(lambda: admitted(limiter, UNLIMITED)).shown is None
