"""Every token stands in exactly one bucket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import Problem
from cost_ops.domain.usage import Buckets, FlatCounts, disjoint, token_totals
from tests.domain.builders import cost, price

tokens = st.integers(0, 10**9)
PRICE = price(
    {"meter": "input", "price": "3"},
    {"meter": "input_cache_read", "price": "0.3"},
    {"meter": "input_cache_write_1h", "price": "6"},
    {"meter": "output", "price": "15"},
)


def normalised(counting: Any = "inclusive", counters: Any = None, **counts: int) -> tuple[Buckets, list[Problem]]:
    problems: list[Problem] = []
    return disjoint(FlatCounts(**counts), counters, counting, problems), problems


@given(tokens, tokens, tokens, tokens, tokens)
def test_inclusive_and_exclusive_descriptions_of_the_same_usage_are_the_same(
    fresh: int, cached: int, written: int, spoken: int, thought: int
) -> None:
    parts = {"cached_tokens": cached, "cache_write_1h_tokens": written, "reasoning_tokens": thought}
    outside, _ = normalised("exclusive", input_tokens=fresh, output_tokens=spoken, **parts)
    whole = {"input_tokens": fresh + cached + written, "output_tokens": spoken + thought}
    inside, problems = normalised("inclusive", total_tokens=sum(whole.values()), **whole, **parts)
    assert inside.quantities == outside.quantities
    assert token_totals(inside.quantities) == (whole["input_tokens"], whole["output_tokens"])
    if inside.quantities:
        assert not problems
        assert cost(PRICE, inside.quantities) == cost(PRICE, outside.quantities)


def test_cached_tokens_are_inside_the_input_count() -> None:
    found, problems = normalised(input_tokens=1000, output_tokens=500, cached_tokens=400, reasoning_tokens=100)
    assert found.quantities == {"input": 600, "input_cache_read": 400, "output": 400, "output_reasoning": 100}
    assert not problems


def test_only_a_total_counts_as_output_and_is_marked_estimated() -> None:
    found, problems = normalised(total_tokens=42)
    assert (found.quantities, found.estimated, problems) == ({"output": 42}, True, [])


@pytest.mark.parametrize(
    ("counts", "reason", "field"),
    [
        ({"input_tokens": 10, "output_tokens": 1, "cached_tokens": 11}, "exceeds_total", "cached_tokens"),
        ({"input_tokens": 10, "output_tokens": 1, "reasoning_tokens": 2}, "exceeds_total", "reasoning_tokens"),
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 16}, "total_mismatch", "total_tokens"),
        ({"input_tokens": 0, "output_tokens": 0}, "nothing_used", "input_tokens"),
        ({}, "missing_required_field", "input_tokens"),
        ({"total_tokens": 10, "cached_tokens": 2}, "missing_required_field", "input_tokens"),
    ],
)
def test_a_contradiction_is_named(counts: dict[str, int], reason: str, field: str) -> None:
    _, problems = normalised(**counts)
    assert (problems[0].reason, problems[0].field) == (reason, field)


def test_both_sides_wrong_are_both_reported() -> None:
    _, problems = normalised(input_tokens=1, output_tokens=1, cached_tokens=2, reasoning_tokens=2, total_tokens=9)
    assert [p.field for p in problems] == ["cached_tokens", "reasoning_tokens", "total_tokens"]


def test_zero_tokens_are_fine_where_something_else_was_used() -> None:
    found, problems = normalised(counters={"images": 2}, input_tokens=0, output_tokens=0)
    assert (found.quantities, problems) == ({"images": 2}, [])


def test_a_total_that_leaves_cached_tokens_out_fits_an_exclusive_sender() -> None:
    _, problems = normalised("exclusive", input_tokens=100, output_tokens=50, cached_tokens=10_000, total_tokens=150)
    assert not problems
