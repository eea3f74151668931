"""Counting permits: one suite for both databases and Redis."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput, Unavailable
from cost_ops.domain.limiting import Count, Window, take
from cost_ops.interfaces.limits import PermitStore
from cost_ops.storage import open_redis_permits, open_storage
from tests.redis_server import RedisServer, running_redis

HOUR = Window("requests_per_hour", 3600, 100)
MINUTE = Window("burst", 60, 30)
AT = 1_800_000_000 - 1_800_000_000 % 3600
"""The beginning of an hour."""


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[PermitStore]:
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        permits = open_redis_permits(redis.url)
        request.getfixturevalue("clean_redis")
        yield permits
        permits.close()
        return
    storage = open_storage(request.getfixturevalue(f"{request.param}_database"), pool_size=2)
    yield storage.permit_store()
    storage.close()


@pytest.fixture
def clean_redis(redis_server: RedisServer) -> None:
    from redis import Redis

    with Redis.from_url(redis_server.url) as client:
        client.flushall()


def test_what_is_left_is_given_and_not_more(store: PermitStore) -> None:
    assert store.take("org", [HOUR], needed=90, ahead=0, at=AT) == (90, (Count(AT, 90),))
    assert store.take("org", [HOUR], needed=90, ahead=0, at=AT + 5) == (10, (Count(AT, 100),))
    assert store.take("org", [HOUR], needed=1, ahead=50, at=AT + 3599) == (0, (Count(AT, 100),))
    assert store.counts("org", [HOUR], AT + 3599) == (Count(AT, 100),)


def test_the_next_hour_begins_anew(store: PermitStore) -> None:
    store.take("org", [HOUR], needed=100, ahead=0, at=AT)
    assert store.counts("org", [HOUR], AT + 3600) == (Count(AT + 3600, 0),)
    assert store.take("org", [HOUR], needed=1, ahead=0, at=AT + 3600) == (1, (Count(AT + 3600, 1),))


def test_all_windows_must_have_something_left(store: PermitStore) -> None:
    windows = [HOUR, MINUTE]
    assert store.take("org", windows, needed=50, ahead=0, at=AT).granted == 30
    assert store.take("org", windows, needed=50, ahead=0, at=AT + 60) == (30, (Count(AT, 60), Count(AT + 60, 30)))
    assert store.take("org", windows, needed=50, ahead=0, at=AT + 120).granted == 30
    assert store.take("org", windows, needed=50, ahead=0, at=AT + 180) == (10, (Count(AT, 100), Count(AT + 180, 10)))


def test_holders_do_not_share(store: PermitStore) -> None:
    store.take("a", [HOUR], needed=100, ahead=0, at=AT)
    assert store.take("a:b", [HOUR], needed=1, ahead=0, at=AT).granted == 1
    assert store.counts("unknown", [HOUR], AT) == (Count(AT, 0),)


def test_what_comes_back_can_be_taken_again(store: PermitStore) -> None:
    windows = [HOUR, MINUTE]
    store.take("org", windows, needed=30, ahead=0, at=AT)
    store.give_back("org", [(3600, AT), (60, AT)], 7)
    assert store.counts("org", windows, AT) == (Count(AT, 23), Count(AT, 23))


def test_what_comes_back_late_counts_only_where_its_stretch_still_runs(store: PermitStore) -> None:
    windows = [HOUR, MINUTE]
    store.take("org", windows, needed=30, ahead=0, at=AT)
    store.take("org", windows, needed=5, ahead=0, at=AT + 60)
    store.give_back("org", [(3600, AT), (60, AT)], 7)
    assert store.counts("org", windows, AT + 60) == (Count(AT, 28), Count(AT + 60, 5))
    store.give_back("org", [(3600, AT)], 500)
    store.give_back("nobody", [(3600, AT)], 5)
    assert store.counts("org", windows, AT + 60)[0] == Count(AT, 0)


def test_a_clock_that_is_a_little_behind_does_not_begin_the_last_stretch_again(store: PermitStore) -> None:
    store.take("org", [MINUTE], needed=30, ahead=0, at=AT + 60)
    assert store.take("org", [MINUTE], needed=1, ahead=0, at=AT + 59) == (0, (Count(AT + 60, 30),))


def test_a_clock_that_was_far_ahead_is_forgotten(store: PermitStore) -> None:
    store.take("org", [MINUTE], needed=30, ahead=0, at=AT + 86_400)
    assert store.take("org", [MINUTE], needed=1, ahead=0, at=AT) == (1, (Count(AT, 1),))


def test_a_limit_that_was_lowered_below_what_was_used_gives_nothing(store: PermitStore) -> None:
    store.take("org", [HOUR], needed=90, ahead=0, at=AT)
    assert store.take("org", [Window("requests_per_hour", 3600, 50)], needed=3, ahead=3, at=AT).granted == 0


def test_however_many_take_at_once_exactly_the_limit_is_given(store: PermitStore) -> None:
    window, granted, begin = Window("requests_per_hour", 3600, 501), [], threading.Barrier(8)

    def take_until_nothing_is_left() -> int:
        begin.wait(30)
        total = 0
        while got := store.take("org", [window, Window("burst", 60, 1000)], needed=1, ahead=9, at=AT).granted:
            total += got
        return total

    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda _: take_until_nothing_is_left(), range(8)))
    assert sum(granted) == 501
    assert store.counts("org", [window], AT) == (Count(AT, 501),)


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "redis"])
def test_a_check_says_what_it_is(engine: str, request: pytest.FixtureRequest, redis_server: RedisServer) -> None:
    if engine == "redis":
        assert open_redis_permits(redis_server.url).check().startswith("Redis ")
        return
    storage = open_storage(request.getfixturevalue(f"{engine}_database"), pool_size=2)
    assert storage.permit_store().check().startswith("the database (")
    storage.close()


numbers = st.integers(0, 200)
steps = st.lists(
    st.tuples(numbers, numbers, st.integers(-10, 200), st.sampled_from([1, 7, 100])), min_size=1, max_size=12
)


@given(steps)
def test_redis_reckons_as_the_domain_does(redis_server: RedisServer, steps: list[tuple[int, int, int, int]]) -> None:
    permits, holder, at = open_redis_permits(redis_server.url), "org", AT
    stored: dict[int, Count] = {}
    from redis import Redis

    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    for needed, ahead, later, limit in steps:
        at += later
        windows = [Window("requests_per_hour", 3600, 10 * limit), Window("burst", 60, limit)]
        expected = take(windows, stored, needed, ahead, at)
        assert permits.take(holder, windows, needed=needed, ahead=ahead, at=at) == expected
        stored = {window.seconds: count for window, count in zip(windows, expected.counts, strict=True)}
    permits.close()


def test_a_redis_that_went_away_is_told_and_found_again_when_it_is_back() -> None:
    with running_redis() as server:
        permits = open_redis_permits(server.url)
        assert permits.take("org", [HOUR], needed=1, ahead=0, at=AT).granted == 1
        server.stop()
        with pytest.raises(Unavailable, match=r"cannot count requests: Redis at unix://.* does not work"):
            permits.take("org", [HOUR], needed=1, ahead=0, at=AT)
        server.start()
        assert permits.take("org", [HOUR], needed=1, ahead=0, at=AT) == (1, (Count(AT, 1),))
        permits.close()


def test_keys_in_redis_end_by_themselves(redis_server: RedisServer, clean_redis: None) -> None:
    from redis import Redis

    permits = open_redis_permits(redis_server.url)
    permits.take("org", [HOUR, MINUTE], needed=1, ahead=0, at=AT)
    with Redis.from_url(redis_server.url) as client:
        assert list(client.scan_iter()) == [b"cost-ops:limits:org"]
        assert 7100 < client.ttl("cost-ops:limits:org") <= 7200
    permits.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port/0", "redis://h/x?db=y"])
def test_an_impossible_url_of_redis_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"limits.redis_url must be like redis://") as caught:
        open_redis_permits(url)
    assert caught.value.problems[0].field == "limits.redis_url"


def test_without_the_client_for_redis_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cost_ops.storage.redis_limits", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(InvalidInput, match=r"pip install 'cost-ops-server\[redis\]'"):
        open_redis_permits("redis://localhost")


def test_a_password_is_not_told() -> None:
    permits = open_redis_permits("redis://me:hidden@127.0.0.1:1/0?password=hidden")
    with pytest.raises(Unavailable) as caught:
        permits.check()
    assert "hidden" not in caught.value.message
    assert "redis://127.0.0.1:1/0" in caught.value.message
