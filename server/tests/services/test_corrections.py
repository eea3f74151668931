"""Corrected usage: the old form is kept, the cost is worked out anew, and the sums move by the exact difference."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.repricing import CostedUsage, NewCost
from cost_ops.domain.usage import UsageRecord
from cost_ops.services import audit, corrections, costs, explain
from tests.services.conftest import Desk

SPAN = TimeRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def recorded(desk: Desk, **fields: Any) -> str:
    (answer,) = desk.record(desk.submission(**{"timestamp": "2026-02-10T00:00:00Z", "user_id": "u", **fields}))
    return str(answer.usage_id)


def put(desk: Desk, usage_id: str, reason: str = "miscounted", **fields: Any) -> corrections.CorrectedUsage:
    return corrections.correct(desk.ctx, desk.org, usage_id, fields, reason=reason)


def stored(desk: Desk, usage_id: str) -> UsageRecord:
    return explain.explain(desk.ctx, desk.org, usage_id).record


def total(desk: Desk, *group_by: str) -> list[tuple[Any, ...]]:
    """(group, cost, requests, input tokens, output tokens) by rollups, which are what the records add up to."""
    query = CostQuery(SPAN, group_by=group_by)
    found, truth = (
        costs.query(desk.ctx, desk.org, q) for q in (query, CostQuery(SPAN, group_by=group_by, from_records=True))
    )
    assert (found.totals, found.rows) == (truth.totals, truth.rows)
    with desk.application.storage.ledger(desk.org) as ledger:
        assert ledger.costs.rollup_differences() == []
    rows = found.rows if group_by else found.totals
    return [(*r.group, format_e10(r.cost_e10), r.requests, r.input_tokens, r.output_tokens) for r in rows]


def test_a_correction_replaces_counts_and_keeps_the_old_form(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    found = put(desk, usage_id, input_tokens=3000, cached_tokens=1000)
    assert (found.revision, found.changed) == (1, True)
    assert found.record == stored(desk, usage_id)
    assert found.record.quantities == {"input": 2000, "input_cache_read": 1000, "output": 500}
    assert total(desk) == [("0.045", 1, 3000, 500)]
    (earlier,) = corrections.revisions(desk.ctx, desk.org, usage_id)
    assert (earlier.version, earlier.actor, earlier.reason) == (1, "owner", "miscounted")
    assert earlier.record["quantities"] == {"input": 1000, "output": 500}
    assert earlier.record["cost_e10"] == 250_000_000
    versions = explain.explain(desk.ctx, desk.org, usage_id).versions
    assert [(v.version, format_e10(v.cost_e10 or 0), v.reason) for v in versions] == [
        (0, "0.025", "as it came"),
        (1, "0.045", "miscounted"),
    ]


def test_the_same_correction_again_changes_nothing(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    first = put(desk, usage_id, output_tokens=700, tags={"a": "b"}, project_id="p")
    again = put(desk, usage_id, output_tokens=700, tags={"a": "b"}, project_id="p")
    assert (again.revision, again.changed, again.record) == (1, False, first.record)
    assert len(corrections.revisions(desk.ctx, desk.org, usage_id)) == 1
    assert total(desk, "project") == [("p", "0.031", 1, 1000, 700)]


def test_what_is_not_given_stays_and_null_takes_away(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk, project_id="p", tags={"a": "b"}, metadata={"n": 1}, latency_ms=5, session_id="s")
    kept = put(desk, usage_id, team_id="t").record
    assert (kept.project_id, kept.user_id, kept.team_id, kept.tags, kept.metadata, kept.latency_ms) == (
        "p",
        "u",
        "t",
        {"a": "b"},
        {"n": 1},
        5,
    )
    gone = put(desk, usage_id, project_id=None, tags=None, metadata=None, latency_ms=None, input_tokens=None).record
    assert (gone.project_id, gone.tags, gone.metadata, gone.latency_ms) == (None, {}, {}, None)
    assert gone.quantities == kept.quantities
    assert total(desk, "tag:a") == [(None, "0.025", 1, 1000, 500)]


def test_a_correction_that_touches_no_count_keeps_the_cost_whatever_prices_are_now(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    desk.price(effective_from=FEBRUARY, input_price_per_1k="1", output_price_per_1k="1")
    assert format_e10(put(desk, usage_id, project_id="p").record.cost_e10 or 0) == "0.025"
    assert len(explain.explain(desk.ctx, desk.org, usage_id).versions) == 1
    assert format_e10(put(desk, usage_id, input_tokens=2000).record.cost_e10 or 0) == "2.5"
    assert total(desk) == [("2.5", 1, 2000, 500)]


def test_another_model_moves_the_record_to_that_model(desk: Desk) -> None:
    desk.price("m")
    desk.price("n", input_price_per_1k="1", output_price_per_1k="1")
    usage_id = recorded(desk)
    put(desk, usage_id, model_id="n")
    assert total(desk, "model") == [("n", "1.5", 1, 1000, 500)]
    put(desk, usage_id, model_id="nobody-knows")
    assert total(desk, "model") == [("nobody-knows", "0", 1, 1000, 500)]
    assert stored(desk, usage_id).status == "unpriced"
    put(desk, usage_id, model_id="m")
    assert total(desk, "model") == [("m", "0.025", 1, 1000, 500)]
    assert len(corrections.revisions(desk.ctx, desk.org, usage_id)) == 3


def test_a_reported_cost_stands_while_it_agrees(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk, reported_cost="0.0251")
    assert stored(desk, usage_id).status == "reported"
    assert put(desk, usage_id, input_tokens=5000).record.status == "computed"
    agreed = put(desk, usage_id, reported_cost="0.065").record
    assert (agreed.status, format_e10(agreed.cost_e10 or 0)) == ("reported", "0.065")
    assert put(desk, usage_id, reported_cost=None).record.status == "computed"
    assert total(desk) == [("0.065", 1, 5000, 500)]


def test_a_record_that_came_with_a_price_is_costed_by_it_again(desk: Desk) -> None:
    sent = {"input_price_per_1k": "0.001", "output_price_per_1k": "0"}
    usage_id = recorded(desk, model_id="nobody-knows", default_pricing=sent)
    found = put(desk, usage_id, input_tokens=5000).record
    assert (found.status, format_e10(found.cost_e10 or 0)) == ("estimated", "0.005")


def test_meters_that_plain_counts_do_not_name_stay(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk, input_tokens=1000, output_tokens=500, cache_write_1h_tokens=100, images=2)
    found = put(desk, usage_id, output_tokens=1)
    assert found.record.quantities == {"input": 900, "input_cache_write_1h": 100, "images": 2, "output": 1}


def test_contradictions_are_all_named_and_nothing_is_written(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    with pytest.raises(InvalidInput) as caught:
        put(
            desk,
            usage_id,
            cached_tokens=2000,
            timestamp="2026-02-11T00:00:00Z",
            idempotency_key="k",
            organization_id="x",
        )
    assert {(p.field, p.reason) for p in caught.value.problems} == {
        ("cached_tokens", "exceeds_total"),
        ("timestamp", "not_correctable"),
        ("idempotency_key", "not_correctable"),
        ("organization_id", "not_correctable"),
    }
    with pytest.raises(InvalidInput, match="reason is required"):
        put(desk, usage_id, reason=" ", input_tokens=1)
    with pytest.raises(InvalidInput, match="input_tokens"):
        put(desk, usage_id, input_tokens=-1)
    assert total(desk) == [("0.025", 1, 1000, 500)]
    assert corrections.revisions(desk.ctx, desk.org, usage_id) == []


def test_an_invoiced_record_refuses(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    usage = CostedUsage.of(stored(desk, usage_id))
    with desk.application.storage.ledger(desk.org) as ledger:
        invoiced = NewCost("invoiced", "USD", 300_000_000, usage.price_number)
        ledger.costs.supersede([(usage, invoiced)], reason="invoice 7", now=desk.now)
    with pytest.raises(Conflict, match="invoice"):
        put(desk, usage_id, input_tokens=1)
    assert total(desk) == [("0.03", 1, 1000, 500)]


def test_corrections_are_audited_without_the_values(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    put(desk, usage_id, user_id="someone@example.org", input_tokens=1)
    (event,) = audit.page(desk.ctx, desk.org, audit.AuditQuery("usage.corrected"))[0]
    assert (event.resource, event.actor) == (usage_id, "owner")
    assert event.detail is not None
    assert event.detail == {"revision": 1, "reason": "miscounted", "fields": ["quantities", "user_id"]}


def test_only_the_own_organisation_with_the_permission_corrects(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk)
    reader = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS) - {"usage:write"}))
    other = Desk(desk.application)
    for ctx, org, error in ((reader, desk.org, Forbidden), (other.ctx, other.org, NotFound)):
        with pytest.raises(error):
            corrections.correct(ctx, org, usage_id, {"input_tokens": 1}, reason="r")
    writer = desk.context(Principal(desk.org, "k", frozenset({"usage:write"})))
    assert corrections.correct(writer, None, usage_id, {"input_tokens": 1}, reason="r").changed


def test_usage_sent_again_under_its_key_stays_corrected(desk: Desk) -> None:
    desk.price()
    usage_id = recorded(desk, idempotency_key="k")
    put(desk, usage_id, input_tokens=2000)
    assert recorded(desk, idempotency_key="k") == usage_id
    assert total(desk) == [("0.035", 1, 2000, 500)]
