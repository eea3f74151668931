"""Amounts: the worked cases, and what must always hold."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.charging import charge, charge_by_conditions, total_e10
from cost_ops.domain.compiled import compile_price
from cost_ops.domain.meters import METERS, TOKEN_METERS
from cost_ops.domain.money import e10_from_decimal, format_e10
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price, insert
from cost_ops.domain.usage import FlatCounts, disjoint
from tests.domain.builders import cost, plain, price, rates, submission

GPT = plain("10", "30")
THREE = plain("3", "15")
CACHED_TENTH = {"meter": "input_cache_read", "fraction": "0.1", "of": "input"}
GEMINI = price(
    {"meter": "input", "price": "1.25"},
    {"meter": "input", "price": "2.50", "when": {"context_tokens": {"gt": 200_000}}},
    {"meter": "output", "price": "10"},
    {"meter": "output", "price": "15", "when": {"context_tokens": {"gt": 200_000}}},
)
CLAUDE = price(
    {"meter": "input", "price": "3"},
    {"meter": "input_cache_read", "price": "0.30"},
    {"meter": "input_cache_write_5m", "price": "3.75"},
    {"meter": "output", "price": "15"},
)
FLAT = price({"meter": "requests", "price": "0.01"}, {"meter": "total_tokens", "price": "5", "included": 2000})


def with_cache(input_price: str, output_price: str, fraction: str) -> Price:
    return price(
        {"meter": "input", "price": input_price},
        {"meter": "input_cache_read", "fraction": fraction, "of": "input"},
        {"meter": "output", "price": output_price},
    )


def flat(**counts: int) -> Any:
    return disjoint(FlatCounts(**counts), None, "inclusive", []).quantities


@pytest.mark.parametrize(
    ("case", "one", "quantities", "expected"),
    [
        (1, GPT, {"input": 1000, "output": 500}, "0.025"),
        (2, GPT, {"input": 1500, "output": 800}, "0.039"),
        (3, GPT, {"input": 1, "output": 1}, "0.00004"),
        (5, with_cache("10", "30", "0.1"), flat(input_tokens=1000, output_tokens=500, cached_tokens=500), "0.0205"),
        (6, with_cache("3", "15", "0.1"), flat(input_tokens=5000, output_tokens=2000, cached_tokens=2000), "0.0396"),
        (
            7,
            with_cache("30", "60", "0.5"),
            flat(input_tokens=1_000_000, output_tokens=500_000, cached_tokens=500_000),
            "52.5",
        ),
        (8, CLAUDE, {"input": 100, "input_cache_read": 10_000, "input_cache_write_5m": 2000, "output": 50}, "0.01155"),
        (9, GEMINI, {"input": 200_000}, "0.25"),
        (9, GEMINI, {"input": 200_001}, "0.5000025"),
        (10, FLAT, {"input": 1000, "output": 500}, "0.01"),
        (10, FLAT, {"input": 2000, "output": 1000}, "0.015"),
        (11, plain("0", "0"), {"input": 1000, "output": 500}, "0"),
        (12, plain("1000", "1000"), {"input": 10**9, "output": 10**9}, "2000000"),
        (13, plain("0.000001", "0.000001"), {"input": 1, "output": 1}, "0"),
    ],
)
def test_worked_amount(case: int, one: Price, quantities: Any, expected: str) -> None:
    assert cost(one, quantities) == expected, f"case {case}"


def test_case_4_a_newer_price_ends_the_older_at_its_instant() -> None:
    change = datetime(2025, 2, 1, tzinfo=UTC)
    new = plain("5", "15", number=2, effective_from=change)
    insertion = insert([GPT], new, now=change)
    assert insertion.ended is not None
    book = PriceBook([insertion.ended, insertion.added])
    quantities = {"input": 1000, "output": 500}
    for at, expected in ((change - timedelta(microseconds=1), "0.025"), (change, "0.0125")):
        usage = submission(quantities, at=at)
        found = book.find("org-1", "openai", "m", usage.timestamp_us)
        assert found is not None
        assert format_e10(charge(found, usage).amount_e10 or 0) == expected


def test_case_15_the_sum_of_five_records() -> None:
    one, other = cost(GPT, {"input": 1000, "output": 500}), cost(THREE, {"input": 1000, "output": 500})
    assert 3 * Decimal(one or "nan") + 2 * Decimal(other or "nan") == Decimal("0.096")


quantities = st.dictionaries(st.sampled_from(sorted(TOKEN_METERS)), st.integers(1, 10**9), min_size=1, max_size=6)
unit_prices = st.decimals(0, 1000, places=9, allow_nan=False).map(lambda d: format(d, "f"))


@given(quantities, unit_prices, unit_prices)
def test_parts_sum_to_the_total_and_nothing_is_negative(found: Any, input_price: str, output_price: str) -> None:
    result = charge(compile_price(plain(input_price, output_price)), submission(found))
    assert result.amount_e10 == sum(line.amount_e10 for line in result.lines)
    assert all(line.amount_e10 >= 0 for line in result.lines)
    assert {line.meter for line in result.lines} == set(found)


@given(quantities, unit_prices, unit_prices)
def test_each_line_is_the_exact_product_rounded_once(found: Any, input_price: str, output_price: str) -> None:
    result = charge(compile_price(plain(input_price, output_price)), submission(found))
    for line in result.lines:
        unit = Decimal(input_price if METERS[line.meter].side == "input" else output_price)
        assert line.amount_e10 == e10_from_decimal(unit * line.quantity / 1_000_000)


@given(quantities, st.sampled_from(sorted(TOKEN_METERS)), st.integers(1, 10**6))
def test_more_tokens_never_cost_less(found: Any, meter: str, more: int) -> None:
    compiled = compile_price(CLAUDE)
    before = charge(compiled, submission(found)).amount_e10
    after = charge(compiled, submission({**found, meter: found.get(meter, 0) + more})).amount_e10
    assert before is not None
    assert after is not None
    assert after >= before


def test_an_unknown_meter_leaves_the_whole_cost_unknown() -> None:
    result = charge(compile_price(GPT), submission({"input": 10, "images": 1}))
    assert (result.amount_e10, list(result.missing)) == (None, ["images"])


def test_crossing_a_cliff_reprices_all_tokens_and_counts_cached_ones() -> None:
    assert cost(GEMINI, {"input": 150_000, "input_cache_read": 50_001, "output": 10}) == "0.5001525"


def test_conditions_choose_the_most_specific_rate() -> None:
    one = price(
        {"meter": "input", "price": "4"},
        {"meter": "input", "price": "2", "when": {"processing": "batch"}},
        {"meter": "input", "price": "8", "when": {"service_tier": "priority"}},
        {"meter": "input", "price": "5", "when": {"service_tier": "priority", "processing": "batch"}},
    )
    million = {"input": 1_000_000}
    assert cost(one, million) == "4"
    assert cost(one, million, processing="batch") == "2"
    assert cost(one, million, service_tier="priority") == "8"
    assert cost(one, million, service_tier="priority", processing="batch") == "5"


def test_a_window_of_the_day_runs_over_midnight() -> None:
    window = {"time_of_day": {"start": "16:30", "end": "00:30"}}
    one = price({"meter": "input", "price": "2"}, {"meter": "input", "price": "1", "when": window})
    day = datetime(2026, 3, 2, tzinfo=UTC)
    found = [cost(one, {"input": 10**6}, at=day + timedelta(minutes=m)) for m in (0, 29, 30, 989, 990)]
    assert found == ["1", "1", "2", "2", "1"]


def test_seconds_may_be_fractional_and_stay_exact() -> None:
    whole = price({"meter": "seconds", "price": "0.0001", "per": 1})
    usage = submission({"seconds": Decimal("2.5")})
    assert total_e10(compile_price(whole), usage) == charge(compile_price(whole), usage).amount_e10 == 2_500_000
    one = price({"meter": "seconds", "price": "0.006", "per": 60})
    assert cost(one, {"seconds": Decimal("12.5")}) == "0.00125"


def test_a_fraction_follows_every_condition_of_its_base() -> None:
    one = Price("openai", "m", "USD", (*GEMINI.rates, *rates(GEMINI.rates[0].to_json(), CACHED_TENTH)[1:]), number=9)
    assert cost(one, {"input_cache_read": 200_000}) == "0.025"
    assert cost(one, {"input_cache_read": 300_000}) == "0.075"


TIERED = price(
    {"meter": "input", "price": "4"},
    {"meter": "input", "price": "2", "when": {"processing": "batch"}},
    {"meter": "input", "price": "8", "when": {"context_tokens": {"gte": 1000, "lte": 2000}}},
    {"meter": "input", "price": "3", "when": {"processing": "batch", "context_tokens": {"gte": 1000, "lte": 2000}}},
    {"meter": "input_cache_read", "price": "1", "when": {"context_tokens": {"lt": 500}}},
    {"meter": "output", "price": "9", "when": {"service_tier": "standard"}},
)


@given(
    st.dictionaries(
        st.sampled_from(["input", "input_cache_read", "output", "images"]), st.integers(1, 1500), min_size=1
    ),
    st.sampled_from([None, "standard", "flex"]),
    st.sampled_from([None, "batch"]),
    st.sampled_from([TIERED, GEMINI, GPT, CLAUDE, FLAT, plain("0.00012345", "3")]),
)
def test_the_quick_way_for_ordinary_calls_agrees_with_looking_at_every_condition(
    found: Any, tier: str | None, processing: str | None, one: Price
) -> None:
    compiled = compile_price(one)
    usage = submission(found, service_tier=tier, processing=processing)
    assert charge(compiled, usage) == charge_by_conditions(compiled, usage)
    assert total_e10(compiled, usage) == charge(compiled, usage).amount_e10
