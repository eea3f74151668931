"""Recording: counted once, priced by the book that is committed, all or nothing where asked."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict, InvalidInput, NotFound
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import TimeRange
from cost_ops.services import costs, explain, history, usage
from tests.services.conftest import Desk


def total(desk: Desk) -> tuple[str, int, int]:
    """(cost, requests, unpriced) of the organisation, from rollups, after checking them against records."""
    span = TimeRange(desk.now - timedelta(days=400), desk.now + timedelta(days=1))
    report = costs.query(desk.ctx, desk.org, CostQuery(span))
    assert report.totals == costs.query(desk.ctx, desk.org, CostQuery(span, from_records=True)).totals
    rows = report.totals
    return (
        format_e10(sum(r.cost_e10 for r in rows)),
        sum(r.requests for r in rows),
        sum(r.unpriced_requests for r in rows),
    )


def test_a_record_is_priced_and_can_be_read_back(desk: Desk) -> None:
    desk.price()
    (answer,) = desk.record(desk.submission(user_id="ada", tags={"env": "prod"}, metadata={"a": [1]}, latency_ms=7))
    assert (format_e10(answer.cost_e10), answer.status, answer.currency) == ("0.025", "computed", "USD")
    found = explain.explain(desk.ctx, desk.org, answer.usage_id).record
    assert (found.user_id, found.tags, found.metadata, found.latency_ms) == ("ada", {"env": "prod"}, {"a": [1]}, 7)
    assert found.quantities == {"input": 1000, "output": 500}
    assert (found.timestamp, found.received_at) == (desk.now, desk.now)


def test_the_same_record_again_gives_the_first_answer_and_counts_once(desk: Desk) -> None:
    desk.price()
    one = desk.submission(idempotency_key="k1", cached_tokens=100)
    (first,) = desk.record(one)
    desk.now += timedelta(hours=1)
    again, twice = desk.record(
        desk.submission(idempotency_key="k1", cached_tokens=100),
        desk.submission(request_id="k1", cached_tokens=100),
    )
    assert again._replace(lines=()) == twice._replace(lines=()) == first._replace(replayed=True, lines=())
    assert {line.meter: line.amount_e10 for line in again.lines} == {
        line.meter: line.amount_e10 for line in first.lines
    }
    assert total(desk) == ("0.025", 1, 0)


def test_a_different_record_under_the_same_key_is_a_conflict(desk: Desk) -> None:
    desk.price()
    outcomes = desk.record(
        desk.submission(idempotency_key="k"),
        desk.submission(idempotency_key="k", input_tokens=1, output_tokens=1),
        desk.submission(idempotency_key="k", timestamp="2025-01-01T00:00:00Z"),
    )
    assert [type(o) for o in outcomes] == [usage.RecordedUsage, Conflict, Conflict]
    (later,) = desk.record(desk.submission(idempotency_key="k", user_id="other"))
    assert isinstance(later, Conflict)
    assert total(desk) == ("0.025", 1, 0)


def test_keys_of_two_organisations_do_not_meet(desk: Desk) -> None:
    other = Desk(desk.application)
    (mine,), (theirs,) = (
        d.record(d.submission(idempotency_key="same", input_tokens=n, output_tokens=0))
        for d, n in ((desk, 1), (other, 2))
    )
    assert not mine.replayed
    assert not theirs.replayed
    assert mine.usage_id != theirs.usage_id


def test_an_atomic_batch_with_one_conflict_leaves_nothing_and_frees_its_keys(desk: Desk) -> None:
    desk.record(desk.submission(idempotency_key="old"))
    fresh = desk.submission(idempotency_key="new")
    outcomes = desk.record(fresh, desk.submission(idempotency_key="old", user_id="x"), atomic=True)
    assert [type(o) for o in outcomes] == [Conflict, Conflict]
    (stored,) = desk.record(fresh)
    assert not stored.replayed
    assert total(desk)[1] == 2


def test_an_unknown_organisation_is_refused_but_created_for_the_owner(desk: Desk) -> None:
    stranger = desk.submission(organization_id="never-seen-before")
    limited = desk.context(Principal("never-seen-before", "k", frozenset(PERMISSIONS)))
    (refused,) = desk.record(stranger, ctx=limited)
    assert isinstance(refused, NotFound)
    (taken,) = desk.record(stranger)
    assert taken.organization_id == "never-seen-before"


def test_unknown_models_are_kept_unpriced_or_refused_in_strict_mode(desk: Desk) -> None:
    (kept,) = desk.record(desk.submission(model_id="gpt-none"))
    assert (kept.status, kept.cost_e10, kept.currency) == ("unpriced", None, None)
    with pytest.raises(NotFound, match="No pricing found for model: gpt-none"):
        desk.record(desk.submission(model_id="gpt-none"), ctx=desk.context(strict=True))
    assert total(desk) == ("0", 1, 1)


def test_a_default_price_sent_along_makes_an_estimate_that_can_be_explained(desk: Desk) -> None:
    default = {"input_price_per_1k": "0.01", "output_price_per_1k": "0.03"}
    answers = desk.record(*(desk.submission(model_id=f"odd-{i}", default_pricing=default) for i in range(2)))
    assert [(a.status, format_e10(a.cost_e10)) for a in answers] == [("estimated", "0.025")] * 2
    found = explain.explain(desk.ctx, desk.org, answers[0].usage_id)
    assert found.agrees
    assert found.price is not None
    assert found.price.layer == "default"
    assert found.price.number == explain.explain(desk.ctx, desk.org, answers[1].usage_id).record.price_id


def test_a_wildcard_price_of_the_organisation_is_a_default(desk: Desk) -> None:
    desk.price("*", "*", input_price_per_million="1", output_price_per_million="1")
    (answer,) = desk.record(desk.submission(model_id="whatever"))
    assert (answer.status, format_e10(answer.cost_e10)) == ("estimated", "0.0015")


@pytest.mark.parametrize(
    ("reported", "status", "amount"), [("0.0251", "reported", "0.0251"), ("0.05", "computed", "0.025")]
)
def test_a_reported_cost_is_taken_within_bounds_of_ours(desk: Desk, reported: str, status: str, amount: str) -> None:
    desk.price()
    (answer,) = desk.record(desk.submission(reported_cost=reported))
    assert (answer.status, format_e10(answer.cost_e10)) == (status, amount)


def test_a_reported_cost_stands_where_no_price_is_known(desk: Desk) -> None:
    (answer,) = desk.record(desk.submission(model_id="none", reported_cost="0.125", currency="EUR"))
    assert (answer.status, format_e10(answer.cost_e10), answer.currency) == ("reported", "0.125", "EUR")


def test_only_a_total_is_estimated(desk: Desk) -> None:
    desk.price()
    (answer,) = desk.record(desk.submission(total_tokens=100))
    assert (answer.status, format_e10(answer.cost_e10)) == ("estimated", "0.003")
    assert explain.explain(desk.ctx, desk.org, answer.usage_id).record.estimated


def test_a_price_added_between_pricing_and_commit_is_the_one_that_counts(desk: Desk) -> None:
    book = desk.application.books.current()
    stale = usage.price(desk.ctx, book, desk.submission())
    assert stale.status == "unpriced"
    desk.price()
    ((answer,),) = usage.record(desk.ctx, [usage.Batch([stale])])
    assert isinstance(answer, usage.RecordedUsage)
    assert answer.cost_e10 is not None
    assert (answer.status, format_e10(answer.cost_e10)) == ("computed", "0.025")


def test_an_absurd_amount_is_refused_by_name(desk: Desk) -> None:
    desk.price(input_price_per_million="1000000000000")
    with pytest.raises(InvalidInput, match="more than ten million"):
        desk.record(desk.submission(input_tokens=10**12, output_tokens=0))


def test_callers_racing_with_one_key_are_counted_once(desk: Desk) -> None:
    desk.price()
    answers: list[Any] = []
    start = threading.Barrier(4)

    def call() -> None:
        start.wait()
        answers.extend(desk.record(*(desk.submission(idempotency_key=f"r{i}") for i in range(20))))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 80
    assert sum(not a.replayed for a in answers) == 20
    assert len({a.usage_id for a in answers}) == 20
    assert total(desk) == ("0.5", 20, 0)


def test_pages_are_newest_first_and_meet_without_gap(desk: Desk) -> None:
    times = [f"2026-02-{day:02d}T00:00:00Z" for day in range(1, 8)]
    desk.record(*(desk.submission(timestamp=t, user_id=f"u{i % 2}") for i, t in enumerate(times)))
    first = history.page(desk.ctx, desk.org, history.HistoryQuery(page_size=3))
    rest = history.page(desk.ctx, desk.org, history.HistoryQuery(page_size=10, before=first.next_position))
    found = [r.timestamp for r in (*first.records, *rest.records)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 7
    assert rest.next_position is None
    second = history.page(desk.ctx, desk.org, history.HistoryQuery(page=2, page_size=3))
    assert [r.usage_id for r in second.records] == [r.usage_id for r in rest.records[:3]]
    streamed = list(history.stream(desk.ctx, desk.org, start_us=None, end_us=None))
    assert [parse_usage_id(r.usage_id) for r in streamed] == sorted(parse_usage_id(r.usage_id) for r in streamed)
    assert len(streamed) == 7


def test_another_organisations_record_is_not_found(desk: Desk) -> None:
    (answer,) = desk.record(desk.submission())
    other = Desk(desk.application)
    stranger = desk.context(Principal(other.org, "k", frozenset(PERMISSIONS)))
    with pytest.raises(NotFound):
        explain.explain(stranger, other.org, answer.usage_id)
    with pytest.raises(NotFound):
        explain.explain(stranger, desk.org, answer.usage_id)
