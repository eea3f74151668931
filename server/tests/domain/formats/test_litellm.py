"""LiteLLM's rows: what its counts include, what is its own opinion, and what is no usage."""

from typing import Any

import pytest

from cost_ops.domain.formats.reading import Told
from cost_ops.domain.usage import FlatCounts, disjoint
from tests.domain.formats.converted import converted, fields, skipped

ROW = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "spend": 0,
    "startTime": "2026-03-02T09:15:00Z",
    "endTime": "2026-03-02T09:15:02Z",
    "model": "claude-sonnet-4-5",
    "custom_llm_provider": "anthropic",
    "prompt_tokens": 5000,
    "completion_tokens": 200,
    "total_tokens": 5200,
}


def with_usage(**usage: Any) -> dict[str, Any]:
    return {**ROW, "metadata": {"usage_object": {"prompt_tokens": 5000, "completion_tokens": 200, **usage}}}


def test_the_usage_object_tells_more_than_the_columns() -> None:
    details = {"cached_tokens": 3000, "cache_creation_tokens": 1500, "audio_tokens": 0}
    details["cache_creation_token_details"] = {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1000}  # type: ignore[assignment]
    (found,) = fields(
        "litellm",
        with_usage(prompt_tokens_details=details, completion_tokens_details={"reasoning_tokens": 50}, server_tool_use={"web_search_requests": 2}),
    )  # fmt: skip
    counts = {n: c for n, c in found.items() if n.endswith("_tokens") or n == "web_searches"}
    assert counts == {
        "input_tokens": 5000,
        "cached_tokens": 3000,
        "cache_write_tokens": 500,
        "cache_write_1h_tokens": 1000,
        "output_tokens": 200,
        "reasoning_tokens": 50,
        "web_searches": 2,
    }
    assert "counting" not in found


def test_columns_are_read_where_there_is_no_usage_object() -> None:
    (found,) = fields("litellm", {**ROW, "metadata": '{"additional_usage_values": {"cache_read_input_tokens": 3000}}'})
    assert (found["input_tokens"], found["cached_tokens"], found["output_tokens"]) == (5000, 3000, 200)


def test_counts_that_prove_another_convention_are_flagged() -> None:
    (found,) = fields("litellm", with_usage(prompt_tokens=500, cache_read_input_tokens=3000))
    assert (found["counting"], found["estimated"]) == ("exclusive", True)


def test_images_that_were_cached_too_do_not_make_a_record_impossible() -> None:
    (found,) = fields("litellm", with_usage(prompt_tokens_details={"cached_tokens": 4000, "image_tokens": 3000}))
    assert ("input_image_tokens" in found, found["cached_tokens"], found["estimated"]) == (False, 4000, True)


@pytest.mark.parametrize("hit", [True, "true", " TRUE "])
def test_an_answer_from_litellms_own_cache_is_a_free_request_without_tokens(hit: Any) -> None:
    (found,) = fields("litellm", {**ROW, "cache_hit": hit, "saved_cache_cost": 0.0255, "id": "x"})
    assert (found["provider"], found["requests"], found["reported_cost"]) == ("litellm", 1, "0")
    assert found["tags"] == {"cache_hit": "true"}
    assert found["metadata"]["litellm_input_tokens"] == 5000
    assert "input_tokens" not in found
    assert "response_id" not in found


def test_a_failed_call_is_skipped_unless_it_used_something() -> None:
    none = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "status": "failure"}
    assert skipped("litellm", {**ROW, **none}) == ["failed without usage"]
    assert len(fields("litellm", {**ROW, "status": "failure"})) == 1


def test_only_a_total_is_handed_on_as_a_total() -> None:
    (found,) = fields("litellm", {**ROW, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 70})
    assert found["total_tokens"] == 70
    assert "input_tokens" not in found


def test_the_provider_named_by_the_user_comes_after_the_rows_own_and_before_a_guess() -> None:
    told = Told("azure")
    rows = [{**ROW, "custom_llm_provider": p, "model": m} for p, m in (("openai", "gpt-4o"), ("", "gpt-4o"))]
    assert [f["provider"] for f in fields("litellm", *rows, told=told)] == ["openai", "azure"]
    assert [f["provider"] for f in fields("litellm", rows[1])] == ["openai"]


def test_who_used_it_is_the_end_user_before_the_owner_of_the_key() -> None:
    (owner,) = fields("litellm", {**ROW, "user": "ana", "end_user": ""})
    (customer,) = fields("litellm", {**ROW, "user": "ana", "end_user": "customer-3"})
    assert (owner["user_id"], customer["user_id"]) == ("ana", "customer-3")


def test_impossible_counts_are_handed_on_to_be_refused_by_name() -> None:
    (found,) = converted("litellm", [{**ROW, "prompt_tokens": "many"}])
    assert found.fields["input_tokens"] == "many"


def test_what_comes_out_is_what_litellm_counted() -> None:
    (found,) = fields(
        "litellm", with_usage(prompt_tokens_details={"cached_tokens": 3000, "cache_creation_tokens": 1500})
    )
    counts = FlatCounts(**{n: c for n, c in found.items() if n.endswith("_tokens")})
    assert disjoint(counts, None, "inclusive", []).quantities == {
        "input": 500,
        "input_cache_read": 3000,
        "input_cache_write_5m": 1500,
        "output": 200,
    }
