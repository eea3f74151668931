"""The promise of the rollups: an answer from them equals the answer from records, in any zone, whatever is asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.bootstrap import Application
from cost_ops.domain.costs import CostQuery, Filter, Having
from cost_ops.domain.errors import InvalidInput, NotFound
from cost_ops.domain.periods import TimeRange
from cost_ops.services import costs
from tests.services.conftest import Desk

START = datetime(2025, 12, 20, tzinfo=UTC)
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati"]
GROUPINGS = [
    (),
    ("provider", "model"),
    ("project",),
    ("user",),
    ("team",),
    ("tag:env",),
    ("tag:env", "model"),
    ("tag:env", "status"),
    ("user", "model"),
    ("day",),
    ("hour", "model"),
    ("week", "project"),
    ("month", "day", "user"),
    ("month", "tag:env"),
    ("currency", "status"),
    ("api_key", "session"),
]
FILTERS = [
    (),
    (Filter("model", "in", ("m", "eur")),),
    (Filter("provider", "ne", ("openai",)),),
    (Filter("user", "starts_with", ("u",)), Filter("status", "eq", ("computed",))),
    (Filter("project", "not_in", ("p1",)),),
    (Filter("tag:env", "eq", ("prod",)),),
    (Filter("tag:env", "ne", ("prod",)),),
    (Filter("model", "contains", ("UR",)), Filter("team", "eq", ("t1",))),
]
records = st.fixed_dictionaries(
    {
        "minutes": st.integers(0, 60 * 24 * 80),
        "model_id": st.sampled_from(["m", "eur", "unknown"]),
        "provider": st.sampled_from(["openai", "anthropic"]),
        "input_tokens": st.integers(1, 10_000),
        "output_tokens": st.integers(0, 10_000),
        "cached_tokens": st.just(1),
    },
    optional={
        "project_id": st.sampled_from(["p1", "p2"]),
        "user_id": st.sampled_from(["u1", "u2", "v"]),
        "team_id": st.sampled_from(["t1", "t2"]),
        "tags": st.sampled_from([{"env": "prod"}, {"env": "dev", "x": "1"}, {"x": "1"}]),
    },
)


def filled(application: Application, found: list[dict[str, Any]]) -> Desk:
    desk = Desk(application)
    desk.price("m")
    desk.price("eur", currency="EUR", input_price_per_million="2", output_price_per_million="8")
    batch = []
    for fields in found:
        at = START + timedelta(minutes=fields["minutes"])
        rest = {k: v for k, v in fields.items() if k != "minutes"}
        batch.append(desk.submission(timestamp=at.isoformat(), **rest))
    for start in range(0, len(batch), 5):
        desk.record(*batch[start : start + 5])
    return desk


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(records, min_size=1, max_size=15),
    st.integers(0, 60 * 24 * 30),
    st.integers(1, 60 * 24 * 60),
    st.sampled_from(ZONES),
    st.sampled_from(FILTERS),
)
def test_rollups_equal_records_in_every_zone_and_grouping(
    application: Application, found: list[dict[str, Any]], begin: int, length: int, zone: str, filters: Any
) -> None:
    desk = filled(application, found)
    span = TimeRange(START + timedelta(minutes=begin), START + timedelta(minutes=begin + length))
    for group_by in GROUPINGS:
        if "hour" in group_by and length > 60 * 24 * 20:
            continue
        query = CostQuery(span, zone=ZoneInfo(zone), group_by=group_by, filters=filters)
        quick = costs.query(desk.ctx, desk.org, query)
        truth = costs.query(desk.ctx, desk.org, replace(query, from_records=True))
        assert quick.rows == truth.rows, (group_by, quick.sources)
        assert quick.totals == truth.totals
    with application.storage.ledger(desk.org) as ledger:
        assert ledger.costs.rollup_differences() == []


@pytest.fixture
def small(application: Application) -> Desk:
    rows: list[dict[str, Any]] = [
        {"minutes": i * 600, "model_id": "m", "provider": "openai", "input_tokens": 1000, "output_tokens": 500 * i}
        for i in range(6)
    ]
    rows[0]["user_id"] = "u1"
    rows[1] |= {"user_id": "u2", "model_id": "unknown"}
    return filled(application, rows)


SPAN = TimeRange(START, START + timedelta(days=10))


def test_money_of_unpriced_usage_is_in_no_sum_but_its_count_is_shown(small: Desk) -> None:
    report = costs.query(small.ctx, small.org, CostQuery(SPAN, group_by=("provider",)))
    assert [(r.group, r.currency, r.requests, r.unpriced_requests) for r in report.rows] == [(("openai",), "USD", 6, 1)]


def test_currencies_are_never_added(application: Application) -> None:
    common = {"minutes": 5, "provider": "openai", "input_tokens": 1_000_000, "output_tokens": 0}
    desk = filled(application, [{**common, "model_id": "m"}, {**common, "model_id": "eur"}])
    report = costs.query(desk.ctx, desk.org, CostQuery(SPAN))
    assert sorted((t.currency, t.cost_e10 // 10**10) for t in report.totals) == [("EUR", 2), ("USD", 10)]


def test_rows_can_be_bounded_ordered_and_limited(small: Desk) -> None:
    query = CostQuery(
        SPAN, group_by=("day",), having=(Having("requests", "gte", 2),), order_by="output_tokens", limit=1
    )
    report = costs.query(small.ctx, small.org, query)
    assert report.row_count > 1
    assert len(report.rows) == 1
    assert report.rows[0].output_tokens == max(
        r.output_tokens for r in costs.query(small.ctx, small.org, replace(query, limit=None)).rows
    )


def test_all_organisations_together_are_the_sum_of_each(application: Application) -> None:
    desks = [Desk(application) for _ in range(2)]
    for desk in desks:
        desk.record(desk.submission(timestamp="2025-12-21T00:00:00Z"))
    before = sum(t.requests for d in desks for t in costs.query(d.ctx, d.org, CostQuery(SPAN)).totals)
    everyone = sum(t.requests for t in costs.query(desks[0].ctx, None, CostQuery(SPAN)).totals)
    assert before == 2
    assert everyone >= before


def test_too_many_buckets_are_refused_before_anything_is_read(small: Desk) -> None:
    decade = TimeRange(START - timedelta(days=3650), START)
    with pytest.raises(InvalidInput, match="coarser"):
        costs.query(small.ctx, small.org, CostQuery(decade, group_by=("hour",)))


def test_an_unknown_organisation_is_not_found(small: Desk) -> None:
    with pytest.raises(NotFound):
        costs.query(small.ctx, "no-such-org", CostQuery(SPAN))
