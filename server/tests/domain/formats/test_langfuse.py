"""Langfuse's observations: buckets that exclude each other, unless the total proves that they do not."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import Problem
from cost_ops.domain.usage import FlatCounts, disjoint
from tests.domain.formats.converted import fields, skipped

OBSERVATION = {
    "id": "obs-1",
    "traceId": "trace-1",
    "type": "GENERATION",
    "startTime": "2026-03-02T09:15:00.000Z",
    "model": "gpt-4o",
    "input": "How many tokens are 1000 tokens?",
    "output": "7",
}


def counted(**details: Any) -> dict[str, Any]:
    (found,) = fields("langfuse", {**OBSERVATION, "usageDetails": details})
    return found


def buckets(found: dict[str, Any]) -> dict[str, Any]:
    problems: list[Problem] = []
    counts = FlatCounts(**{n: c for n, c in found.items() if n.endswith("_tokens")})
    result = disjoint(counts, None, found.get("counting", "inclusive"), problems)
    assert problems == []
    return result.quantities


@given(st.lists(st.integers(1, 10**6), min_size=5, max_size=5), st.booleans())
def test_both_conventions_give_the_same_buckets_where_the_total_tells_them_apart(
    counts: list[int], inclusive: bool
) -> None:
    fresh, read, written, output, reasoning = counts
    total = sum(counts)
    stated = {
        "input": fresh + (read + written if inclusive else 0),
        "input_cached_tokens": read,
        "cache_creation_input_tokens": written,
        "output": output + (reasoning if inclusive else 0),
        "output_reasoning_tokens": reasoning,
        "total": total,
    }
    found = counted(**stated)
    assert buckets(found) == {
        "input": fresh,
        "input_cache_read": read,
        "input_cache_write_5m": written,
        "output": output,
        "output_reasoning": reasoning,
    }
    assert found.get("estimated", False) is inclusive
    assert ("counting_note" in found.get("metadata", {})) is inclusive


def test_names_that_are_not_known_follow_langfuses_own_rule() -> None:
    found = counted(input=10, input_text_tokens=5, output=3, output_accepted_prediction_tokens=2, total=20)
    assert buckets(found) == {"input": 15, "output": 5}


def test_a_count_that_is_on_no_side_is_flagged() -> None:
    found = counted(input=10, output=3, tool_calls=4)
    assert (found["estimated"], found["metadata"]["counting_note"]) == (True, "neither input nor output: tool_calls")


def test_lifetimes_of_cache_writes_are_kept() -> None:
    found = counted(input=1, output=1, input_cache_creation_5m=20, input_cache_creation_1h=30)
    assert buckets(found) == {"input": 1, "input_cache_write_5m": 20, "input_cache_write_1h": 30, "output": 1}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 10, "output": 5, "total": 15, "unit": "TOKENS"}, {"input_tokens": 10, "output_tokens": 5}),
        ({"promptTokens": 10, "completionTokens": 5}, {"input_tokens": 10, "output_tokens": 5}),
        ({"total": 15, "unit": None}, {"total_tokens": 15}),
        ({"input": 900, "output": 100, "total": 1000, "unit": "CHARACTERS"}, {"characters": 1000}),
        ({"total": 1500, "unit": "MILLISECONDS"}, {"seconds": Decimal("1.5")}),
        ({"output": 2, "unit": "IMAGES"}, {"images": 2}),
    ],
)
def test_older_forms_of_usage_are_read_with_their_unit(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    (found,) = fields("langfuse", {**OBSERVATION, "usage": usage})
    assert {name: found[name] for name in expected} == expected


def test_what_was_said_is_never_taken_for_a_count() -> None:
    assert skipped("langfuse", {**OBSERVATION, "input": 1000, "output": 500}) == ["without usage"]


@pytest.mark.parametrize("kind", ["SPAN", "EVENT", "TOOL", "AGENT", "CHAIN"])
def test_only_calls_of_a_model_count(kind: str) -> None:
    assert skipped("langfuse", {**OBSERVATION, "type": kind, "usageDetails": {"input": 5}}) == ["not a call of a model"]
    assert len(fields("langfuse", {**OBSERVATION, "type": "EMBEDDING", "usageDetails": {"input": 5}})) == 1


def test_a_type_from_the_future_is_named() -> None:
    assert skipped("langfuse", {**OBSERVATION, "type": "DREAM"}) == ["of the unknown type DREAM"]


def test_its_own_cost_is_kept_beside_ours() -> None:
    (found,) = fields("langfuse", {**OBSERVATION, "usageDetails": {"input": 5}, "costDetails": {"total": "0.001"}})
    assert found["metadata"]["langfuse_cost"] == "0.001"
    assert "reported_cost" not in found


def test_snake_case_exports_are_the_same_observation() -> None:
    snake = {
        "id": "obs-1",
        "trace_id": "trace-1",
        "type": "GENERATION",
        "start_time": "2026-03-02 09:15:00.000000",
        "provided_model_name": "gpt-4o",
        "usage_details": '{"input": 5, "output": 2}',
    }
    (found,) = fields("langfuse", snake)
    (same,) = fields("langfuse", {**OBSERVATION, "usageDetails": {"input": 5, "output": 2}})
    assert found | {"timestamp": ""} == same | {"timestamp": ""}
