"""Settling volume contracts on real databases: order, lateness, crashes, and that a second time changes nothing."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.bootstrap import settle_contracts
from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import TimeRange, format_instant
from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun
from cost_ops.domain.usage import UsageRecord
from cost_ops.domain.volumes import Tier, parse_month
from cost_ops.services import contracts, explain, repricing, settling
from cost_ops.services.contracts import NewContract
from cost_ops.services.settling import Settled
from tests.services.conftest import Desk

RATES = {"input_price_per_million": "3.3333333333", "output_price_per_million": "15.7777777777"}
TIERS = (Tier(0, Decimal(0)), Tier(1_000_000, Decimal("12.5")), Tier(3_000_000, Decimal(20)))
MARCH, APRIL = parse_month("2026-03"), parse_month("2026-04")
IN_MARCH, IN_APRIL = datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)


def sign(desk: Desk, **more: Any) -> Contract:
    """A contract with tiers from February on."""
    fields: dict[str, Any] = {"model_id": "v*", "effective_from": datetime(2026, 2, 1, tzinfo=UTC)} | more
    return contracts.add(desk.ctx, desk.org, NewContract(Kind.DISCOUNT, Decimal(0), tiers=TIERS, **fields))


def listed(desk: Desk, *models: str) -> None:
    """Have the models priced, by the installation unless it is `own`; tests share the installation."""
    for model in models:
        if not desk.ctx.books.refresh().knows(desk.org, "openai", model):
            desk.price(model, own=model == "own", **RATES)


def use(desk: Desk, input_tokens: int, at: datetime = IN_MARCH, model: str = "v1", **more: Any) -> str:
    fields = {"model_id": model, "input_tokens": input_tokens, "output_tokens": 0, "timestamp": format_instant(at)}
    (answer,) = desk.record(desk.submission(**fields | more))
    return str(answer.usage_id)


def settle(desk: Desk, month: int | None = None) -> list[Settled]:
    return settle_contracts(desk.ctx, desk.org, month=month)


def stored(desk: Desk, usage_id: str) -> UsageRecord:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        found = ledger.usage.get(*parse_usage_id(usage_id))
    assert found is not None
    return found


def costs(desk: Desk, *usage_ids: str) -> list[tuple[str, int | None]]:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        assert ledger.costs.rollup_differences() == []
    return [(record.status, record.cost_e10) for record in (stored(desk, usage_id) for usage_id in usage_ids)]


def source(desk: Desk, usage_id: str) -> str:
    return desk.ctx.books.refresh().by_number[stored(desk, usage_id).price_id or 0].source.partition(":")[0]


def at_rate(tokens: int, off: str = "0") -> int:
    """The cost of input tokens with a percentage off, in 1e-10 units."""
    exact = Decimal(tokens) * Decimal("3.3333333333") / 10**6 * (1 - Decimal(off) / 100) * 10**10
    return int(exact.to_integral_value("ROUND_HALF_EVEN"))


def versions(desk: Desk, usage_id: str) -> int:
    return len(explain.explain(desk.ctx, desk.org, usage_id).versions)


def events(desk: Desk) -> list[Any]:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        found, _ = ledger.audit.page()
    return [event for event in found if event.action == "contracts.settled"]


def test_a_month_that_is_over_costs_what_its_tier_says_and_is_no_estimate(desk: Desk) -> None:
    listed(desk, "v1", "v2")
    contract = sign(desk)
    desk.now = IN_MARCH
    first, second = use(desk, 600_000), use(desk, 400_000, model="v2")
    assert costs(desk, first, second) == [("estimated", at_rate(600_000)), ("estimated", at_rate(400_000))]
    desk.now = IN_APRIL
    (done,) = settle(desk)
    assert (done.month.after.month, done.month.after.volume, done.month.after.tier) == (MARCH, 1_000_000, 1)
    assert (done.month.after.settled, done.superseded) == (True, 2)
    assert costs(desk, first, second) == [
        ("computed", at_rate(600_000, "12.5")),
        ("computed", at_rate(400_000, "12.5")),
    ]
    assert source(desk, first) == f"{contract.contract_id}, volume of 2026-03"
    (event,) = events(desk)
    assert (event.resource, event.detail["before"]) == (contract.contract_id, None)
    assert event.detail["after"] == {
        "volume": 1_000_000,
        "tier": {"from": 1_000_000, "discount": "0.125"},
        "settled": True,
    }


def test_explain_says_why_it_is_an_estimate_and_what_it_was_settled_by(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 3_000_000)
    before = explain.explain(desk.ctx, desk.org, usage_id)
    assert before.reason == "the discount depends on the volume of the whole month, which is not settled yet"
    desk.now = IN_APRIL
    settle(desk)
    after = explain.explain(desk.ctx, desk.org, usage_id)
    assert (after.reason, after.agrees) == ("quantities times rates, each line rounded once", True)
    assert after.versions[1].reason == "2026-03: volume settled"


def test_a_status_that_changes_alone_is_written_too(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 999_999)
    desk.now = IN_APRIL
    assert [one.superseded for one in settle(desk)] == [1]
    assert costs(desk, usage_id) == [("computed", at_rate(999_999))]
    assert versions(desk, usage_id) == 2


def test_the_running_month_is_brought_up_to_date_and_stays_an_estimate(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    first = use(desk, 600_000)
    (so_far,) = settle(desk)
    assert (so_far.month.after.tier, so_far.month.after.settled) == (0, False)
    second = use(desk, 600_000)
    (so_far,) = settle(desk)
    assert (so_far.month.after.tier, so_far.month.after.volume) == (1, 1_200_000)
    third = use(desk, 100)
    assert costs(desk, first, second, third) == [
        ("estimated", at_rate(600_000, "12.5")),
        ("estimated", at_rate(600_000, "12.5")),
        ("estimated", at_rate(100, "12.5")),
    ]
    (volume_only,) = settle(desk)
    assert (volume_only.month.after.volume, volume_only.superseded) == (1_200_100, 0)
    desk.now = IN_APRIL
    settle(desk)
    assert [status for status, _ in costs(desk, first, second, third)] == ["computed"] * 3


def test_a_second_time_changes_nothing(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 2_000_000)
    desk.now = IN_APRIL
    settle(desk)
    before = (costs(desk, usage_id), desk.ctx.books.refresh().version, versions(desk, usage_id), len(events(desk)))
    desk.now += timedelta(hours=1)
    assert settle(desk) == []
    (again,) = settle(desk, MARCH)
    assert (again.month.changes, again.superseded) == (False, 0)
    after = (costs(desk, usage_id), desk.ctx.books.refresh().version, versions(desk, usage_id), len(events(desk)))
    assert after == before


def test_late_usage_that_lifts_a_settled_month_over_a_boundary_is_made_right_by_settling_it_again(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    early = use(desk, 900_000)
    desk.now = IN_APRIL
    settle(desk)
    late = use(desk, 100_000)
    assert costs(desk, early, late) == [("computed", at_rate(900_000)), ("computed", at_rate(100_000))]
    assert settle(desk) == [], "a settled month is looked at when it is named"
    (again,) = settle(desk, MARCH)
    assert (again.month.before and again.month.before.tier, again.month.after.tier, again.superseded) == (0, 1, 2)
    assert costs(desk, early, late) == [
        ("computed", at_rate(900_000, "12.5")),
        ("computed", at_rate(100_000, "12.5")),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_and_of_settling_changes_no_digit(desk: Desk, seed: int) -> None:
    listed(desk, f"v{seed}")
    calls = [(tokens, IN_MARCH + timedelta(hours=hour)) for hour, tokens in enumerate((1, 333_333, 999_999, 700_001))]
    outcomes = []
    for place in range(3):
        other = Desk(desk.application)
        sign(other)
        order = random.Random(seed * 10 + place).sample(calls, len(calls)) if place else calls
        other.now = IN_APRIL if place == 2 else IN_MARCH + timedelta(days=3)
        ids = {}
        for tokens, at in order:
            ids[tokens] = use(other, tokens, at, f"v{seed}", output_tokens=tokens // 7)
            if place == 1:
                settle(other)
        other.now = IN_APRIL
        settle(other)
        settle(other, MARCH)
        outcomes.append(costs(other, *(ids[tokens] for tokens, _ in calls)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert {status for status, _ in outcomes[0]} == {"computed"}


def test_what_dies_between_tier_and_repricing_is_healed_by_settling_again(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 1_000_000)
    desk.now = IN_APRIL

    def killed(organization_id: str, request: RepriceRequest) -> RepriceRun:
        raise KeyboardInterrupt(f"{organization_id}: {request.reason}")

    with pytest.raises(KeyboardInterrupt, match="2026-03: volume settled"):
        settling.settle(desk.ctx, desk.org, killed)
    assert costs(desk, usage_id) == [("estimated", at_rate(1_000_000))]
    (healed,) = settle(desk)
    assert (healed.month.changes, healed.superseded) == (False, 1)
    assert costs(desk, usage_id) == [("computed", at_rate(1_000_000, "12.5"))]
    assert settle(desk) == []
    assert len(events(desk)) == 1


def test_a_run_that_was_stopped_leaves_the_month_to_be_done(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    use(desk, 1_000_000)
    desk.now = IN_APRIL

    def stopped(organization_id: str, request: RepriceRequest) -> RepriceRun:
        return repricing.stop(desk.ctx, repricing.start(desk.ctx, organization_id, request))

    with pytest.raises(Conflict, match="settle again"):
        settling.settle(desk.ctx, desk.org, stopped)
    assert [one.superseded for one in settle(desk)] == [1]


def test_usage_that_is_recorded_while_months_are_settled_ends_up_right(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH

    def record(number: int) -> list[str]:
        return [use(desk, 50_000 + number, output_tokens=n) for n in range(20)]

    with ThreadPoolExecutor(3) as threads:
        recording = [threads.submit(record, number) for number in range(2)]
        while not all(one.done() for one in recording):
            settle(desk)
    desk.now = IN_APRIL
    (done,) = settle(desk)
    ids = [usage_id for one in recording for usage_id in one.result()]
    assert (done.month.after.volume, done.month.after.tier) == (40 * 50_000 + 20 + 2 * sum(range(20)), 1)
    assert {status for status, _ in costs(desk, *ids)} == {"computed"}
    assert {source(desk, usage_id).partition(",")[2] for usage_id in ids} == {" volume of 2026-03"}


def test_a_run_that_died_holds_settling_up_for_a_minute_only(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 1_000_000)
    desk.now = IN_APRIL
    repricing.start(desk.ctx, desk.org, RepriceRequest(TimeRange(IN_MARCH, IN_APRIL)))
    with pytest.raises(Conflict, match="is at work on this organisation"):
        settle(desk)
    desk.now += timedelta(seconds=61)
    assert [one.superseded for one in settle(desk)] == [1]
    assert costs(desk, usage_id) == [("computed", at_rate(1_000_000, "12.5"))]


def test_months_far_apart_are_settled_each_by_its_own_volume(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk, effective_from=datetime(2020, 1, 1, tzinfo=UTC))
    desk.now = IN_APRIL
    volumes = {parse_month(text): n for n, text in enumerate(("2020-01", "2021-12", "2024-02", "2026-03"), 1)}
    ids = [
        use(desk, million * 1_000_000, datetime(month // 12, month % 12 + 1, 28, tzinfo=UTC))
        for month, million in volumes.items()
    ]
    assert {one.month.after.month: one.month.after.volume for one in settle(desk)} == {
        month: million * 1_000_000 for month, million in volumes.items()
    }
    assert settle(desk) == []
    offs = ("12.5", "12.5", "20", "20")
    assert costs(desk, *ids) == [("computed", at_rate(n * 1_000_000, off)) for n, off in enumerate(offs, 1)]
    middle = use(desk, 1, datetime(2023, 5, 1, tzinfo=UTC))
    assert [one.month.after.volume for one in settle(desk)] == [1]
    assert costs(desk, middle, ids[3]) == [("computed", at_rate(1)), ("computed", at_rate(4_000_000, "20"))]


def test_a_dry_run_shows_the_tier_and_changes_nothing(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    usage_id = use(desk, 4_000_000)
    desk.now = IN_APRIL
    version = desk.ctx.books.refresh().version
    (shown,) = settle_contracts(desk.ctx, desk.org, dry_run=True)
    assert (shown.month.after.tier, shown.month.after.settled, shown.superseded) == (2, True, 0)
    assert desk.ctx.books.refresh().version == version
    assert costs(desk, usage_id) == [("estimated", at_rate(4_000_000))]
    assert [one.superseded for one in settle(desk)] == [1]


def test_a_volume_is_of_the_contract_s_models_and_of_a_utc_month(desk: Desk) -> None:
    listed(desk, "v1", "v2", "w1", "own")
    sign(desk)
    desk.now = IN_APRIL
    march_last = datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    counted = use(desk, 500_000, march_last)
    use(desk, 5_000_000, march_last + timedelta(microseconds=1))
    use(desk, 5_000_000, march_last, "w1")
    use(desk, 5_000_000, march_last, "v2", provider="anthropic")
    found = {one.month.after.month: one.month.after for one in settle(desk)}
    assert found[MARCH].volume == 5_500_000, "of all providers, as the contract says; w1 is none of its models"
    assert found[APRIL].volume == 5_000_000
    assert costs(desk, counted) == [("computed", at_rate(500_000, "20"))]


def test_usage_without_a_price_and_with_an_own_price_counts_and_keeps_its_cost(desk: Desk) -> None:
    listed(desk, "v1", "own")
    sign(desk, model_id="*")
    desk.now = IN_MARCH
    priced, own, unknown = use(desk, 400_000), use(desk, 400_000, model="own"), use(desk, 400_000, model="nobody")
    assert costs(desk, own) == [("computed", at_rate(400_000))]
    desk.now = IN_APRIL
    (done,) = settle(desk)
    assert (done.month.after.volume, done.superseded) == (1_200_000, 1)
    assert costs(desk, priced, own, unknown) == [
        ("computed", at_rate(400_000, "12.5")),
        ("computed", at_rate(400_000)),
        ("unpriced", None),
    ]


def test_a_model_counts_under_the_name_that_it_is_priced_by(desk: Desk) -> None:
    listed(desk, "v9*")
    sign(desk, model_id="v9*")
    named = sign(desk, model_id="v9", provider="*", effective_from=IN_APRIL)
    desk.now = IN_MARCH
    usage_id = use(desk, 1_000_000, model="v9-2026-01-01")
    desk.now = IN_APRIL
    assert [(one.month.contract.number == named.number) for one in settle(desk)] == [False]
    assert costs(desk, usage_id) == [("computed", at_rate(1_000_000, "12.5"))]


def test_a_margin_and_a_discount_by_volume_multiply(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    begin = datetime(2026, 2, 1, tzinfo=UTC)
    margin = NewContract(Kind.MARGIN, Decimal(5), model_id="v1", effective_from=begin)
    contracts.add(desk.ctx, desk.org, margin)
    desk.now = IN_MARCH
    usage_id = use(desk, 3_000_000)
    desk.now = IN_APRIL
    settle(desk)
    assert costs(desk, usage_id) == [("computed", at_rate(3_000_000, "16"))], "0.8 × 1.05 = 0.84"


def test_months_stand_in_the_contract_and_only_its_organization_settles_it(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk)
    desk.now = IN_MARCH
    use(desk, 1_000_000)
    desk.now = IN_APRIL
    key = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    stranger = replace(key, principal=Principal(Desk(desk.application).org, "k", frozenset(PERMISSIONS)))
    assert settle_contracts(stranger, None) == []
    reader = replace(key, principal=Principal(desk.org, "k", frozenset({"pricing:read"})))
    with pytest.raises(Forbidden):
        settle_contracts(reader, None)
    assert len(settle_contracts(key, None)) == 1
    (contract,) = contracts.list_contracts(key, None)
    assert contract.tiers == TIERS
    (month,) = contract.months
    assert month == (MARCH, 1, 1_000_000, True, True, IN_APRIL)
    with pytest.raises(InvalidInput, match="future"):
        settle_contracts(key, None, month=APRIL + 1)


def test_an_owner_who_names_nobody_settles_all(desk: Desk) -> None:
    listed(desk, "v1")
    other = Desk(desk.application)
    for one in (desk, other):
        sign(one)
        one.now = IN_MARCH
        use(one, 1_000_000)
        one.now = IN_APRIL
    found = settle_contracts(desk.ctx, None)
    assert {one.month.contract.organization_id for one in found} >= {desk.org, other.org}
    again = settle_contracts(desk.ctx, None)
    assert not any(one.superseded or one.month.contract.organization_id in (desk.org, other.org) for one in again)


def test_a_contract_with_tiers_ties_with_a_discount_for_the_same(desk: Desk) -> None:
    sign(desk)
    with pytest.raises(Conflict):
        contracts.add(desk.ctx, desk.org, NewContract(Kind.DISCOUNT, Decimal(5), model_id="v*"))


def test_a_long_note_leaves_the_price_book_readable(desk: Desk) -> None:
    listed(desk, "v1")
    sign(desk, note="n" * 256)
    desk.now = IN_MARCH
    use(desk, 10)
    assert desk.ctx.books.refresh().find(desk.org, "openai", "v1", 1_774_000_000_000_000) is not None
