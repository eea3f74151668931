"""LangChain's models are tracked by a callback handler, each call once, and cost what was worked out by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import llm_cost_ops
from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.exceptions import SpendLimitExceeded
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.integrations.langchain import CostOpsCallbackHandler

QUESTION = "How cold is it in Oslo?"


def model(providers: str, handler: CostOpsCallbackHandler, **more: Any) -> ChatOpenAI:
    """A real model of LangChain, on the fake provider."""
    told = {"base_url": f"{providers}/openai-chat/v1", "model": "gpt-5", "stream_usage": True, **more}
    return ChatOpenAI(api_key="sk-test", max_retries=0, callbacks=[handler], **told)


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    client = ledger.client()
    yield client
    client.close()


@pytest.fixture
def handler(client: CostOpsClient) -> CostOpsCallbackHandler:
    return CostOpsCallbackHandler(client=client)


def of_one_call(ledger: Ledger, client: CostOpsClient) -> dict[str, Any]:
    """The one record that stands in the ledger."""
    assert client.flush(timeout=30)
    [record] = ledger.records()
    return record


def test_a_call_costs_what_was_worked_out(ledger: Ledger, client: CostOpsClient, handler: Any, providers: str) -> None:
    model(providers, handler).invoke(QUESTION)
    record = of_one_call(ledger, client)
    ledger.proved_as_worked("openai-chat", record["usage_id"])
    assert record["model_id"] == "gpt-5-2025-08-07"


def test_a_stream_costs_the_same(ledger: Ledger, client: CostOpsClient, handler: Any, providers: str) -> None:
    assert list(model(providers, handler).stream(QUESTION))
    ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


@pytest.mark.parametrize("streamed", [False, True])
def test_asynchronous_calls_cost_the_same(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, streamed: bool
) -> None:
    async def ask() -> None:
        async with httpx2.AsyncClient() as http:  # of this loop: LangChain would share one between loops
            asked = model(providers, handler, http_async_client=http)
            if streamed:
                assert [chunk async for chunk in asked.astream(QUESTION)]
            else:
                await asked.ainvoke(QUESTION)

    asyncio.run(ask())
    ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


def test_searches_are_counted_from_the_items_that_searched(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    asked = model(
        providers, handler, base_url=f"{providers}/openai-responses/v1", model="gpt-5.6-sol", use_responses_api=True
    )
    asked.invoke(QUESTION)
    assert list(asked.stream(QUESTION))
    assert client.flush(timeout=30)
    counted = [record["quantities"]["web_searches"] for record in ledger.records()]
    assert counted == [2, 2]


OF_LANGCHAIN = pytest.mark.filterwarnings("ignore:Unexpected type for token usage")
"""langchain-openai adds up two usage objects and stumbles over a detail that is None."""


@OF_LANGCHAIN
def test_a_batch_is_as_many_calls_as_it_has_inputs(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    asked = model(providers, handler)
    asked.batch([QUESTION] * 3)
    asked.generate([[HumanMessage(QUESTION)], [HumanMessage(QUESTION)]])
    asyncio.run(asked_together(providers, handler))
    assert client.flush(timeout=30)
    assert ledger.totals()[0] == 7


async def asked_together(providers: str, handler: Any) -> None:
    """Two calls at once."""
    async with httpx2.AsyncClient() as http:
        await model(providers, handler, http_async_client=http).abatch([QUESTION] * 2)


def test_nested_chains_count_a_call_once(ledger: Ledger, client: CostOpsClient, handler: Any, providers: str) -> None:
    inner = ChatPromptTemplate.from_template("{question}") | model(providers, handler)
    outer = RunnableLambda(lambda question: inner.invoke({"question": question})) | RunnableLambda(str)
    outer.invoke(QUESTION, config={"callbacks": [handler]})
    of_one_call(ledger, client)


def test_two_handlers_count_a_call_once_even_where_its_stream_has_no_id(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    second = CostOpsCallbackHandler(client=client)
    assert list(model(providers, handler).stream(QUESTION, config={"callbacks": [second]}))
    of_one_call(ledger, client)


def test_what_comes_from_langchains_cache_is_not_paid(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    asked = model(providers, handler, cache=InMemoryCache())
    asked.invoke(QUESTION)
    asked.invoke(QUESTION)
    of_one_call(ledger, client)


def test_metadata_and_tags_of_the_config_say_whom_a_call_belongs_to(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    chain = ChatPromptTemplate.from_template("{question}") | model(providers, handler)
    metadata = {"project": "search", "user": "ana", "thread_id": "t-1", "secret": "what nobody may see"}
    with cost_context(project="outer", team="web", tags={"env": "test"}):
        chain.invoke({"question": QUESTION}, config={"metadata": metadata, "tags": ["feature:answers", "beta"]})
    record = of_one_call(ledger, client)
    said = {name: record[name] for name in ("project_id", "user_id", "session_id", "team_id")}
    assert said == {"project_id": "search", "user_id": "ana", "session_id": "t-1", "team_id": "web"}
    assert record["tags"] == {"env": "test", "feature": "answers", "beta": "true"}


def test_nothing_that_was_asked_or_answered_leaves(providers: str) -> None:
    sent: list[bytes] = []
    client = CostOpsClient("sk_live_test_test", "http://127.0.0.1:9", "org", delivery=Kept(sent))
    handler = CostOpsCallbackHandler(client=client)
    model(providers, handler).invoke(QUESTION, config={"metadata": {"note": "what nobody may see"}})
    [record] = sent
    client.close()
    assert not [word for word in ("Oslo", "weather", "nobody", "tool_calls", "content") if word in record.decode()]
    assert json.loads(record)["response"]["usage"]["prompt_tokens"] == 2006


class Kept:
    """A delivery that keeps what it is given."""

    def __init__(self, sent: list[bytes]) -> None:
        self.sent = sent

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        self.sent.append(record)

    def flush(self, timeout: float | None = None) -> bool:
        return True

    def close(self, timeout: float | None = None) -> None:
        """Nothing is open."""


def test_a_stream_without_usage_is_said_to_be_unknown_and_is_not_counted_as_nothing(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = failures(client, monkeypatch)
    assert list(model(providers, handler, stream_usage=False).stream(QUESTION))
    assert client.flush(timeout=30)
    assert ledger.records() == []
    assert ["what it cost is unknown" in str(one) for one in said] == [True]


def failures(client: CostOpsClient, monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What is counted and logged from here on."""
    said: list[BaseException] = []
    monkeypatch.setattr(client.tracker, "failed", said.append)
    return said


def test_a_stream_that_is_left_and_a_call_that_fails_raise_nothing_of_ours(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    stream = model(providers, handler).stream(QUESTION)
    next(stream)
    stream.close()
    with pytest.raises(Exception, match="404"):
        model(providers, handler, base_url=f"{providers}/nowhere").invoke(QUESTION)
    assert client.flush(timeout=30)
    assert ledger.records() == []
    assert handler._runs == {}


def test_a_failure_of_ours_never_reaches_the_call(
    providers: str, client: CostOpsClient, handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("llm_cost_ops.integrations.langchain.paid_calls", broken)
    said = failures(client, monkeypatch)
    assert isinstance(model(providers, handler).invoke(QUESTION), AIMessage)
    assert [str(one) for one in said] == ["ours"]


def test_claude_is_counted_with_its_own_usage_object(ledger: Ledger, client: CostOpsClient, handler: Any) -> None:
    """What langchain-anthropic makes of a message, tried with 1.7: LangChain's usage, and Claude's beside it."""
    own = {"input_tokens": 418, "output_tokens": 733, "cache_read_input_tokens": 12032, "service_tier": "standard"}
    own["cache_creation_input_tokens"] = 3584
    own["cache_creation"] = {"ephemeral_5m_input_tokens": 1536, "ephemeral_1h_input_tokens": 2048}
    own["output_tokens_details"] = {"thinking_tokens": 240}
    own["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    answer = AIMessage(
        "Cold.",
        usage_metadata={"input_tokens": 16034, "output_tokens": 733, "total_tokens": 16767},
        response_metadata={"id": "msg_00000000000000000001", "model_name": "claude-sonnet-5", "usage": own},
    )
    asked = Claude(messages=iter([answer]), callbacks=[handler])
    asked.invoke(QUESTION)
    ledger.proved_as_worked("anthropic-messages", of_one_call(ledger, client)["usage_id"])


class Claude(GenericFakeChatModel):
    """A model of LangChain's that answers with what it is given."""

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "anthropic", "ls_model_name": "claude-sonnet-5", "ls_model_type": "chat"}


class TestWithATrackedClientBelow:
    """`instrument()` and the handler see the same call: it counts once, and belongs to whom the config says."""

    @contextmanager
    def told_below(self, client: CostOpsClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The provider's client tells of every call, whatever id the provider gives it."""
        from openai.resources.chat.completions import Completions

        original, numbers = Completions.create, iter(range(100))

        def create(self: Any, *args: Any, **kwargs: Any) -> Any:
            measured = Measured(client.tracker, "openai", kwargs.get("model"))
            answer = original(self, *args, **kwargs)
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            measured.done({"id": f"chatcmpl-below-{next(numbers):08d}", "model": "gpt-5", "usage": usage})
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(Completions, "create", create)
            yield

    def test_a_stream_counts_once(
        self, ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.told_below(client, monkeypatch):
            assert list(model(providers, handler).stream(QUESTION, config={"metadata": {"project": "search"}}))
        record = of_one_call(ledger, client)
        assert (record["project_id"], record["input_tokens"]) == ("search", 100)

    @OF_LANGCHAIN
    def test_a_batch_counts_as_many_calls_as_it_makes(
        self, ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.told_below(client, monkeypatch):
            model(providers, handler).generate([[HumanMessage(QUESTION)], [HumanMessage(QUESTION)]])
            model(providers, handler).batch([QUESTION] * 3)
        assert client.flush(timeout=30)
        assert ledger.totals()[0] == 5

    def test_a_call_that_nobody_below_tells_of_is_told_by_the_handler(
        self, ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.told_below(client, monkeypatch):
            model(providers, handler).invoke(QUESTION)
        model(providers, handler).invoke(QUESTION)
        assert client.flush(timeout=30)
        assert [record["input_tokens"] for record in ledger.records()] == [100, 2006]

    def test_a_stream_that_is_left_is_told_by_the_client_alone(
        self, ledger: Ledger, client: CostOpsClient, handler: Any
    ) -> None:
        """The framework ends before the client does, with the counts so far: they are not counted beside the client's."""

        class Left(Claude):
            messages: Any = None

            def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
                below = Measured(client.tracker, "anthropic", "claude-sonnet-5")
                usage = {"input_tokens": 418, "output_tokens": 300, "total_tokens": 718}
                try:
                    while True:
                        yield ChatGenerationChunk(message=AIMessageChunk("Cold", usage_metadata=usage))
                finally:
                    told = {"input_tokens": 418, "output_tokens": 301}
                    below.done({"id": "msg_00000000000000000002", "model": "claude-sonnet-5", "usage": told})

        stream = Left(callbacks=[handler]).stream(QUESTION, config={"metadata": {"project": "search"}})
        next(stream)
        stream.close()
        record = of_one_call(ledger, client)
        assert (record["output_tokens"], record["project_id"]) == (301, "search")

    def test_a_client_that_tells_another_ledger_takes_nothing_from_this_one(
        self, ledger: Ledger, client: CostOpsClient, handler: Any, providers: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere = CostOpsClient("sk_live_test_test", "http://127.0.0.1:9", "org", delivery=Kept([]))
        with self.told_below(elsewhere, monkeypatch):
            model(providers, handler).invoke(QUESTION)
        elsewhere.close()
        ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


def test_the_last_counts_of_claudes_stream_hold_and_not_their_sum(
    ledger: Ledger, client: CostOpsClient, handler: Any
) -> None:
    counts = [{"input_tokens": 418, "output_tokens": told, "total_tokens": 418 + told} for told in (300, 733)]
    assert list(ClaudesStream(counts=counts, callbacks=[handler]).stream(QUESTION))
    record = of_one_call(ledger, client)
    assert (record["input_tokens"], record["output_tokens"]) == (418, 733)


class ClaudesStream(Claude):
    """A stream whose counts come twice, each time those so far, as langchain-anthropic 1.7 hands them on."""

    messages: Any = None
    counts: list[Any]

    def _stream(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for usage in self.counts:
            chunk = ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=usage))
            yield chunk


def test_a_spend_limit_that_is_reached_stops_the_call(
    ledger: Ledger, client: CostOpsClient, handler: Any, providers: str
) -> None:
    asked = model(providers, handler)
    with llm_cost_ops.spend_limit(usd="0.000001"):
        asked.invoke(QUESTION)
        with pytest.raises(SpendLimitExceeded):
            asked.invoke(QUESTION)
    of_one_call(ledger, client)


def test_the_handler_takes_its_settings_from_the_environment_or_its_arguments(ledger: Ledger) -> None:
    of_arguments = CostOpsCallbackHandler(ledger.key, ledger.organization_id, ledger.url)
    again = CostOpsCallbackHandler(api_key=ledger.key, organization_id=ledger.organization_id, base_url=ledger.url)
    assert of_arguments._client is again._client
    assert of_arguments._client.settings.organization_id == ledger.organization_id
    with pytest.raises(llm_cost_ops.CostOpsError, match="COST_OPS_API_KEY"):
        CostOpsCallbackHandler()


def test_embeddings_have_no_callbacks_and_are_tracked_below() -> None:
    """What the guide says: LangChain tells handlers nothing of embeddings."""
    assert "callbacks" not in OpenAIEmbeddings.model_fields
