"""Multipliers on rates: what they cover, how they stack, and that they change nothing else."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.charging import charge, charge_by_conditions, total_e10
from cost_ops.domain.compiled import compile_price
from cost_ops.domain.money import e10_from_fraction
from cost_ops.domain.multipliers import multipliers_from_json
from cost_ops.domain.prices import Price, terms_from_json
from tests.domain.builders import cost, price, submission

US = {"factor": "1.1", "when": {"region": "us"}, "note": "US-only inference"}
RATES = (
    {"meter": "input", "price": "5"},
    {"meter": "input_cache_read", "price": "0.5"},
    {"meter": "input_cache_write_5m", "price": "6.25"},
    {"meter": "output", "price": "25"},
    {"meter": "output", "price": "12.5", "when": {"processing": "batch"}},
    {"meter": "web_searches", "price": "10", "per": 1000},
)
factors = st.decimals("0", "20", places=4).map(lambda d: format(d, "f"))
meter_sets = st.one_of(
    st.sampled_from(["tokens", "all"]),
    st.lists(st.sampled_from(["input", "input_cache_read", "output", "web_searches"]), min_size=1, unique=True),
)
conditions = st.sampled_from(
    [{}, {"region": "us"}, {"not_region": "global"}, {"processing": "batch"}, {"context_tokens": {"gt": 1000}}]
)
quantities = st.dictionaries(
    st.sampled_from(["input", "input_cache_read", "input_cache_write_5m", "output", "web_searches", "requests"]),
    st.integers(1, 10**7),
    min_size=1,
)


def multiplied(*items: dict[str, Any], rates: tuple[dict[str, Any], ...] = RATES) -> Price:
    found, problems = multipliers_from_json(list(items))
    assert not problems, problems
    return price(*rates, multipliers=found)


def faults(*items: Any) -> set[tuple[str, str]]:
    return {(p.field, p.reason) for p in multipliers_from_json(list(items))[1]}


def test_a_factor_is_on_all_tokens_and_on_no_fee_of_a_tool() -> None:
    used = {"input": 1_000_000, "input_cache_read": 1_000_000, "output": 1_000_000, "web_searches": 100}
    assert cost(multiplied(US), used) == "31.5"
    assert cost(multiplied(US), used, region="us") == "34.55"
    assert cost(multiplied({**US, "meters": "all"}), used, region="us") == "34.65"
    assert cost(multiplied({**US, "meters": ["output"]}), used, region="us") == "34"


def test_factors_stack_with_each_other_and_with_conditions_of_rates() -> None:
    both = multiplied(US, {"factor": "6", "when": {"service_tier": "fast"}, "note": "fast mode"})
    million = {"output": 1_000_000}
    assert cost(both, million) == "25"
    assert cost(both, million, service_tier="fast") == "150"
    assert cost(both, million, service_tier="fast", region="us") == "165"
    assert cost(both, million, processing="batch", region="us") == "13.75"


def test_a_region_that_is_known_and_another_meets_not_region() -> None:
    regional = multiplied({"factor": "1.1", "when": {"not_region": "global"}})
    million = {"input": 1_000_000}
    assert [cost(regional, million, region=r) for r in (None, "global", "europe-west1")] == ["5", "5", "5.5"]


def test_a_line_says_which_factors_it_has() -> None:
    found = charge(compile_price(multiplied(US)), submission({"output": 7, "web_searches": 1}, region="us"))
    assert {line.meter: [m.note for m in line.rate.factors] for line in found.lines} == {
        "output": ["US-only inference"],
        "web_searches": [],
    }


def test_what_falls_back_to_a_rate_has_the_factors_of_that_rate() -> None:
    one = multiplied({"factor": "2", "meters": ["output"]}, {"factor": "3", "meters": ["input_cache_read"]})
    assert cost(one, {"output_reasoning": 1_000_000}) == "50"
    without = multiplied({"factor": "3", "meters": ["input_cache_read"]}, rates=RATES[:1])
    assert cost(without, {"input_cache_read": 1_000_000}) == "5"


@given(quantities, st.sampled_from([None, "us", "global"]), st.sampled_from([None, "batch"]))
def test_a_factor_of_one_changes_nothing(found: Any, region: str | None, processing: str | None) -> None:
    usage = submission(found, region=region, processing=processing)
    one = compile_price(multiplied({"factor": "1", "meters": "all"}))
    assert charge(one, usage).amount_e10 == charge(compile_price(price(*RATES)), usage).amount_e10


@given(quantities, st.lists(st.tuples(factors, meter_sets, conditions), max_size=4), st.randoms())
def test_the_order_of_factors_changes_nothing(found: Any, items: list[Any], chance: Any) -> None:
    stated = [{"factor": f, "meters": m, "when": w, "note": str(i)} for i, (f, m, w) in enumerate(items)]
    shuffled = list(stated)
    chance.shuffle(shuffled)
    usage = submission(found, region="us", processing="batch")
    first, second = (charge(compile_price(multiplied(*each)), usage) for each in (stated, shuffled))
    assert [line.amount_e10 for line in first.lines] == [line.amount_e10 for line in second.lines]


@given(quantities, factors, factors)
def test_a_line_is_quantity_times_rate_times_factors_rounded_once(found: Any, one: str, other: str) -> None:
    compiled = compile_price(
        multiplied(*({"factor": f, "meters": "all", "note": str(i)} for i, f in enumerate((one, other))))
    )
    for line in charge(compiled, submission(found)).lines:
        rate = line.rate.rate
        exact = Fraction(rate.price) * Fraction(one) * Fraction(other) * Fraction(line.quantity) / rate.per
        assert line.amount_e10 == e10_from_fraction(exact)


@given(
    quantities,
    st.lists(st.tuples(factors, meter_sets, conditions), max_size=3),
    st.sampled_from([None, "us", "global"]),
    st.sampled_from([None, "batch"]),
)
def test_the_quick_ways_agree_with_looking_at_every_condition(
    found: Any, items: list[Any], region: str | None, processing: str | None
) -> None:
    stated = [{"factor": f, "meters": m, "when": w, "note": str(i)} for i, (f, m, w) in enumerate(items)]
    for rates in (RATES, RATES[:4]):
        compiled = compile_price(multiplied(*stated, rates=rates))
        usage = submission(found, region=region, processing=processing)
        slow = charge_by_conditions(compiled, usage)
        assert charge(compiled, usage).amount_e10 == slow.amount_e10 == total_e10(compiled, usage)


def test_a_call_pays_for_a_least_quantity_where_it_uses_the_meter_at_all() -> None:
    whisper = price({"meter": "seconds", "price": "0.36", "per": 3600, "minimum_quantity": 10})
    found = [cost(whisper, {"seconds": s}) for s in (1, 10, 11, Decimal("9.5"), Decimal("10.5"))]
    assert found == ["0.001", "0.001", "0.0011", "0.001", "0.00105"]
    assert cost(whisper, {"requests": 1}) == "0"
    assert whisper.rates[0].to_json()["minimum_quantity"] == 10


def test_a_price_s_terms_come_back_as_they_were() -> None:
    one = multiplied(US, {"factor": "0.5", "meters": ["output"], "when": {"context_tokens": {"gt": 5}}})
    assert terms_from_json(one.terms_to_json()) == (one.rates, one.multipliers)
    assert one.multipliers[0].to_json() == {**US, "meters": "tokens"}
    with pytest.raises(ValueError, match="cannot be read"):
        terms_from_json([{"factor": "many"}])


def test_every_fault_is_named() -> None:
    assert faults({"factor": "-1"}, {"factor": 1.5}, {}) == {
        ("multipliers[0].factor", "out_of_range"),
        ("multipliers[1].factor", "invalid_type"),
        ("multipliers[2].factor", "invalid_type"),
    }
    assert faults({"factor": "1", "meters": ["tokens"]}, {"factor": "1", "meters": []}, "x") == {
        ("multipliers[0].meters", "unknown_meter"),
        ("multipliers[1].meters", "unknown_meter"),
        ("multipliers[2]", "invalid_type"),
    }
    assert faults({"factor": "1", "when": {"moon": "full"}, "note": 5, "rate": 1}) == {
        ("multipliers[0].when.moon", "unknown_field"),
        ("multipliers[0].note", "invalid_type"),
        ("multipliers[0].rate", "unknown_field"),
    }
    assert faults(US, {**US, "factor": "1.2"}) == {("multipliers[1]", "duplicate")}
    assert faults(US, {**US, "note": "another reason"}) == set()
    assert multipliers_from_json("x")[1][0].reason == "invalid_type"
    assert multipliers_from_json([US] * 101)[1][0].reason == "too_many"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
hostile = st.fixed_dictionaries(
    {},
    optional={
        "factor": anything | st.just("1.5"),
        "meters": anything | st.just("all"),
        "when": anything | st.dictionaries(st.sampled_from(["region", "not_region", "context_tokens"]), anything),
        "note": anything,
    },
)


@given(st.lists(hostile | anything, max_size=5))
def test_any_value_is_read_or_refused_with_a_reason(items: list[Any]) -> None:
    found, problems = multipliers_from_json(items)
    assert all(problem.field and problem.reason for problem in problems)
    if not problems:
        assert multipliers_from_json([m.to_json() for m in found])[0] == found
