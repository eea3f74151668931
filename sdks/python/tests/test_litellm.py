"""litellm: every way to call it is tracked once, and costs what was worked out by hand."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from tests.providers.worked import worked_amounts
from tracked_calls import MESSAGES, QUESTION, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import cost_context, instrument, uninstrument, wrap
from llm_cost_ops.exceptions import SettingsError, SpendLimitExceeded
from llm_cost_ops.instrumentation import litellm_answers
from llm_cost_ops.instrumentation.litellm_answers import NotTold, asked_model, billed_by, told

pytestmark = [pytest.mark.filterwarnings("ignore")]
"""litellm warns of itself in many ways."""

MODELS: dict[str, dict[str, Any]] = {
    "openai-chat": {"model": "openai/gpt-5", "api_base": "/v1"},
    "azure-chat": {"model": "azure/our-deployment", "api_base": "", "api_version": "2024-10-21"},
    "anthropic-messages": {"model": "anthropic/claude-sonnet-5", "api_base": ""},
    "google-generate": {"model": "gemini/gemini-2.5-pro", "api_base": "/v1"},
    "mistral-chat": {"model": "mistral/mistral-medium-latest", "api_base": "/v1"},
    "bedrock-converse": {"model": "bedrock/converse/us.anthropic.claude-sonnet-5-v1:0", "api_base": None},
}
STREAMS = ("openai-chat", "mistral-chat", "bedrock-converse")


def asked(providers: str, case: str) -> dict[str, Any]:
    """The arguments of a call that the provider answers as in a case."""
    said = {"api_key": "test", "messages": MESSAGES, **MODELS[case]}
    if said["api_base"] is None:
        del said["api_base"]
        return {**said, "aws_bedrock_runtime_endpoint": f"{providers}/{case}", "aws_region_name": "us-east-1"}
    return {**said, "api_base": f"{providers}/{case}{said['api_base']}"}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "litellm") as found:
        yield found


def until(tracked: Tracked, calls: int) -> None:
    """Wait for litellm's own threads to have called back, and for what they told to be in the ledger."""
    deadline = time.monotonic() + 30
    while tracked.ledger.totals()[0] + len(tracked.failures) < calls and time.monotonic() < deadline:
        threading.Event().wait(0.02)


async def _astream(**said: Any) -> list[Any]:
    return [chunk async for chunk in await litellm.acompletion(stream=True, **said)]


async def _with_callbacks(tracked: Tracked, call: Any) -> None:
    """A program that goes on: litellm calls back in the loop that the call was made in."""
    await call
    await asyncio.to_thread(until, tracked, 1)


USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize("case", MODELS)
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str) -> None:
    litellm.completion(**asked(providers, case))
    until(tracked, 1)
    tracked.cost_as_worked(case)


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_costs_the_same(tracked: Tracked, providers: str, case: str) -> None:
    assert list(litellm.completion(stream=True, **USAGE, **asked(providers, case)))
    until(tracked, 1)
    tracked.cost_as_worked(case)


@pytest.mark.parametrize("case", ["openai-chat", "anthropic-messages", "google-generate"])
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str) -> None:
    asyncio.run(_with_callbacks(tracked, litellm.acompletion(**asked(providers, case))))
    tracked.cost_as_worked(case)


@pytest.mark.parametrize("case", STREAMS)
def test_an_asynchronous_stream_costs_the_same(tracked: Tracked, providers: str, case: str) -> None:
    asyncio.run(_with_callbacks(tracked, _astream(**USAGE, **asked(providers, case))))
    tracked.cost_as_worked(case)


def test_a_stream_of_gemini_costs_the_same_and_is_an_estimate_for_what_of_its_images_was_cached(
    tracked: Tracked, providers: str
) -> None:
    assert list(litellm.completion(stream=True, **asked(providers, "google-generate")))
    until(tracked, 1)
    assert tracked.ledger.records()[0]["status"] == "estimated"
    assert tracked.ledger.totals() == (1, worked_amounts()["google-generate"].total)


def test_coheres_tokens_are_an_estimate_because_litellm_does_not_tell_what_is_billed(
    tracked: Tracked, providers: str
) -> None:
    base = f"{providers}/cohere-chat/v2/chat"
    litellm.completion(model="cohere_chat/command-a-03-2025", messages=MESSAGES, api_base=base, api_key="test")
    until(tracked, 1)
    [record] = tracked.ledger.records()
    assert (record["provider"], record["status"], record["input_tokens"]) == ("cohere", "estimated", 1174)


def test_a_router_is_tracked_once_for_each_call(tracked: Tracked, providers: str) -> None:
    params = {name: value for name, value in asked(providers, "openai-chat").items() if name != "messages"}
    router = litellm.Router(model_list=[{"model_name": "any", "litellm_params": params}], num_retries=0)
    router.completion(model="any", messages=MESSAGES)
    until(tracked, 1)
    tracked.cost_as_worked("openai-chat")


def test_embeddings_are_tracked(tracked: Tracked, providers: str) -> None:
    base = f"{providers}/openai-embeddings/v1"
    litellm.embedding(model="openai/text-embedding-3-small", input=[QUESTION], api_base=base, api_key="test")
    until(tracked, 1)
    tracked.cost_as_worked("openai-embeddings")


def test_a_call_belongs_to_the_block_it_was_made_in_though_litellm_calls_back_elsewhere(
    tracked: Tracked, providers: str
) -> None:
    with cost_context(project="search", user="ana"):
        litellm.completion(**asked(providers, "openai-chat"))
        stream = litellm.completion(stream=True, **USAGE, **asked(providers, "openai-chat"))
    assert list(stream)
    until(tracked, 2)
    records = tracked.cost_as_worked("openai-chat", calls=2)
    assert {(record["project_id"], record["user_id"]) for record in records} == {("search", "ana")}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_counts_once_where_openais_client_is_tracked_too(ledger: Ledger, providers: str, streamed: bool) -> None:
    with tracking(ledger, "litellm") as tracked:
        instrument(tracked.client, only=["litellm", "openai"])
        answer = litellm.completion(stream=streamed, **asked(providers, "openai-chat"))
        if streamed:
            assert list(answer)
        base = f"{providers}/openai-embeddings/v1"
        litellm.embedding(model="openai/text-embedding-3-small", input=[QUESTION], api_base=base, api_key="test")
        litellm.completion(**asked(providers, "mistral-chat"))
        until(tracked, 3)
    assert len(tracked.kept.records) == 3
    assert ledger.totals()[0] == 3


def test_what_litellm_has_in_its_cache_was_not_paid_and_is_not_recorded(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", ModuleType("soundfile"))  # litellm's cache imports it, unasked
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    first = litellm.completion(caching=True, **asked(providers, "openai-chat"))
    until(tracked, 1)
    again = litellm.completion(caching=True, **asked(providers, "openai-chat"))
    litellm.completion(cache={"no-cache": True}, **asked(providers, "openai-chat"))
    until(tracked, 2)
    assert again.id == first.id
    tracked.cost_as_worked("openai-chat", calls=2)


def test_a_stream_that_litellm_counted_itself_is_an_estimate() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0.5}
    response = SimpleNamespace(id="chatcmpl-1", model="gpt-5", usage=usage)
    said = {"custom_llm_provider": "openai", "stream": True}
    skeleton, fields = told(said, response)
    assert fields == {"estimated": True}
    assert skeleton["usage"] == {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    assert told({**said, **USAGE}, SimpleNamespace(id="i", model="m", usage=dict(usage)))[1] == {}


def test_a_stream_that_told_nothing_is_a_counted_failure_and_no_zero() -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    with pytest.raises(NotTold) as told_nothing:
        told({"custom_llm_provider": "openai", "stream": True}, SimpleNamespace(usage=usage))
    assert told_nothing.value.paid


def test_what_nobody_pays_for_is_let_pass() -> None:
    with pytest.raises(NotTold) as free:
        told({"custom_llm_provider": "openai", "call_type": "amoderation"}, SimpleNamespace(results=[]))
    assert not free.value.paid


def test_searches_of_a_rerank_are_counted() -> None:
    response = SimpleNamespace(id="r", results=[QUESTION], meta={"billed_units": {"search_units": 2}, "x": QUESTION})
    skeleton, _ = told({"custom_llm_provider": "cohere", "call_type": "rerank"}, response)
    assert skeleton == {"id": "r", "meta": {"billed_units": {"search_units": 2}}}


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("bedrock", "converse/us.anthropic.claude-sonnet-5-v1:0", ("aws", "us.anthropic.claude-sonnet-5-v1:0")),
        ("vertex_ai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gemini", "gemini/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("azure", "our-deployment", ("azure", "our-deployment")),
        ("groq", "llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
    ],
)
def test_providers_and_models_are_named_as_their_prices_are(provider: str, model: str, expected: Any) -> None:
    said = {"custom_llm_provider": provider, "model": model}
    named = (billed_by(said), asked_model(said))
    assert named in (expected, ("bedrock", expected[1]))


def test_a_failed_call_is_not_recorded(tracked: Tracked, providers: str) -> None:
    said = {**asked(providers, "openai-chat"), "api_base": f"{providers}/not-there/v1", "num_retries": 0}
    with pytest.raises(litellm.exceptions.NotFoundError):
        litellm.completion(**said)
    tracked.nothing()


def test_a_failure_of_ours_never_reaches_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("of ours")

    monkeypatch.setattr("llm_cost_ops.instrumentation.litellm.told", broken)
    answer = litellm.completion(**asked(providers, "openai-chat"))
    until(tracked, 1)
    assert answer.choices[0].message.tool_calls
    assert [str(failure) for failure in tracked.failures] == ["of ours"]


def test_nothing_of_ours_stays_when_it_is_taken_off(ledger: Ledger) -> None:
    tracked = Tracked(ledger)
    instrument(tracked.client, only=["litellm"])
    assert any(type(one).__name__ == "CostOpsLogger" for one in litellm.callbacks)
    uninstrument()
    lists = (litellm.callbacks, litellm.success_callback, litellm._async_success_callback, litellm.input_callback)
    assert not any(type(one).__name__ == "CostOpsLogger" for found in lists for one in found)
    tracked.client.close()


def test_a_router_alone_cannot_be_wrapped(ledger: Ledger) -> None:
    tracked = Tracked(ledger)
    with pytest.raises(SettingsError, match="instrument"):
        wrap(litellm.Router(model_list=[]), tracked.client)
    uninstrument()
    tracked.client.close()


def test_the_table_of_providers_is_in_order() -> None:
    assert list(litellm_answers._BILLED_BY) == sorted(litellm_answers._BILLED_BY)


def test_a_spend_limit_that_is_reached_stops_the_next_call(tracked: Tracked, providers: str, monkeypatch: Any) -> None:
    def reached() -> Any:
        raise SpendLimitExceeded("reached")

    monkeypatch.setattr("llm_cost_ops.instrumentation.litellm.check_limits", reached)
    with pytest.raises(SpendLimitExceeded):
        litellm.completion(**asked(providers, "openai-chat"))
    with pytest.raises(SpendLimitExceeded):
        asyncio.run(litellm.acompletion(**asked(providers, "openai-chat")))
    tracked.nothing()
