"""Volume tiers: which tier a month reaches, what becomes of prices, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.charging import charge, is_sure
from cost_ops.domain.contracts import Contract, Kind, contract_faults, contract_terms
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.money import e10_from_fraction
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rollups import NO_DIMENSION, Contribution, Series, fold, measure
from cost_ops.domain.volume_contracts import expanded, months_to_settle, settled_month
from cost_ops.domain.volumes import (
    ContractMonth,
    Tier,
    month_bounds,
    month_text,
    parse_month,
    tier_at,
    tiers_from_json,
    volume_to_json,
)
from tests.domain.builders import NOW, price, submission

MARCH = parse_month("2026-03")
START, END = (from_us(bound) for bound in month_bounds(MARCH))
TIERS = (Tier(0, Decimal(0)), Tier(1_000_000, Decimal(10)), Tier(5_000_000, Decimal("22.5")))
LIST = price({"meter": "input", "price": "3"}, {"meter": "output", "price": "15"}, number=12, model="gpt-4o")


def by_volume(*months: ContractMonth, **more: Any) -> Contract:
    more.setdefault("effective_from", datetime(2026, 1, 1, tzinfo=UTC))
    return Contract("org-1", Kind.DISCOUNT, TIERS[0].percent, number=7, months=months, tiers=TIERS, **more)


def known(month: int = MARCH, tier: int = 1, *, settled: bool = True) -> ContractMonth:
    return ContractMonth(month, tier, TIERS[tier].least, settled, True, NOW)


def found(contract: Contract, at: datetime) -> Price:
    held = PriceBook([LIST], contracts=[contract]).find("org-1", "openai", "gpt-4o", to_us(at))
    assert held is not None
    return held.price


def sure(contract: Contract, at: datetime) -> bool:
    usage = submission({"input": 1}, at=at, model_id="gpt-4o")
    held = PriceBook([LIST], contracts=[contract]).find("org-1", "openai", "gpt-4o", to_us(at))
    assert held is not None
    return is_sure(held, usage)


def test_a_settled_month_has_its_tier_and_says_so() -> None:
    contract = by_volume(known())
    assert found(contract, START).source == "contract-7, volume of 2026-03: 10 % off price-12"
    assert found(contract, END - timedelta(microseconds=1)).multipliers[0].factor == Decimal("0.9")
    assert sure(contract, START)


def test_a_month_that_was_not_looked_at_has_the_first_tier_as_an_estimate() -> None:
    contract = by_volume(known())
    for at in (START - timedelta(microseconds=1), END, END + timedelta(days=900)):
        assert found(contract, at).source == "contract-7, volume not settled: 0 % off price-12"
        assert not sure(contract, at)


def test_a_running_month_has_the_tier_reached_so_far_as_an_estimate() -> None:
    contract = by_volume(known(settled=False))
    assert found(contract, NOW).source == "contract-7, volume of 2026-03 so far: 10 % off price-12"
    assert not sure(contract, NOW)


def test_without_a_volume_contract_a_cost_is_no_estimate() -> None:
    plain = Contract("org-1", Kind.DISCOUNT, Decimal(10), number=7)
    assert list(expanded(plain)) == [plain]
    assert sure(plain, NOW)


def test_an_own_price_takes_no_discount_and_is_no_estimate_for_it() -> None:
    own = replace(LIST, layer=Layer.ORGANIZATION, organization_id="org-1")
    held = PriceBook([own], contracts=[by_volume()]).find("org-1", "openai", "gpt-4o", to_us(NOW))
    assert held is not None
    assert (held.price, held.is_unsettled) == (own, False)


def test_a_month_is_cut_to_the_contract_s_own_time() -> None:
    begins, ends = START + timedelta(days=9), START + timedelta(days=19)
    contract = by_volume(known(), effective_from=begins, effective_to=ends)
    (part,) = expanded(contract)
    assert (part.effective_from, part.effective_to, part.percent) == (begins, ends, Decimal(10))
    assert found(contract, begins - timedelta(microseconds=1)) == LIST
    assert found(contract, ends) == LIST


months = st.lists(st.integers(MARCH - 3, MARCH + 3), unique=True).map(
    lambda found: tuple(known(month, tier=month % 3, settled=month % 2 == 0) for month in found)
)
instants = st.datetimes(datetime(2025, 11, 1), datetime(2026, 8, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(months, instants, instants)
def test_the_parts_of_a_contract_cover_its_time_without_overlap(
    looked_at: tuple[ContractMonth, ...], one: datetime, other: datetime
) -> None:
    start, end = min(one, other), max(one, other) + timedelta(microseconds=1)
    whole = by_volume(*looked_at, effective_from=start, effective_to=end)
    parts = list(expanded(whole))
    assert [parts[0].bounds()[0], *(p.bounds()[1] for p in parts)] == [*(p.bounds()[0] for p in parts), to_us(end)]
    assert all(p.bounds()[0] < p.bounds()[1] for p in parts)
    assert whole.bounds() == (parts[0].bounds()[0], parts[-1].bounds()[1])
    tiers = {month.month: month for month in looked_at}
    for part in parts:
        month = tiers.get(parse_month(f"{from_us(part.bounds()[0]):%Y-%m}"))
        assert part.percent == TIERS[0 if month is None else month.tier].percent
        assert part.unsettled is (month is None or not month.settled)


calls = st.lists(st.tuples(st.integers(1, 2_000_000), st.integers(0, 900_000), st.integers(0, 30)), min_size=1)


@given(calls, st.randoms())
def test_the_order_of_arrival_changes_neither_tier_nor_amounts(sent: list[tuple[int, int, int]], chance: Any) -> None:
    shuffled = sent[:]
    chance.shuffle(shuffled)
    assert settle_and_charge(shuffled) == settle_and_charge(sent)
    volume = sum(called + answered for called, answered, _ in sent)
    factor = 1 - Fraction(TIERS[tier_at(TIERS, volume)].percent) / 100
    exact = [(Fraction(a * 3, 10**6) * factor, Fraction(b * 15, 10**6) * factor) for a, b, _ in sent]
    assert settle_and_charge(sent) == sorted(e10_from_fraction(a) + e10_from_fraction(b) for a, b in exact)


def settle_and_charge(sent: list[tuple[int, int, int]]) -> list[int]:
    """The amounts of a month's calls, once its rollups are settled."""
    series = Series("openai", "gpt-4o", "USD", "estimated")
    usage = [submission({"input": a, "output": b}, at=START + timedelta(days=d), model_id="gpt-4o") for a, b, d in sent]
    contributions = (
        Contribution("org-1", one.timestamp_us, series, measure(one.quantities, 0), None, None, None) for one in usage
    )
    sums = fold(contributions)["org-1", 3, MARCH, NO_DIMENSION, series]
    tokens = {"openai": {"gpt-4o": sums.input_tokens + sums.output_tokens}}
    contract = by_volume()
    month = settled_month(contract, MARCH, tokens, now=NOW, this_month=MARCH + 1).after
    book = PriceBook([LIST], contracts=[replace(contract, months=(month,))])
    prices = [book.find("org-1", "openai", "gpt-4o", one.timestamp_us) for one in usage]
    amounts = [charge(held, one).amount_e10 for held, one in zip(prices, usage, strict=True) if held is not None]
    return sorted(amount for amount in amounts if amount is not None)


@given(st.integers(0, 10**9))
def test_a_tier_holds_from_its_number_of_tokens_to_the_next(volume: int) -> None:
    assert tier_at(TIERS, volume) == (0 if volume < 1_000_000 else 1 if volume < 5_000_000 else 2)


def test_a_month_that_is_over_is_settled_and_the_running_one_is_not() -> None:
    tokens = {"openai": {"b": 600_000, "a": 400_000}}
    running = settled_month(by_volume(), MARCH, tokens, now=NOW, this_month=MARCH)
    assert running.after == ContractMonth(MARCH, 1, 1_000_000, False, False, NOW)
    assert running.models == {"openai": ["a", "b"]}
    over = settled_month(by_volume(running.after), MARCH, tokens, now=NOW, this_month=MARCH + 1)
    assert (over.after.settled, over.changes_prices, over.changes) == (True, True, True)


def test_a_month_that_is_the_same_stays_as_it_is() -> None:
    contract = by_volume(known())
    again = settled_month(contract, MARCH, {"openai": {"m": 1_000_000}}, now=END, this_month=MARCH + 1)
    assert (again.after, again.changes, again.changes_prices) == (known(), False, False)


def test_more_usage_in_the_same_tier_costs_a_settled_month_again_and_not_a_running_one() -> None:
    more = {"openai": {"m": 1_000_001}}
    late = settled_month(by_volume(known()), MARCH, more, now=END, this_month=MARCH + 1)
    assert (late.changes, late.changes_prices, late.after.applied) == (True, False, False)
    running = settled_month(by_volume(known(settled=False)), MARCH, more, now=END, this_month=MARCH)
    assert (running.changes, running.changes_prices, running.after.applied) == (True, False, True)


def test_months_to_settle_run_from_the_first_usage_to_now_without_those_that_are_done() -> None:
    contract = by_volume(known(MARCH - 1), known(MARCH)._replace(applied=False))
    usage = to_us(datetime(2025, 6, 1, tzinfo=UTC))
    assert months_to_settle(contract, usage, MARCH + 1, None) == [MARCH - 2, MARCH, MARCH + 1]
    assert months_to_settle(contract, to_us(NOW), MARCH, None) == [MARCH]
    assert months_to_settle(contract, usage, MARCH, MARCH - 1) == [MARCH - 1], "one that is named, done or not"
    assert months_to_settle(contract, usage, MARCH, MARCH - 9) == [], "before the contract"
    ended = replace(contract, effective_to=START)
    assert months_to_settle(ended, usage, MARCH + 1, None) == [MARCH - 2]
    assert months_to_settle(ended, to_us(NOW), MARCH + 1, None) == []


def test_tiers_go_through_json_and_terms_unchanged() -> None:
    terms = contract_terms({"volume": volume_to_json(TIERS), "meters": "tokens"})
    assert (terms.kind, terms.percent, terms.tiers) == (Kind.DISCOUNT, Decimal(0), TIERS)
    assert volume_to_json(TIERS)["tiers"][2] == {"from": 5_000_000, "discount": "0.225"}
    assert list(contract_faults(by_volume())) == []
    assert contract_terms({"volume": {"tiers": [{"from": 0, "discount": 0}], "timezone": "UTC"}}).tiers == TIERS[:1]


@pytest.mark.parametrize(
    ("volume", "fields"),
    [
        ("much", {"volume"}),
        ({}, {"volume.tiers"}),
        ({"tiers": []}, {"volume.tiers"}),
        ({"tiers": [{"from": n, "discount": "0"} for n in range(21)]}, {"volume.tiers"}),
        ({"tiers": [{"from": 1, "discount": "0"}]}, {"volume.tiers[0].from"}),
        ({"tiers": [{"from": 0, "discount": "0"}, {"from": 0, "discount": "0"}]}, {"volume.tiers[1].from"}),
        ({"tiers": [{"from": True, "discount": "1"}]}, {"volume.tiers[0].from", "volume.tiers[0].discount"}),
        ({"tiers": [{"from": 0, "discount": "-0.1"}]}, {"volume.tiers[0].discount"}),
        ({"tiers": [{"from": 0, "discount": "0.1234567890123"}]}, {"volume.tiers[0].discount"}),
        ({"tiers": [{"from": 0}]}, {"volume.tiers[0]"}),
        ({"tiers": [{"from": 0, "discount": "0"}], "mode": "graduated"}, {"volume.mode"}),
        ({"tiers": [{"from": 0, "discount": "0"}], "timezone": "Europe/Berlin"}, {"volume.timezone"}),
        ({"tiers": [{"from": 0, "discount": "0"}], "colour": "red"}, {"volume.colour"}),
    ],
)
def test_impossible_tiers_are_refused_with_where_and_why(volume: Any, fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        contract_terms({"volume": volume})
    assert {problem.field for problem in caught.value.problems} == fields


def test_graduated_tiers_are_refused_in_clear_words() -> None:
    with pytest.raises(InvalidInput, match="graduated tiers, each for a part of the volume, are not supported"):
        contract_terms({"volume": {"tiers": [{"from": 0, "discount": "0"}], "mode": "graduated"}})


def test_volume_stands_in_place_of_percent_and_is_no_margin() -> None:
    with pytest.raises(InvalidInput) as caught:
        contract_terms({"volume": volume_to_json(TIERS), "percent": "10", "kind": "margin"})
    assert {problem.field for problem in caught.value.problems} == {"percent", "kind"}


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_any_tiers_are_read_or_refused_with_reasons(value: Any) -> None:
    for volume in (value, {"tiers": value}, {"tiers": [{"from": value, "discount": value}]}):
        problems: list[Any] = []
        tiers = tiers_from_json(volume, problems)
        assert problems or tiers[0].least == 0


@given(st.integers(1970 * 12, 9998 * 12))
def test_months_are_read_as_they_are_written(month: int) -> None:
    assert parse_month(month_text(month)) == month


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "26-01", "1969-12", "9999-01", "2026-11-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="must be a month such as 2026-11"):
        parse_month(text)


def test_a_long_note_does_not_make_a_price_that_cannot_be_read_again() -> None:
    contract = by_volume(known(), note="n" * 256)
    assert len(found(contract, NOW).multipliers[0].note) == 256
