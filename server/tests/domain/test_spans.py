"""Spans of the instrumentations that people use, read as usage: each call once, every token once."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.span_counting import counted
from cost_ops.domain.span_emitters import EXCLUSIVE, counts_exclusively
from cost_ops.domain.span_names import COUNTS, KNOWN, TEXTS
from cost_ops.domain.span_nesting import ANCESTORS, distinct
from cost_ops.domain.span_providers import host_of, maker_of
from cost_ops.domain.spans import Resource, Span, read_resource, usage_of

START = 1_772_442_900_000_000_000
COUNT_FIELDS = (*COUNTS, "estimated")

OTEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-AbCdEfGhIjKlMnOpQr",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}
NAMELESS = {name: value for name, value in OTEL.items() if "response" not in name}
OPENLLMETRY = {
    "gen_ai.system": "Anthropic",
    "gen_ai.request.model": "claude-3-5-sonnet-20240620",
    "gen_ai.usage.prompt_tokens": 1167,
    "gen_ai.usage.completion_tokens": 187,
    "llm.usage.total_tokens": 1354,
    "gen_ai.usage.cache_read_input_tokens": 1163,
    "gen_ai.usage.cache_creation_input_tokens": 0,
    "llm.request.type": "chat",
    "gen_ai.prompt.0.content": "Hello",
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 1200,
    "llm.token_count.completion": 300,
    "llm.token_count.total": 1500,
    "llm.token_count.prompt_details.cache_read": 1024,
    "llm.token_count.completion_details.reasoning": 192,
    "session.id": "s-1",
    "user.id": "ana",
    "tag.tags": ["beta", "team:search"],
    "metadata": '{"experiment": "b", "nested": {"left": "out"}}',
}
PYDANTIC_AI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.usage.input_tokens": 130_213,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.details.cache_read_tokens": 128_955,
    "gen_ai.usage.details.cache_write_tokens": 1253,
}
AI_SDK_5 = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.provider": "anthropic.messages",
    "ai.model.id": "claude-sonnet-4-5",
    "ai.usage.inputTokens": 12,
    "ai.usage.outputTokens": 30,
    "ai.usage.cachedInputTokens": 6209,
    "gen_ai.system": "anthropic.messages",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 30,
}
AI_SDK_6 = {
    **AI_SDK_5,
    "ai.usage.inputTokens": 6221,
    "gen_ai.usage.input_tokens": 6221,
    "ai.usage.inputTokenDetails.cacheReadTokens": 6209,
}
LANGSMITH = {
    "langsmith.span.kind": "LLM",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.total_tokens": 15,
}


def span(attributes: dict[str, Any], **more: Any) -> Span:
    about = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_id": "",
        "start_ns": START,
        "end_ns": START + 1_500_000_000,
    }
    return Span(attributes=attributes, **{**about, **more})


def usage(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = usage_of(span(attributes, **more))
    assert found is not None
    return found


def counts(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: value for name, value in usage(attributes, **more).items() if name in COUNT_FIELDS and value}


@pytest.mark.parametrize(
    ("attributes", "scope", "expected"),
    [
        (OTEL, ("opentelemetry.instrumentation.openai_v2", "2.3"), {"input_tokens": 100, "output_tokens": 20}),
        (
            OPENLLMETRY,
            ("opentelemetry.instrumentation.anthropic", "0.33.3"),
            {"input_tokens": 1167, "output_tokens": 187, "cached_tokens": 1163},
        ),
        (
            OPENINFERENCE,
            ("openinference.instrumentation.openai", "0.1.30"),
            {"input_tokens": 1200, "output_tokens": 300, "cached_tokens": 1024, "reasoning_tokens": 192},
        ),
        (
            PYDANTIC_AI,
            ("pydantic-ai", "1.2.0"),
            {"input_tokens": 130_213, "output_tokens": 50, "cached_tokens": 128_955, "cache_write_tokens": 1253},
        ),
        (AI_SDK_5, ("ai", ""), {"input_tokens": 6221, "output_tokens": 30, "cached_tokens": 6209}),
        (AI_SDK_6, ("ai", ""), {"input_tokens": 6221, "output_tokens": 30, "cached_tokens": 6209}),
        (LANGSMITH, ("langsmith", ""), {"input_tokens": 10, "output_tokens": 5}),
    ],
    ids=["otel", "openllmetry", "openinference", "pydantic-ai", "ai-sdk-5", "ai-sdk-6", "langsmith"],
)
def test_each_emitter_is_read_by_its_own_convention(
    attributes: dict[str, Any], scope: tuple[str, str], expected: dict[str, int]
) -> None:
    assert counts(attributes, scope_name=scope[0], scope_version=scope[1]) == expected


def test_a_span_becomes_a_whole_usage_record() -> None:
    resource = read_resource(
        {
            "service.name": "shop",
            "deployment.environment.name": "prod",
            "cost_ops.project_id": "p-1",
            "cost_ops.team_id": "search",
            "cost_ops.tag.cell": "7",
            "cost_ops.organization_id": "org-123",
        }
    )
    attributes = {**OTEL, "gen_ai.conversation.id": "c-9", "user.id": 42, "cost_ops.tag.feature": "reply"}
    assert usage(attributes, resource=resource) == {
        "organization_id": "org-123",
        "project_id": "p-1",
        "team_id": "search",
        "session_id": "c-9",
        "user_id": "42",
        "timestamp": usage(OTEL)["timestamp"],
        "latency_ms": 1500,
        "tags": {"service": "shop", "env": "prod", "cell": "7", "feature": "reply"},
        "idempotency_key": f"otel:{'a' * 32}:{'b' * 16}",
        "provider": "openai",
        "model_id": "gpt-4o-2024-08-06",
        "requested_model_id": "gpt-4o",
        "response_id": "chatcmpl-AbCdEfGhIjKlMnOpQr",
        "input_tokens": 100,
        "output_tokens": 20,
    }


def test_openinference_says_who_and_why_as_well() -> None:
    found = usage(OPENINFERENCE)
    assert (found["session_id"], found["user_id"]) == ("s-1", "ana")
    assert found["tags"] == {"beta": "true", "team": "search"}
    assert found["metadata"] == {"experiment": "b"}


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({"http.request.method": "GET"}, ""),
        ({}, ""),
        ({**OTEL, "gen_ai.operation.name": "invoke_agent"}, ""),
        ({**OTEL, "gen_ai.operation.name": "create_agent"}, ""),
        ({**OTEL, "gen_ai.operation.name": "execute_tool"}, ""),
        ({**OTEL, "gen_ai.operation.name": "invoke_workflow"}, ""),
        ({**OTEL, "gen_ai.operation.name": "fetch_response"}, ""),
        ({**OPENINFERENCE, "openinference.span.kind": "CHAIN"}, ""),
        ({**OPENINFERENCE, "openinference.span.kind": "AGENT"}, ""),
        ({**OPENINFERENCE, "openinference.span.kind": "TOOL"}, ""),
        ({**OPENLLMETRY, "traceloop.span.kind": "workflow"}, ""),
        ({**OPENLLMETRY, "traceloop.span.kind": "task"}, ""),
        ({**LANGSMITH, "langsmith.span.kind": "chain"}, ""),
        ({**AI_SDK_6, "ai.operationId": "ai.generateText"}, "ai"),
        ({**AI_SDK_6, "ai.operationId": "ai.streamText"}, "ai"),
        ({k: v for k, v in PYDANTIC_AI.items() if k != "gen_ai.operation.name"}, "pydantic-ai"),
        ({**OTEL, "logfire.span_type": "pending_span"}, ""),
        ({k: v for k, v in OTEL.items() if "usage" not in k} | {"error.type": "timeout"}, ""),
        ({**OTEL, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, ""),
    ],
)
def test_what_is_no_call_or_repeats_the_sums_of_calls_is_no_usage(attributes: dict[str, Any], scope: str) -> None:
    assert usage_of(span(attributes, scope_name=scope)) is None


@pytest.mark.parametrize("kind", ["LLM", "EMBEDDING", "RERANKER"])
def test_the_kinds_of_openinference_that_are_calls_count(kind: str) -> None:
    assert counts({**OPENINFERENCE, "openinference.span.kind": kind})["input_tokens"] == 1200


def test_a_failed_call_that_states_usage_counts() -> None:
    assert counts({**OTEL, "error.type": "timeout"}) == {"input_tokens": 100, "output_tokens": 20}


def test_an_embedding_has_input_tokens_only() -> None:
    attributes = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
    }
    assert counts({**attributes, "gen_ai.usage.input_tokens": 8}) == {"input_tokens": 8}
    assert counts({**attributes, "llm.usage.total_tokens": 8}) == {"input_tokens": 8}


def test_the_newest_name_wins_and_empty_values_give_way() -> None:
    both = {**OTEL, "gen_ai.usage.prompt_tokens": 7, "gen_ai.system": "azure", "gen_ai.response.model": ""}
    assert usage(both)["input_tokens"] == 100
    assert usage(both)["provider"] == "openai"
    assert usage(both)["model_id"] == "gpt-4o"
    assert "requested_model_id" not in usage(both)


def test_a_count_may_be_written_in_several_ways() -> None:
    ways: list[tuple[Any, int]] = [(12, 12), (12.0, 12), ("12", 12), (2**53, 2**53), (1e15, 10**15)]
    for value, expected in ways:
        assert usage({**OTEL, "gen_ai.usage.input_tokens": value})["input_tokens"] == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, "negative"),
        ("-2", "negative"),
        (-3.0, "negative"),
        (1.5, "not_integer"),
        (float("nan"), "not_integer"),
        (float("inf"), "not_integer"),
        ("many", "not_integer"),
        ("1e3", "not_integer"),
        ("٣", "not_integer"),
        ("9" * 40, "not_integer"),
        (True, "not_integer"),
        ([1], "not_integer"),
    ],
)
def test_a_count_that_is_none_is_a_named_fault(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        usage_of(span({**OTEL, "gen_ai.usage.input_tokens": value}))
    assert [(p.field, p.reason) for p in refused.value.problems] == [("gen_ai.usage.input_tokens", reason)]


def test_every_fault_of_a_span_is_named() -> None:
    attributes = {"gen_ai.usage.input_tokens": -1, "gen_ai.usage.output_tokens": "x"}
    with pytest.raises(InvalidInput) as refused:
        usage_of(span(attributes, trace_id="0" * 32, span_id="short"))
    assert {p.field for p in refused.value.problems} == {
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "trace_id",
        "span_id",
        "gen_ai.response.model",
        "gen_ai.provider.name",
    }


@pytest.mark.parametrize(
    ("address", "provider", "region"),
    [
        ("api.deepseek.com", "deepseek", None),
        ("shop.openai.azure.com", "azure", None),
        ("openrouter.ai", "openrouter", None),
        ("https://api.openai.com", "openai", None),
        ("eu.api.openai.com", "openai", None),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "aws", "eu-central-1"),
        ("us-east5-aiplatform.googleapis.com", "google", "us-east5"),
        ("aiplatform.googleapis.com", "google", None),
        ("localhost", "openai", None),
        ("api.openai.com.evil.example", "openai", None),
        ("notapi.deepseek.com.example", "openai", None),
    ],
)
def test_the_host_that_answered_says_who_sends_the_bill(address: str, provider: str, region: str | None) -> None:
    found = usage({**OTEL, "server.address": address})
    assert (found["provider"], found.get("region")) == (provider, region)


def test_a_host_is_known_by_its_whole_name() -> None:
    assert host_of("api.openai.com.evil.example").provider is None
    assert host_of("xapi.openai.com").provider is None


def test_a_framework_in_the_providers_place_gives_way_and_the_guess_is_marked() -> None:
    found = usage({**OTEL, "gen_ai.provider.name": "Langchain"})
    assert (found["provider"], found["estimated"]) == ("openai", True)
    assert "provider" in found["metadata"]["provider_note"]
    assert (
        usage({**OTEL, "gen_ai.provider.name": "gcp.vertex.agent", "gen_ai.response.model": "gemini-2.5-pro"})[
            "provider"
        ]
        == "google"
    )
    named = usage({**OTEL, "gen_ai.provider.name": "strands-agents", "gen_ai.system": "aws.bedrock"})
    assert (named["provider"], named.get("estimated")) == ("aws.bedrock", None)


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "aws"),
        ("claude-sonnet-4-5", "anthropic"),
        ("o3-mini", "openai"),
        ("o3", "openai"),
        ("models/gemini-2.5-pro", "google"),
        ("orca-2", None),
        ("my-model", None),
    ],
)
def test_a_models_name_gives_its_maker_away_or_does_not(model: str, maker: str | None) -> None:
    assert maker_of(model) == maker


@pytest.mark.parametrize(
    ("stated", "exclusive", "expected", "estimated"),
    [
        # inclusive, as the conventions say
        ({"input_tokens": 100, "output_tokens": 5, "cached_tokens": 60}, False, (100, 5), False),
        # an emitter that is known to leave cached tokens out
        ({"input_tokens": 40, "output_tokens": 5, "cached_tokens": 60}, True, (100, 5), False),
        ({"input_tokens": 40, "output_tokens": 5, "cached_tokens": 60, "total_tokens": 45}, True, (100, 5), False),
        # it gives itself away
        ({"input_tokens": 40, "output_tokens": 5, "cached_tokens": 60}, False, (100, 5), True),
        ({"input_tokens": 4, "output_tokens": 5, "cached_tokens": 2, "cache_write_tokens": 9}, False, (15, 5), True),
        # the total decides
        ({"input_tokens": 70, "output_tokens": 5, "cached_tokens": 60, "total_tokens": 135}, False, (130, 5), False),
        ({"input_tokens": 70, "output_tokens": 5, "cached_tokens": 60, "total_tokens": 75}, False, (70, 5), False),
        # thinking inside the answer, beside it by the total, beside it because it does not fit
        ({"input_tokens": 10, "output_tokens": 9, "reasoning_tokens": 4}, False, (10, 9), False),
        ({"input_tokens": 10, "output_tokens": 9, "reasoning_tokens": 4, "total_tokens": 23}, False, (10, 13), False),
        ({"input_tokens": 10, "output_tokens": 9, "reasoning_tokens": 12}, False, (10, 21), True),
        # a total that nothing explains
        ({"input_tokens": 10, "output_tokens": 9, "total_tokens": 99}, False, (10, 9), True),
        # audio that was cached
        ({"input_tokens": 10, "cached_tokens": 8, "input_audio_tokens": 8}, False, (10, 0), True),
    ],
)
def test_counts_are_brought_to_one_convention(
    stated: dict[str, int], exclusive: bool, expected: tuple[int, int], estimated: bool
) -> None:
    found = counted(stated, exclusive=exclusive)
    assert (found.fields["input_tokens"], found.fields["output_tokens"]) == expected
    assert found.estimated is estimated
    assert bool(found.notes) or not estimated


def test_a_lying_emitter_is_flagged_with_the_reason() -> None:
    found = usage({**OTEL, "gen_ai.usage.cache_read.input_tokens": 900})
    assert found["estimated"] is True
    assert found["input_tokens"] == 1000
    assert "900" in found["metadata"]["counting_note"]


def test_an_exclusive_emitter_is_known_by_provider_version_and_attributes() -> None:
    def known(version: str, provider: str = "anthropic") -> bool:
        return counts_exclusively("openinference.instrumentation.langchain", version, provider, {})

    assert known("0.1.54")
    assert not known("0.1.55")
    assert not known("0.2.0")
    assert not known("")
    assert not known("0.1.54", provider="openai")
    assert all(row.source.startswith("https://") for row in EXCLUSIVE)


def family(*calls: tuple[str, str, dict[str, Any]], **more: Any) -> dict[str, dict[str, Any]]:
    """What is kept of (span, parent, attributes), by span."""
    spans = [span(given, span_id=own * 16, parent_id=above * 16, **more) for own, above, given in calls]
    parents = {(s.trace_id, s.span_id): s.parent_id for s in spans}
    found = distinct([(s, read) for s in spans if (read := usage_of(s)) is not None], parents)
    return {s.span_id[0]: dict(read) for s, read in found}


def test_a_call_seen_by_two_instrumentations_counts_once_and_the_inner_one_stays() -> None:
    assert set(family(("1", "", NAMELESS), ("2", "1", OTEL))) == {"2"}
    assert set(family(("2", "1", OTEL), ("1", "", NAMELESS))) == {"2"}
    assert set(family(("1", "", OTEL), ("2", "1", {**OTEL, "gen_ai.usage.output_tokens": 21}))) == {"2"}
    assert set(family(("1", "", OTEL), ("2", "1", OTEL), ("3", "2", OTEL))) == {"3"}


def test_what_only_the_outer_span_said_is_kept() -> None:
    outer = {**NAMELESS, "gen_ai.usage.cache_read.input_tokens": 60, "user.id": "ana"}
    (kept,) = family(("1", "", outer), ("2", "1", OTEL)).values()
    assert (kept["cached_tokens"], kept["user_id"], kept["response_id"]) == (60, "ana", OTEL["gen_ai.response.id"])
    assert kept["idempotency_key"].endswith("2" * 16)


def test_how_tokens_are_parted_comes_from_one_span() -> None:
    outer = {**NAMELESS, "gen_ai.usage.cache_creation.input_tokens": 60, "gen_ai.usage.reasoning.output_tokens": 9}
    inner = {**NAMELESS, "gen_ai.usage.cache_read.input_tokens": 50}
    (kept,) = family(("1", "", outer), ("2", "1", inner)).values()
    assert (kept["cached_tokens"], kept["reasoning_tokens"]) == (50, 9)
    assert "cache_write_tokens" not in kept


def test_other_counts_another_model_or_another_answer_is_another_call() -> None:
    assert len(family(("1", "", NAMELESS), ("2", "1", {**NAMELESS, "gen_ai.usage.output_tokens": 21}))) == 2
    other = {**NAMELESS, "gen_ai.request.model": "gpt-4"}
    assert len(family(("1", "", {**NAMELESS, "gen_ai.request.model": "gpt-4o"}), ("2", "1", other))) == 2
    assert len(family(("1", "", OTEL), ("2", "1", {**OTEL, "gen_ai.response.id": "chatcmpl-" + "z" * 20}))) == 2
    assert len(family(("1", "3", NAMELESS), ("2", "3", NAMELESS))) == 2


def beside(*calls: tuple[str, str, int, int], parent: str = "", **more: str) -> set[int]:
    """Which of (scope, trace, start, end) are kept; all have the same model, counts and span above."""
    spans = [
        span(NAMELESS, span_id=f"{n + 1:016x}", parent_id=parent, trace_id=trace * 32, scope_name=scope)._replace(
            start_ns=START + start, end_ns=START + end
        )
        for n, (scope, trace, start, end) in enumerate(calls)
    ]
    found = distinct([(s, usage_of(s) or {}) for s in spans], {})
    return {int(s.span_id, 16) - 1 for s, _ in found}


def test_a_frameworks_span_that_is_not_handed_down_is_known_by_its_time() -> None:
    assert beside(("openai", "a", 10, 20), ("langchain", "a", 5, 25), parent="d" * 16) == {0}
    assert beside(("langchain", "b", 5, 25), ("openai", "a", 10, 20)) == {1}
    assert beside(("a", "a", 0, 9), ("b", "a", 1, 8), ("c", "a", 2, 7)) == {2}
    parallel = (("langchain", "a", 0, 90), ("openai", "a", 1, 80), ("langchain", "a", 2, 91), ("openai", "a", 3, 85))
    assert beside(*parallel, parent="d" * 16) == {1, 3}
    inside_each_other = (("lc", "a", 0, 90), ("openai", "a", 1, 80), ("lc", "a", 2, 70), ("openai", "a", 3, 60))
    assert beside(*inside_each_other, parent="d" * 16) == {1, 3}
    assert len(beside(*(("lc", "a", 0, 9), ("openai", "a", 0, 9)) * 8)) == 8


def test_calls_of_one_instrumentation_or_at_other_times_are_calls_of_their_own() -> None:
    assert beside(("openai", "a", 10, 20), ("openai", "a", 5, 25)) == {0, 1}
    assert beside(("openai", "a", 10, 30), ("langchain", "a", 5, 25)) == {0, 1}
    assert beside(("openai", "a", 10, 20), ("langchain", "b", 5, 25), parent="d" * 16) == {0, 1}
    assert beside(("langchain", "a", 5, 25), ("openai", "a", 6, 10), ("openai", "a", 12, 20)) == {1, 2}


def test_spans_between_the_two_are_looked_through_and_circles_end() -> None:
    outer, inner = span(OTEL, span_id="1" * 16), span(OTEL, span_id="3" * 16, parent_id="2" * 16)
    calls = [(outer, usage(OTEL)), (inner, usage(OTEL))]
    trace = outer.trace_id
    assert distinct(calls, {(trace, "3" * 16): "2" * 16, (trace, "2" * 16): "1" * 16}) == [calls[1]]
    assert len(distinct(calls, {(trace, "3" * 16): "2" * 16, (trace, "2" * 16): "3" * 16})) == 2
    chain = {(trace, f"{n:016x}"): f"{n + 1:016x}" for n in range(10 * ANCESTORS)}
    far = [(span(OTEL, span_id=f"{n:016x}", parent_id=f"{n + 1:016x}"), usage(OTEL)) for n in (0, 9 * ANCESTORS)]
    assert len(distinct(far, chain)) == 2
    ring = [(span(OTEL, span_id=own * 16, parent_id=above * 16), usage(OTEL)) for own, above in ("12", "21")]
    assert len(distinct(ring, {})) == 1


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_however_spans_lie_a_call_is_never_lost_and_never_made(family_tree: list[tuple[int, int, int, int]]) -> None:
    spans = [
        span(
            OTEL, span_id=f"{own + 1:016x}", parent_id=f"{above + 1:016x}" if above else "", scope_name=str(begun % 3)
        )._replace(start_ns=START + begun, end_ns=START + begun + lasted)
        for own, above, begun, lasted in family_tree
    ]
    calls = [(s, usage_of(s) or {}) for s in spans]
    kept = distinct(calls, {(s.trace_id, s.span_id): s.parent_id for s in spans})
    assert bool(kept) == bool(calls)
    assert all(any(s is other for other, _ in calls) for s, _ in kept)
    assert len({id(s) for s, _ in kept}) == len(kept)


numbers = st.integers(0, 10**6)


@given(numbers, numbers, numbers, numbers, st.integers(0, 10**6), st.booleans(), st.booleans())
def test_every_stated_token_counts_exactly_once(
    fresh: int, read: int, written: int, spoken: int, thought: int, inclusive: bool, with_total: bool
) -> None:
    """Whichever way an emitter counts, its tokens come out the same: said by a row, or by the total."""
    stated = {
        "input_tokens": fresh + (read + written if inclusive else 0),
        "output_tokens": spoken + thought,
        "cached_tokens": read,
        "cache_write_tokens": written,
        "reasoning_tokens": thought,
    }
    if with_total:
        stated["total_tokens"] = fresh + read + written + spoken + thought
    found = counted({k: v for k, v in stated.items() if v}, exclusive=not inclusive)
    assert not found.estimated
    assert found.fields.get("input_tokens", 0) == fresh + read + written
    assert found.fields.get("output_tokens", 0) == spoken + thought


values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20), st.lists(st.text())
)


@given(
    st.dictionaries(st.one_of(st.sampled_from(sorted(KNOWN)), st.just("cost_ops.tag.x")), values, max_size=30),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.text(max_size=40),
)
def test_any_attributes_are_usage_or_not_or_a_named_fault(
    attributes: dict[str, Any], start_ns: int, end_ns: int, span_id: str
) -> None:
    resource = read_resource(attributes)
    read = span(attributes, start_ns=start_ns, end_ns=end_ns, span_id=span_id, scope_name="ai", resource=resource)
    problems: Sequence[Problem] = ()
    found = None
    try:
        found = usage_of(read)
    except InvalidInput as refused:
        problems = refused.problems
    assert all(p.field and p.message for p in problems)
    assert found is None or (found["model_id"] and found["provider"] and found["idempotency_key"])


def test_no_attribute_means_two_things() -> None:
    names = [name for table in (COUNTS, TEXTS) for group in table.values() for name in group]
    assert len(names) == len(set(names))


def test_a_resource_without_attributes_says_nothing() -> None:
    assert read_resource({}) == Resource()
