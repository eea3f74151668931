"""LlamaIndex's models are tracked by an event handler, each call once, and cost what was worked out by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from openai import OpenAI

import llm_cost_ops
from ledgers import Ledger
from llm_cost_ops import CostOpsClient
from llm_cost_ops.integrations.llama_index import CostOpsEventHandler

QUESTION = "How cold is it in Oslo?"


class Model(CustomLLM):
    """A model of LlamaIndex that asks OpenAI's own client, and hands on its answers in `raw` as LlamaIndex's do."""

    asked: Any
    ask_usage: bool = True

    @classmethod
    def class_name(cls) -> str:
        return "openai_llm"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-5", is_chat_model=True)

    def _ask(self, **more: Any) -> Any:
        return self.asked.chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": QUESTION}], **more
        )

    @llm_chat_callback()
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(content="Cold."), raw=self._ask())

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def pieces() -> Iterator[ChatResponse]:
            options = {"stream_options": {"include_usage": True}} if self.ask_usage else {}
            for chunk in self._ask(stream=True, **options):
                yield ChatResponse(message=ChatMessage(content="Cold."), raw=chunk)

        return pieces()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        answer = self.chat([ChatMessage(content=prompt)])
        return CompletionResponse(text="Cold.", raw=answer.raw)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    """A client whose handler hears everything that LlamaIndex says."""
    with ledger.client() as client:
        handler = CostOpsEventHandler(client=client)
        get_dispatcher().add_event_handler(handler)
        yield client
        get_dispatcher().event_handlers.remove(handler)


@pytest.fixture
def model(providers: str) -> Iterator[Model]:
    with OpenAI(api_key="sk-test", base_url=f"{providers}/openai-chat/v1", max_retries=0) as asked:
        yield Model(asked=asked)


def of_one_call(ledger: Ledger, client: CostOpsClient) -> dict[str, Any]:
    """The one record that stands in the ledger."""
    assert client.flush(timeout=30)
    [record] = ledger.records()
    return record


def test_a_chat_costs_what_was_worked_out(ledger: Ledger, client: CostOpsClient, model: Model) -> None:
    model.chat([ChatMessage(content=QUESTION)])
    ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


def test_a_stream_costs_the_same(ledger: Ledger, client: CostOpsClient, model: Model) -> None:
    assert list(model.stream_chat([ChatMessage(content=QUESTION)]))
    ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


def test_an_asynchronous_chat_costs_the_same(ledger: Ledger, client: CostOpsClient, model: Model) -> None:
    asyncio.run(model.achat([ChatMessage(content=QUESTION)]))
    ledger.proved_as_worked("openai-chat", of_one_call(ledger, client)["usage_id"])


def test_a_completion_that_asks_a_chat_counts_once(ledger: Ledger, client: CostOpsClient, model: Model) -> None:
    model.complete(QUESTION)
    model.complete(QUESTION)
    assert client.flush(timeout=30)
    assert ledger.totals()[0] == 2


def test_instrument_tags_say_whom_a_call_belongs_to(ledger: Ledger, client: CostOpsClient, model: Model) -> None:
    with instrument_tags({"project": "search", "user": "ana", "env": "test", "secret": {"not": "a word"}}):
        model.complete(QUESTION)
    record = of_one_call(ledger, client)
    assert (record["project_id"], record["user_id"], record["tags"]) == ("search", "ana", {"env": "test"})


@pytest.mark.parametrize("streamed", [False, True])
def test_with_a_tracked_client_below_a_call_counts_once(
    ledger: Ledger, client: CostOpsClient, model: Model, streamed: bool
) -> None:
    llm_cost_ops.wrap(model.asked, client)
    with instrument_tags({"project": "search"}):
        if streamed:
            assert list(model.stream_chat([ChatMessage(content=QUESTION)]))
        else:
            model.complete(QUESTION)
    record = of_one_call(ledger, client)
    assert record["project_id"] == "search"
    ledger.proved_as_worked("openai-chat", record["usage_id"])


def test_a_stream_without_usage_is_said_to_be_unknown(
    ledger: Ledger, client: CostOpsClient, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.ask_usage = False
    said: list[BaseException] = []
    monkeypatch.setattr(client.tracker, "failed", said.append)
    assert list(model.stream_chat([ChatMessage(content=QUESTION)]))
    assert client.flush(timeout=30)
    assert ledger.records() == []
    assert ["what it cost is unknown" in str(one) for one in said] == [True]


def test_nothing_that_was_asked_or_answered_leaves(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    with CostOpsClient("sk_live_test_test", "http://127.0.0.1:9", "org") as client:
        monkeypatch.setattr(client.tracker, "track", sent.append)
        handler = CostOpsEventHandler(client=client)
        get_dispatcher().add_event_handler(handler)
        model.chat([ChatMessage(content=QUESTION)])
        get_dispatcher().event_handlers.remove(handler)
    [record] = sent
    assert record["response"]["usage"]["prompt_tokens"] == 2006
    assert not [word for word in ("Oslo", "weather", "tool_calls", "content") if word in json.dumps(record)]
