"""Contracts on real databases: priced under them, explained, ended, and what history does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.costing import StoredUsage, cost_of
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.money import e10_from_fraction
from cost_ops.domain.multipliers import multipliers_from_json
from cost_ops.domain.periods import TimeRange, format_instant
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.reprice_runs import RepriceRequest
from cost_ops.domain.usage import Step, UsageRecord
from cost_ops.services import contracts, pricing, repricing
from cost_ops.services.contracts import NewContract
from tests.domain.builders import NOW
from tests.services.conftest import Desk

RATES = {"input_price_per_million": "3.3333333333", "output_price_per_million": "15.7777777777"}


def discount(percent: str = "10", **more: Any) -> NewContract:
    return NewContract(Kind.DISCOUNT, Decimal(percent), **more)


def margin(percent: str = "5", **more: Any) -> NewContract:
    return NewContract(Kind.MARGIN, Decimal(percent), **more)


def sign(desk: Desk, new: NewContract) -> Contract:
    return contracts.add(desk.ctx, desk.org, new)


def listed(desk: Desk, model: str) -> Price:
    return desk.price(model, own=False, **RATES).price


def stored(desk: Desk, usage_id: str) -> UsageRecord:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        found = ledger.usage.get(*parse_usage_id(usage_id))
    assert found is not None
    return found


def prices_under(desk: Desk) -> list[Price]:
    with desk.ctx.storage.installation() as installation:
        return [p for p in installation.book_prices() if p.organization_id == desk.org and p.layer is Layer.CONTRACT]


def test_a_cost_under_a_contract_points_at_a_price_that_is_stored_once(desk: Desk) -> None:
    base = listed(desk, "c1")
    contract = sign(desk, discount(model_id="c1"))
    desk.record(*(desk.submission(model_id="c1", output_tokens=n) for n in (7, 8)))
    desk.record(desk.submission(model_id="c1"))
    first, second = desk.record(desk.submission(model_id="c1"), desk.submission(model_id="c1", output_tokens=8))
    assert (first.status, first.currency) == ("computed", "USD")
    (kept,) = prices_under(desk)
    assert (kept.base_number, kept.source) == (base.number, f"{contract.contract_id}: 10 % off {base.price_id}")
    assert stored(desk, first.usage_id).price_id == stored(desk, second.usage_id).price_id == kept.number
    assert desk.ctx.books.refresh().by_number[kept.number or 0] == kept


def test_a_cost_under_a_contract_is_the_listed_one_times_the_factor_to_the_last_digit(desk: Desk) -> None:
    listed(desk, "c2")
    used = {"model_id": "c2", "input_tokens": 123_457, "output_tokens": 98_761}
    (before,) = desk.record(desk.submission(**used))
    sign(desk, discount("12.5", model_id="c2"))
    sign(desk, margin("3", model_id="c2"))
    (after,) = desk.record(desk.submission(**used))
    factor = Decimal("0.875") * Decimal("1.03")
    rates = (Decimal("3.3333333333"), Decimal("15.7777777777"))
    exact = [Decimal(n) * rate / 1_000_000 for n, rate in zip((123_457, 98_761), rates, strict=True)]
    assert before.cost_e10 == sum(rounded(e) for e in exact)
    assert after.cost_e10 == sum(rounded(e * factor) for e in exact)
    book = desk.ctx.books.refresh()
    record = stored(desk, after.usage_id)
    again = cost_of(book, StoredUsage.of(record))
    assert (again.cost_e10, again.price and again.price.number) == (after.cost_e10, record.price_id)
    base = book.by_number[book.by_number[record.price_id or 0].base_number or 0]
    assert cost_of(book, StoredUsage.of(stored(desk, before.usage_id))).price is not None
    assert base.layer is Layer.INSTALLATION


def rounded(exact: Decimal) -> int:
    return e10_from_fraction(Fraction(exact))


def test_adding_and_ending_a_contract_changes_no_history(desk: Desk) -> None:
    listed(desk, "c3")
    (before,) = desk.record(desk.submission(model_id="c3"))
    contract = sign(desk, discount("50", model_id="c3"))
    (during,) = desk.record(desk.submission(model_id="c3"))
    desk.now += timedelta(days=1)
    assert contracts.end(desk.ctx, desk.org, contract.contract_id).effective_to == desk.now
    (after,) = desk.record(desk.submission(model_id="c3"))
    assert before.cost_e10 == after.cost_e10 == during.cost_e10 * 2
    assert [stored(desk, r.usage_id).cost_e10 for r in (before, during)] == [before.cost_e10, during.cost_e10]
    assert contracts.end(desk.ctx, desk.org, contract.contract_id).effective_to == desk.now, "again changes nothing"


def test_another_organization_pays_the_listed_price(desk: Desk) -> None:
    listed(desk, "c4")
    sign(desk, discount("50", model_id="c4"))
    other = Desk(desk.application)
    (mine,) = desk.record(desk.submission(model_id="c4"))
    (theirs,) = other.record(other.submission(model_id="c4"))
    assert mine.cost_e10 * 2 == theirs.cost_e10
    assert prices_under(other) == []


def test_a_price_added_under_a_contract_prices_what_waited_by_the_contract(desk: Desk) -> None:
    sign(desk, discount("50", model_id="c5", effective_from=NOW - timedelta(days=1)))
    (waiting,) = desk.record(desk.submission(model_id="c5"))
    assert waiting.status == "unpriced"
    added = desk.price("c5", own=False, input_price_per_million="4", output_price_per_million="8")
    assert added.priced_records == 1
    (kept,) = prices_under(desk)
    record = stored(desk, waiting.usage_id)
    assert (record.price_id, kept.base_number) == (kept.number, added.price.number)
    other = Desk(desk.application)
    (full,) = other.record(other.submission(model_id="c5"))
    assert record.cost_e10 == full.cost_e10 // 2


def test_every_step_of_a_response_has_its_price_under_the_contract(desk: Desk) -> None:
    bases = [listed(desk, model).number for model in ("s1", "s2")]
    sign(desk, discount("50", model_id="s*"))
    submission = desk.submission(model_id="s1", input_tokens=2, output_tokens=2)
    submission.steps = [Step(None, {"input": 1, "output": 1}, "a"), Step("s2", {"input": 1, "output": 1}, "b")]
    submission.evidence = {"steps": [{"quantities": {"input": 1, "output": 1}, "kind": "a"}]}
    (answer,) = desk.record(submission)
    numbers = stored(desk, answer.usage_id).step_prices
    assert [p.base_number for p in prices_under(desk) if p.number in numbers] == bases
    assert len(numbers) == 2


def test_an_atomic_batch_that_is_refused_leaves_a_price_that_the_next_one_uses(desk: Desk) -> None:
    listed(desk, "c6")
    sign(desk, discount(model_id="c6"))
    good, taken = desk.submission(model_id="c6"), desk.submission(model_id="c6", idempotency_key="k")
    desk.record(taken)
    clash = desk.submission(model_id="c6", idempotency_key="k", input_tokens=9)
    refused = desk.record(good, clash, atomic=True)
    assert all(isinstance(r, Conflict) for r in refused)
    assert desk.record(good)[0].status == "computed"
    assert len(prices_under(desk)) == 1


def test_an_organization_s_key_sets_discounts_and_only_the_owner_margins(desk: Desk) -> None:
    listed(desk, "c7")
    key = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    mine = contracts.add(key, None, discount(model_id="c7"))
    assert mine.organization_id == desk.org
    with pytest.raises(Forbidden):
        contracts.add(key, None, margin(model_id="c7"))
    owned = sign(desk, margin(model_id="c7"))
    with pytest.raises(Forbidden):
        contracts.end(key, None, owned.contract_id)
    assert {c.number for c in contracts.list_contracts(key, None)} == {mine.number, owned.number}
    stranger = replace(key, principal=Principal(Desk(desk.application).org, "k", frozenset(PERMISSIONS)))
    assert contracts.list_contracts(stranger, None) == []
    with pytest.raises(NotFound):
        contracts.end(stranger, None, mine.contract_id)
    reader = replace(key, principal=Principal(desk.org, "k", frozenset({"pricing:read"})))
    with pytest.raises(Forbidden):
        contracts.add(reader, None, discount(model_id="c7"))


def test_who_signed_and_ended_a_contract_is_kept(desk: Desk) -> None:
    contract = sign(desk, discount(model_id="c14"))
    contracts.end(desk.ctx, desk.org, contract.contract_id)
    contracts.end(desk.ctx, desk.org, contract.contract_id)
    with desk.ctx.storage.ledger(desk.org) as ledger:
        events, _ = ledger.audit.page(resource=contract.contract_id)
    assert [(e.action, e.resource, e.actor) for e in events] == [
        ("contracts.ended", contract.contract_id, "owner"),
        ("contracts.added", contract.contract_id, "owner"),
    ]
    assert (events[1].detail or {})["percent"] == "10"


def test_lists_are_of_one_organization_or_of_all_and_of_all_times_or_now(desk: Desk) -> None:
    old = sign(desk, discount(model_id="c8"))
    desk.now += timedelta(days=2)
    contracts.end(desk.ctx, desk.org, old.contract_id)
    new = sign(desk, discount("20", model_id="c8"))
    future = sign(desk, margin(model_id="c8", effective_from=desk.now + timedelta(days=5)))
    found = contracts.list_contracts(desk.ctx, desk.org)
    assert [c.number for c in found] == [old.number, new.number, future.number]
    assert [c.number for c in contracts.list_contracts(desk.ctx, desk.org, current=True)] == [new.number]
    assert {c.number for c in found} <= {c.number for c in contracts.list_contracts(desk.ctx, None)}
    cancelled = contracts.end(desk.ctx, None, future.contract_id)
    assert cancelled.effective_to == future.effective_from, "it never held"


def test_what_is_wrong_with_a_contract_is_said_at_once(desk: Desk) -> None:
    bad = discount("0", provider=" ", model_id="", note="x\x00", effective_from=NOW, effective_to=NOW)
    with pytest.raises(InvalidInput) as caught:
        sign(desk, bad)
    assert {p.field for p in caught.value.problems} == {"percent", "provider", "model_id", "note", "end_date"}
    with pytest.raises(InvalidInput):
        contracts.add(desk.ctx, None, discount())
    sign(desk, discount(model_id="c9"))
    with pytest.raises(Conflict):
        sign(desk, discount("20", model_id="c9"))
    for unknown in ("contract-999999", "price-1", ""):
        with pytest.raises(NotFound):
            contracts.end(desk.ctx, desk.org, unknown)


def test_prices_under_contracts_are_listed_when_they_are_asked_for(desk: Desk) -> None:
    listed(desk, "c10")
    sign(desk, discount(model_id="c10"))
    desk.record(desk.submission(model_id="c10"))
    everything, _ = pricing.list_prices(desk.ctx, desk.org, pricing.PriceQuery(model_id="c10"))
    assert [p.layer for p in everything] == [Layer.INSTALLATION]
    under, total = pricing.list_prices(desk.ctx, desk.org, pricing.PriceQuery(layer=Layer.CONTRACT))
    assert ([p.model_id for p in under], total) == (["c10"], 1)
    with pytest.raises(InvalidInput, match="is what contracts make"):
        pricing.end(desk.ctx, desk.org, under[0].price_id)
    with pytest.raises(InvalidInput, match="change those instead"):
        pricing.revise(desk.ctx, desk.org, under[0].price_id, pricing.NewPrice("", "", (), currency=""))


def test_multipliers_of_a_price_are_kept_by_a_new_version_that_says_nothing_of_them(desk: Desk) -> None:
    found, _ = multipliers_from_json([{"factor": "1.1", "when": {"region": "us"}}])
    new = pricing.NewPrice("openai", "c11", listed(desk, "c12").rates, multipliers=found)
    first = pricing.add(desk.ctx, desk.org, new).price
    (usual, regional) = desk.record(desk.submission(model_id="c11"), desk.submission(model_id="c11", region="us"))
    assert regional.cost_e10 > usual.cost_e10
    desk.now += timedelta(days=1)
    second = pricing.revise(desk.ctx, desk.org, first.price_id, replace(new, multipliers=None)).price
    assert second.multipliers == found
    desk.now += timedelta(days=1)
    third = pricing.revise(desk.ctx, desk.org, second.price_id, replace(new, multipliers=())).price
    assert pricing.get(desk.ctx, desk.org, third.price_id).multipliers == ()


def reprice(desk: Desk) -> int:
    """Cost all usage again; how many records changed."""
    request = RepriceRequest(TimeRange(NOW - timedelta(days=60), NOW + timedelta(days=60)))
    dry = repricing.dry_run(desk.ctx, desk.org, request).tally.changed
    changed = repricing.work(desk.ctx, repricing.start(desk.ctx, desk.org, request)).tally.changed
    assert changed == dry
    return changed


def costs_of(desk: Desk, usage_ids: list[str]) -> list[tuple[int | None, int | None]]:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        assert ledger.costs.rollup_differences() == []
    return [(r.cost_e10, r.price_id) for r in (stored(desk, usage_id) for usage_id in usage_ids)]


def test_repricing_applies_a_contract_to_the_past_and_takes_it_back_to_the_last_digit(desk: Desk) -> None:
    listed(desk, "c13")
    days = [NOW - timedelta(days=n) for n in range(4)]
    used = [
        {"model_id": "c13", "input_tokens": 1_234 + n, "timestamp": format_instant(day)} for n, day in enumerate(days)
    ]
    ids = [r.usage_id for r in desk.record(*(desk.submission(**u) for u in used))]
    before = costs_of(desk, ids)
    contract = sign(desk, discount("7.77", model_id="c13", effective_from=days[2], effective_to=days[0]))
    assert costs_of(desk, ids) == before, "a contract changes no history by itself"
    assert reprice(desk) == 2
    again = [r.usage_id for r in desk.record(*(desk.submission(**u) for u in used))]
    assert costs_of(desk, ids) == costs_of(desk, again)
    assert [a[0] < b[0] for a, b in zip(costs_of(desk, ids), before, strict=True) if a[0] and b[0]] == [
        *(False, True, True, False)
    ]
    assert reprice(desk) == 0
    with desk.ctx.storage.installation() as installation:
        installation.prices.bump_version()
        installation.contracts.end(contract.number or 0, days[2])
    reprice(desk)
    assert costs_of(desk, ids) == before
