"""Costing usage again: what a dry run says is what a run does, once, and a run that dies can be taken up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery, Filter
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun, RunStatus
from cost_ops.services import audit, costs, explain, pricing, repricing
from tests.services.conftest import Desk

SPAN = TimeRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
ALL = RepriceRequest(SPAN)
DOUBLE: dict[str, Any] = {"input_price_per_1k": "0.02", "output_price_per_1k": "0.06"}
TIMES = ("2026-01-10T00:00:00Z", "2026-01-10T23:59:59.999999Z", "2026-02-10T00:00:00Z")


def run(desk: Desk, request: RepriceRequest = ALL) -> RepriceRun:
    return repricing.work(desk.ctx, repricing.start(desk.ctx, desk.org, request))


def total(desk: Desk) -> list[tuple[str, str, int]]:
    """(currency, cost, unpriced) by rollups, which are what the records add up to."""
    quick = costs.query(desk.ctx, desk.org, CostQuery(SPAN)).totals
    assert quick == costs.query(desk.ctx, desk.org, CostQuery(SPAN, from_records=True)).totals
    assert sound(desk)
    return [(t.currency, format_e10(t.cost_e10), t.unpriced_requests) for t in quick]


def sound(desk: Desk) -> bool:
    with desk.application.storage.ledger(desk.org) as ledger:
        return ledger.costs.rollup_differences() == []


def reprice_from_february(desk: Desk) -> None:
    """Three records at 0.025, of which the last would cost 0.05 by today's book."""
    desk.price()
    desk.record(*(desk.submission(timestamp=t, user_id="u", project_id="p", tags={"a": "b"}) for t in TIMES))
    desk.price(effective_from=FEBRUARY, **DOUBLE)


def test_a_dry_run_shows_the_difference_by_model_and_day_and_writes_nothing(desk: Desk) -> None:
    reprice_from_february(desk)
    found = repricing.dry_run(desk.ctx, desk.org, ALL)
    (row,) = found.rows
    assert (row.day, row.provider, row.model_id, row.currency) == (
        datetime(2026, 2, 10, tzinfo=UTC),
        "openai",
        "m",
        "USD",
    )
    assert [format_e10(a) for a in (row.before_e10, row.after_e10, row.difference_e10)] == ["0.025", "0.05", "0.025"]
    assert (found.tally.examined, found.tally.changed) == (3, 1)
    assert {c: format_e10(a) for c, a in found.tally.before_e10.items()} == {"USD": "0.075"}
    assert {c: format_e10(a) for c, a in found.tally.after_e10.items()} == {"USD": "0.1"}
    assert total(desk) == [("USD", "0.075", 0)]
    assert repricing.list_runs(desk.ctx, desk.org) == []


def test_a_run_does_what_the_dry_run_said_and_a_second_one_nothing(desk: Desk) -> None:
    reprice_from_february(desk)
    foreseen = repricing.dry_run(desk.ctx, desk.org, ALL)
    done = run(desk, RepriceRequest(SPAN, reason="the February list"))
    assert (done.status, done.tally) == (RunStatus.FINISHED, foreseen.tally)
    assert total(desk) == [("USD", "0.1", 0)]
    again = run(desk)
    assert (again.tally.examined, again.tally.changed) == (3, 0)
    assert repricing.dry_run(desk.ctx, desk.org, ALL).rows == []


def test_a_superseding_cost_names_its_run_and_its_reason(desk: Desk) -> None:
    reprice_from_february(desk)
    done = run(desk, RepriceRequest(SPAN, reason="the February list"))
    page = list_usage(desk)
    first, last = (explain.explain(desk.ctx, desk.org, usage_id).versions for usage_id in (page[-1], page[0]))
    assert [(v.version, v.reason, v.run) for v in first] == [(0, "as it came", None)]
    assert [(v.version, v.reason, v.run) for v in last] == [
        (0, "as it came", None),
        (1, "the February list", done.number),
    ]


def list_usage(desk: Desk) -> list[str]:
    with desk.application.storage.ledger(desk.org) as ledger:
        found = ledger.usage.page(start_us=None, end_us=None, filters=(), limit=100)
    return [record.usage_id for record in found]


def test_reported_costs_are_not_touched(desk: Desk) -> None:
    desk.price()
    desk.record(desk.submission(reported_cost="0.025"), desk.submission())
    desk.price(effective_from=FEBRUARY, **DOUBLE)
    done = run(desk)
    assert (done.tally.examined, done.tally.changed, done.tally.final) == (2, 1, 1)
    assert total(desk) == [("USD", "0.075", 0)]


def test_a_record_whose_price_is_gone_keeps_its_cost_unless_asked_otherwise(desk: Desk) -> None:
    price = desk.price(effective_from=FEBRUARY).price
    desk.record(desk.submission())
    pricing.end(desk.ctx, desk.org, price.price_id, at=FEBRUARY + timedelta(days=1))
    kept = run(desk)
    assert (kept.tally.changed, kept.tally.no_price) == (0, 1)
    assert total(desk) == [("USD", "0.025", 0)]
    taken = run(desk, RepriceRequest(SPAN, unprice=True))
    assert (taken.tally.changed, taken.tally.no_price) == (1, 0)
    assert total(desk) == [("", "0", 1)]
    assert run(desk, RepriceRequest(SPAN, unprice=True)).tally.changed == 0


def test_a_record_that_came_with_a_price_of_its_own_keeps_it(desk: Desk) -> None:
    sent = {"input_price_per_1k": "0.001", "output_price_per_1k": "0"}
    desk.record(desk.submission(model_id="nobody-knows", default_pricing=sent))
    assert run(desk, RepriceRequest(SPAN, unprice=True)).tally.changed == 0
    assert total(desk) == [("USD", "0.001", 0)]


def test_a_change_of_currency_moves_the_record_from_one_total_to_the_other(desk: Desk) -> None:
    desk.price()
    desk.record(desk.submission(user_id="u", tags={"a": "b"}), desk.submission(timestamp="2026-01-10T00:00:00Z"))
    desk.price(effective_from=FEBRUARY, currency="EUR", **DOUBLE)
    rows = repricing.dry_run(desk.ctx, desk.org, ALL).rows
    assert [(r.currency, r.records, format_e10(r.difference_e10)) for r in rows] == [
        ("EUR", 1, "0.05"),
        ("USD", 1, "-0.025"),
    ]
    done = run(desk)
    assert {c: format_e10(a) for c, a in done.tally.after_e10.items()} == {"EUR": "0.05", "USD": "0.025"}
    assert total(desk) == [("EUR", "0.05", 0), ("USD", "0.025", 0)]


def test_filters_and_the_window_limit_what_is_costed_again(desk: Desk) -> None:
    for model in ("m", "n"):
        desk.price(model, effective_from=datetime(2025, 1, 1, tzinfo=UTC))
        desk.record(*(desk.submission(model_id=model, timestamp=t, project_id=model) for t in TIMES))
        desk.price(model, effective_from=FEBRUARY, **DOUBLE)
    for request, examined, changed in (
        (RepriceRequest(SPAN, (Filter("model", "in", ("m",)),)), 3, 1),
        (RepriceRequest(SPAN, (Filter("project", "in", ("n", "o")),)), 3, 1),
        (RepriceRequest(SPAN, (Filter("status", "in", ("unpriced",)),)), 0, 0),
        (RepriceRequest(SPAN, (Filter("provider", "in", ("openai",)), Filter("status", "in", ("computed",)))), 6, 2),
        (RepriceRequest(TimeRange(SPAN.start, FEBRUARY)), 4, 0),
    ):
        tally = repricing.dry_run(desk.ctx, desk.org, request).tally
        assert (tally.examined, tally.changed) == (examined, changed), request


def test_a_run_that_stopped_is_taken_up_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "PAGE_SIZE", 2)
    desk.price()
    desk.record(*(desk.submission(timestamp=f"2026-02-10T00:00:0{n}Z") for n in range(7)))
    desk.price(effective_from=FEBRUARY, **DOUBLE)
    begun = repricing.start(desk.ctx, desk.org, ALL)
    stopped = repricing.work(desk.ctx, begun, lambda run: run.tally.examined < 4)
    assert (stopped.status, stopped.tally.examined, stopped.tally.changed) == (RunStatus.STOPPED, 4, 4)
    assert total(desk) == [("USD", "0.275", 0)]
    resumed = repricing.resume(desk.ctx, desk.org, begun.number)
    done = repricing.work(desk.ctx, resumed)
    assert (done.number, done.status, done.tally.examined, done.tally.changed) == (
        begun.number,
        RunStatus.FINISHED,
        7,
        7,
    )
    assert total(desk) == [("USD", "0.35", 0)]
    assert repricing.resume(desk.ctx, None, begun.number) == done
    assert repricing.work(desk.ctx, done) == done


def test_a_second_run_is_refused_while_the_first_is_alive(desk: Desk) -> None:
    reprice_from_february(desk)
    first = repricing.start(desk.ctx, desk.org, ALL)
    with pytest.raises(Conflict, match=f"run {first.number} is at work"):
        repricing.start(desk.ctx, desk.org, ALL)
    desk.now += timedelta(seconds=61)
    second = repricing.work(desk.ctx, repricing.start(desk.ctx, desk.org, ALL))
    assert (second.status, second.tally.changed) == (RunStatus.FINISHED, 1)
    assert repricing.get(desk.ctx, desk.org, first.number).status is RunStatus.STOPPED
    with pytest.raises(Conflict, match="taken over"):
        repricing.work(desk.ctx, first)


def test_whoever_resumes_a_run_takes_it_over(desk: Desk) -> None:
    reprice_from_february(desk)
    first = repricing.start(desk.ctx, desk.org, ALL)
    second = repricing.resume(desk.ctx, desk.org, first.number)
    with pytest.raises(Conflict, match="taken over"):
        repricing.work(desk.ctx, first)
    assert repricing.work(desk.ctx, second).tally.changed == 1
    assert total(desk) == [("USD", "0.1", 0)]


def test_start_and_end_are_audited_with_the_sums(desk: Desk) -> None:
    reprice_from_february(desk)
    done = run(desk)
    events, count = audit.page(desk.ctx, desk.org, audit.AuditQuery())
    mine = [e for e in events if e.resource == f"reprice-run-{done.number}"]
    assert [e.action for e in mine] == ["costs.repriced", "costs.reprice_started"]
    assert count >= 2
    detail = mine[0].detail or {}
    assert (detail["before"], detail["after"], detail["changed"]) == ({"USD": "0.075"}, {"USD": "0.1"}, 1)
    assert {e.actor for e in mine} == {"owner"}


def test_costs_are_repriced_only_with_the_permission_and_for_the_own_organisation(desk: Desk) -> None:
    reader = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS) - {"pricing:write"}))
    other = desk.context(Principal("other", "k", frozenset(PERMISSIONS)))
    number = repricing.start(desk.ctx, desk.org, ALL).number
    for call in (repricing.dry_run, repricing.start):
        with pytest.raises(Forbidden):
            call(reader, desk.org, ALL)
        with pytest.raises(NotFound):
            call(other, desk.org, ALL)
    with pytest.raises(InvalidInput, match="organization_id"):
        repricing.start(desk.ctx, None, ALL)
    with pytest.raises(NotFound):
        repricing.get(desk.ctx, Desk(desk.application).org, number)


def test_a_price_for_another_meter_reaches_old_records(desk: Desk) -> None:
    desk.price()
    desk.record(desk.submission(images=3, input_tokens=1000, output_tokens=500))
    assert total(desk) == [("", "0", 1)]
    rates = rates_from_fields({"rates": [{"meter": m, "price": "1", "per": 1} for m in ("input", "output", "images")]})
    pricing.add(desk.ctx, desk.org, pricing.NewPrice("openai", "m", rates, effective_from=FEBRUARY))
    assert total(desk) == [("USD", "1503", 0)]
