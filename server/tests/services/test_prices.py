"""Prices over time, who may change them, and usage that waited for one."""

from datetime import UTC, datetime, timedelta

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.prices import Layer, rates_from_fields
from cost_ops.services import costs, pricing
from tests.services.conftest import Desk

CHEAP = rates_from_fields({"input_price_per_1k": "0.005", "output_price_per_1k": "0.015"})
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)


def test_a_first_price_covers_the_past_and_a_dated_one_ends_it(desk: Desk) -> None:
    first = desk.price()
    second = desk.price(effective_from=FEBRUARY, input_price_per_1k="0.005", output_price_per_1k="0.015")
    assert second.ended is not None
    assert second.ended.number == first.price.number
    before, at = desk.record(
        desk.submission(timestamp="2025-01-31T23:59:59.999999Z"), desk.submission(timestamp="2025-02-01T00:00:00Z")
    )
    assert [format_e10(a.cost_e10) for a in (before, at)] == ["0.025", "0.0125"]
    stored = pricing.get(desk.ctx, desk.org, first.price.price_id)
    assert (stored.effective_from, stored.effective_to) == (None, FEBRUARY)


def test_a_second_price_from_the_same_instant_is_a_conflict(desk: Desk) -> None:
    desk.price(effective_from=FEBRUARY)
    with pytest.raises(Conflict, match="2025-02-01"):
        desk.price(effective_from=FEBRUARY)


def test_adding_a_price_prices_what_waited_within_its_validity(desk: Desk) -> None:
    times = ["2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z", "2026-03-01T00:00:00Z"]
    desk.record(*(desk.submission(timestamp=t, user_id="u", project_id="p", tags={"a": "b"}) for t in times))
    ((org, waiting),) = pricing.unpriced(desk.ctx, desk.org)
    assert (org, waiting.requests, waiting.first_seen.year, waiting.last_seen.year) == (desk.org, 3, 2025, 2026)
    assert desk.price(effective_from=FEBRUARY).priced_records == 2
    span = TimeRange(datetime(2024, 1, 1, tzinfo=UTC), desk.now)
    for group_by in ((), ("user",), ("project",), ("tag:a",), ("month", "model")):
        quick = costs.query(desk.ctx, desk.org, CostQuery(span, group_by=group_by))
        truth = costs.query(desk.ctx, desk.org, CostQuery(span, group_by=group_by, from_records=True))
        assert (quick.rows, quick.totals) == (truth.rows, truth.totals)
        assert [(format_e10(t.cost_e10), t.requests, t.unpriced_requests) for t in quick.totals] == [("0.05", 3, 1)]
    assert pricing.price_waiting(desk.ctx, desk.org) == 0


def test_a_sync_like_installation_price_serves_every_organisation_without_its_own(desk: Desk) -> None:
    model = f"shared-{desk.org}"
    desk.price(model, own=False)
    other = Desk(desk.application)
    other.price(model, input_price_per_1k="1", output_price_per_1k="0")
    answers = [d.record(d.submission(model_id=model))[0] for d in (desk, other)]
    assert [format_e10(a.cost_e10) for a in answers] == ["0.025", "1"]
    with pytest.raises(NotFound):
        pricing.get(desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS))), desk.org, "price-999999")


def test_an_organisations_key_sees_but_cannot_change_the_installations_prices(desk: Desk) -> None:
    shared = desk.price(f"shared-{desk.org}", own=False).price
    member = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    assert pricing.get(member, desk.org, shared.price_id).layer is Layer.INSTALLATION
    with pytest.raises(Forbidden):
        pricing.end(member, desk.org, shared.price_id)
    with pytest.raises(Forbidden):
        pricing.revise(member, desk.org, shared.price_id, pricing.NewPrice("", "", CHEAP))
    other = Desk(desk.application).price().price
    with pytest.raises(NotFound):
        pricing.get(member, desk.org, other.price_id)
    with pytest.raises(Forbidden) as caught:
        pricing.add(
            desk.context(Principal(desk.org, "k", frozenset({"usage:write"}))),
            desk.org,
            pricing.NewPrice("a", "b", CHEAP),
        )
    assert caught.value.details == {"required_permission": "pricing:write"}


def test_a_revision_is_a_new_version_and_ending_leaves_history_alone(desk: Desk) -> None:
    first = desk.price().price
    (old,) = desk.record(desk.submission())
    desk.now += timedelta(hours=1)
    new = pricing.revise(desk.ctx, desk.org, first.price_id, pricing.NewPrice("", "", CHEAP, currency="")).price
    assert (new.effective_from, new.number != first.number) == (desk.now, True)
    (now,) = desk.record(desk.submission())
    assert [format_e10(a.cost_e10) for a in (old, now)] == ["0.025", "0.0125"]
    desk.now += timedelta(hours=1)
    assert pricing.end(desk.ctx, desk.org, new.price_id).effective_to == desk.now
    (ended,) = desk.record(desk.submission())
    assert ended.status == "unpriced"
    with pytest.raises(InvalidInput, match="after"):
        pricing.end(desk.ctx, desk.org, new.price_id, at=FEBRUARY)


def test_lists_are_filtered_and_paged(desk: Desk) -> None:
    for model in ("a", "b", "c"):
        desk.price(model)
    query = pricing.PriceQuery(provider="openai", layer=Layer.ORGANIZATION, page_size=2)
    page, total = pricing.list_prices(desk.ctx, desk.org, query)
    assert ([p.model_id for p in page], total) == (["a", "b"], 3)
    one, _ = pricing.list_prices(desk.ctx, desk.org, pricing.PriceQuery(model_id="c", layer=Layer.ORGANIZATION))
    assert [p.model_id for p in one] == ["c"]


def test_the_effective_price_is_found_or_said_to_be_missing(desk: Desk) -> None:
    desk.price(effective_from=FEBRUARY)
    found = pricing.effective(desk.ctx, desk.org, provider="openai", model_id="m", at=desk.now)
    assert found.found_by == "exact id"
    with pytest.raises(NotFound, match="No pricing found for model: m"):
        pricing.effective(desk.ctx, desk.org, provider="openai", model_id="m", at=FEBRUARY - timedelta(days=1))


def test_the_owner_changes_a_shared_price_whichever_organisation_is_named(desk: Desk) -> None:
    model = f"shared-{desk.org}"
    shared = desk.price(model, own=False).price.price_id
    cheaper = pricing.NewPrice("openai", model, CHEAP, effective_from=desk.now)
    revised = pricing.revise(desk.ctx, desk.org, shared, cheaper).price
    assert revised.organization_id is None
    ended = pricing.end(desk.ctx, desk.org, revised.price_id, desk.now + timedelta(days=1))
    assert (ended.organization_id, ended.effective_to) == (None, desk.now + timedelta(days=1))
    assert pricing.get(desk.ctx, None, ended.price_id) == ended
