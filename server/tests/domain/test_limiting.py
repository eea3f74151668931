"""Windows, shares and plans."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.limiting import Count, Window, current, exhausted, share, take, windows_of
from cost_ops.domain.plans import DEFAULT_QUOTA, FEATURE_OF, PLANS, UNLIMITED, Limits, Quota, changed_quota, plan_with

MINUTE = Window("burst", 60, 20)


@pytest.mark.parametrize(
    ("plan", "per_hour", "features"),
    [
        ("free", 100, set()),
        ("developer", 1_000, {"exports"}),
        ("professional", 10_000, {"exports", "forecasting", "reports", "rbac"}),
        ("enterprise", None, {"exports", "forecasting", "reports", "rbac", "sso"}),
    ],
)
def test_plans_are_those_of_the_faq(plan: str, per_hour: int | None, features: set[str]) -> None:
    assert PLANS[plan].limits.requests_per_hour == per_hour
    assert PLANS[plan].features == features


def test_a_larger_plan_has_all_that_a_smaller_one_has() -> None:
    plans = list(PLANS.values())
    for smaller, larger in itertools.pairwise(plans):
        assert smaller.features <= larger.features
        for name in Limits.__dataclass_fields__:
            least, most = getattr(smaller.limits, name), getattr(larger.limits, name)
            assert most is None or (least is not None and least <= most)


def test_a_self_hosted_installation_has_no_limit_and_every_feature() -> None:
    assert DEFAULT_QUOTA.limits.unlimited
    assert all(DEFAULT_QUOTA.has(feature) for feature in FEATURE_OF.values())


@pytest.mark.parametrize(
    ("feature", "plan"), [("exports", "developer"), ("forecasting", "professional"), ("sso", "enterprise")]
)
def test_the_smallest_plan_with_a_feature_is_named(feature: str, plan: str) -> None:
    assert plan_with(feature) == plan


def test_limits_of_an_organisation_go_before_those_of_its_plan() -> None:
    quota = changed_quota(DEFAULT_QUOTA, "developer", {"requests_per_hour": 5_000, "burst": None})
    assert quota == Quota("developer", Limits(5_000, None, 20))
    assert quota.limits.requests_per_hour == 5_000
    assert changed_quota(quota, "free", None).limits.requests_per_hour == 5_000
    assert changed_quota(quota, None, {"concurrency": 1}).own == Limits(5_000, None, 1)
    assert changed_quota(quota, None, None, clear=True) == Quota("developer")
    assert changed_quota(quota, None, {}) == quota
    assert changed_quota(DEFAULT_QUOTA, None, {}) == DEFAULT_QUOTA


@pytest.mark.parametrize("value", [0, -1, 2**31, True, "5", 1.5, [1]])
def test_an_impossible_limit_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        changed_quota(DEFAULT_QUOTA, "gold", {"burst": value, "per_day": 3, "concurrency": 1})
    found = [(p.field, p.reason) for p in caught.value.problems]
    assert found == [("plan", "unknown_plan"), ("limits.burst", "out_of_range"), ("limits.per_day", "unknown_field")]


def test_limits_become_windows_the_longest_first() -> None:
    assert windows_of(Limits(100, 20, 5)) == (Window("requests_per_hour", 3600, 100), MINUTE)
    assert windows_of(Limits(None, 20)) == (MINUTE,)
    assert windows_of(UNLIMITED) == windows_of(Limits(concurrency=3)) == ()


@pytest.mark.parametrize(
    ("left", "needed", "ahead", "given"),
    [
        (1000, 1, 0, 1),
        (1000, 5, 100, 62),
        (1000, 100, 5, 100),
        (1000, 2, 8, 10),
        (31, 1, 50, 1),
        (32, 1, 50, 2),
        (15, 0, 50, 0),
        (5, 9, 9, 5),
        (0, 1, 1, 0),
        (-3, 1, 1, 0),
    ],
)
def test_what_is_taken_ahead_is_a_small_part_of_what_is_left(left: int, needed: int, ahead: int, given: int) -> None:
    assert share(left, needed, ahead) == given


@pytest.mark.parametrize(
    ("stored", "at", "found"),
    [
        (None, 119, Count(60, 0)),
        (Count(60, 7), 60, Count(60, 7)),
        (Count(60, 7), 119, Count(60, 7)),
        (Count(60, 7), 120, Count(120, 0)),
        (Count(120, 7), 119, Count(120, 7)),
        (Count(180, 7), 119, Count(60, 0)),
    ],
)
def test_a_count_is_that_of_the_stretch_that_runs(stored: Count | None, at: int, found: Count) -> None:
    assert current(MINUTE, stored, at) == found


def test_of_full_windows_the_one_that_lasts_longest_is_told() -> None:
    hour = Window("requests_per_hour", 3600, 100)
    assert exhausted([hour, MINUTE], [Count(0, 100), Count(60, 20)]) == (hour, Count(0, 100))
    assert exhausted([hour, MINUTE], [Count(0, 99), Count(60, 20)]) == (MINUTE, Count(60, 20))
    assert exhausted([hour, MINUTE], [Count(0, 99), Count(60, 19)]) is None


asked = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 400), st.integers(0, 30)), max_size=60)


@given(st.integers(1, 500), st.integers(1, 60), asked)
def test_no_window_ever_gives_more_than_its_limit(per_hour: int, burst: int, asked: list[tuple[int, int, int]]) -> None:
    windows = windows_of(Limits(per_hour, burst))
    stored: dict[int, Count] = {}
    given_out: dict[tuple[int, int], int] = {}
    at = 0
    for needed, ahead, later in asked:
        at += later
        taken = take(windows, stored, needed, ahead, at)
        stored = {window.seconds: count for window, count in zip(windows, taken.counts, strict=True)}
        for window, count in zip(windows, taken.counts, strict=True):
            key = (window.seconds, count.started)
            given_out[key] = given_out.get(key, 0) + taken.granted
            assert given_out[key] == count.used <= window.limit
        if needed and all(count.used < window.limit for window, count in zip(windows, taken.counts, strict=True)):
            assert taken.granted >= needed
