"""A call in the middle of another: each is told of, once, and belongs to whom it belongs."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from keeping import Kept
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from openai import OpenAI
from scripted_provider import Answer, Scripted, events, scripted
from sent_at_once import DirectDelivery

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context, instrument, uninstrument, wrap
from llm_cost_ops.instrumentation import litellm as instrumentor
from llm_cost_ops.instrumentation.telling import begin_telling
from llm_cost_ops.integrations.langchain import CostOpsCallbackHandler

pytestmark = [pytest.mark.filterwarnings("ignore")]
"""litellm warns of itself in many ways."""

MESSAGES = [{"role": "user", "content": "How cold is it in Oslo?"}]
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def _answer(path: str, body: Any) -> Answer:
    answer = {"id": f"chatcmpl-{body['model']:0>20}", "created": 1, "model": body["model"]}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "Cold."}
        whole = [{"index": 0, "finish_reason": "stop", "message": message}]
        return Answer({**answer, "object": "chat.completion", "choices": whole, "usage": USAGE})
    answer["object"] = "chat.completion.chunk"
    told = [
        {**answer, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": end}]}
        for word, end in (("Very ", None), ("cold", None), (".", "stop"))
    ]
    return events(*told, {**answer, "choices": [], "usage": USAGE})


@pytest.fixture
def provider() -> Iterator[Scripted]:
    with scripted(_answer) as found:
        yield found


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with ledger.client() as found:
        found.tracker.delivery = Kept(DirectDelivery(found))
        yield found
    uninstrument()


@pytest.fixture
def direct(provider: Scripted) -> OpenAI:
    return OpenAI(api_key="sk-test", base_url=f"{provider.url}/v1", max_retries=0)


def _ask(direct: OpenAI, model: str = "gpt-direct") -> None:
    direct.chat.completions.create(model=model, messages=MESSAGES)


def _chain(provider: Scripted, client: CostOpsClient) -> tuple[ChatOpenAI, Any]:
    model = ChatOpenAI(model="gpt-chain", api_key="sk-test", base_url=f"{provider.url}/v1", max_retries=0)
    return model, {"callbacks": [CostOpsCallbackHandler(client=client)], "metadata": {"project": "chain"}}


def _told(client: CostOpsClient) -> list[tuple[str, Optional[str]]]:
    """The model and the project of each record, by the model."""
    records: list[bytes] = client.tracker.delivery.records  # type: ignore[attr-defined]
    found = [json.loads(record) for record in records]
    return sorted(((one["model_id"], one.get("project_id")) for one in found), key=str)


def test_a_call_in_a_frameworks_stream_belongs_to_whom_it_belongs(
    provider: Scripted, client: CostOpsClient, direct: OpenAI
) -> None:
    instrument(client, only=["openai"])
    model, config = _chain(provider, client)
    with cost_context(project="own"):
        for number, _ in enumerate(model.stream("How cold?", config=config)):
            if number == 1:
                _ask(direct)
    assert _told(client) == [("gpt-chain", "chain"), ("gpt-direct", "own")]


def test_a_frameworks_stream_that_is_left_open_claims_no_later_call(
    provider: Scripted, client: CostOpsClient, direct: OpenAI
) -> None:
    instrument(client, only=["openai"])
    model, config = _chain(provider, client)
    open_stream = model.stream("How cold?", config=config)
    next(open_stream)
    _ask(direct)
    model.invoke("How cold?", config={**config, "metadata": {"project": "other"}})
    for _ in open_stream:
        pass
    assert _told(client) == [("gpt-chain", "chain"), ("gpt-chain", "other"), ("gpt-direct", None)]


def test_a_tracked_call_in_a_frameworks_stream_is_not_taken_for_its_own(
    provider: Scripted, client: CostOpsClient, direct: OpenAI
) -> None:
    wrap(direct, client)
    model, config = _chain(provider, client)
    for number, _ in enumerate(model.stream("How cold?", config=config, stream_usage=True)):
        if number == 1:
            _ask(direct)
    assert _told(client) == [("gpt-chain", "chain"), ("gpt-direct", None)]


class _Held:
    """Holds up what litellm calls back after a call, until it may go on."""

    def __init__(self, ending: Callable[[Any, Any], None]) -> None:
        self.may_go_on = threading.Event()
        self.ended: queue.Queue[str] = queue.Queue()
        self._ending = ending

    def __call__(self, kwargs: Any, response: Any) -> None:
        self.may_go_on.wait(30)
        self._ending(kwargs, response)
        self.ended.put(kwargs["model"])


@pytest.fixture
def held(client: CostOpsClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Held]:
    found = _Held(instrumentor._end)
    monkeypatch.setattr(instrumentor, "_end", found)
    instrument(client, only=["openai", "litellm"])
    yield found
    asyncio.set_event_loop(None)  # litellm made one, and closes none
    gc.collect()


@pytest.mark.parametrize("direct_model", ["gpt-direct", "one-1"])
@pytest.mark.parametrize("route", ["mistral", "openai"])
def test_a_call_right_after_litellms_is_not_taken_for_its_own(
    provider: Scripted, client: CostOpsClient, direct: OpenAI, held: _Held, route: str, direct_model: str
) -> None:
    for number in range(2):
        model = f"{route}/one-{number}"
        litellm.completion(model, MESSAGES, api_key="k", api_base=f"{provider.url}/v1")
    _ask(direct, direct_model)
    held.may_go_on.set()
    assert sorted(held.ended.get(timeout=30) for _ in range(2)) == ["one-0", "one-1"]
    assert [model for model, _ in _told(client)] == sorted(["one-0", "one-1", direct_model])


@pytest.mark.parametrize("route", ["mistral", "openai"])
def test_a_call_in_litellms_stream_is_not_taken_for_its_own(
    provider: Scripted, client: CostOpsClient, direct: OpenAI, held: _Held, route: str
) -> None:
    held.may_go_on.set()
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    for number, _ in enumerate(
        litellm.completion(f"{route}/lite", MESSAGES, api_key="k", api_base=f"{provider.url}/v1", **asked)
    ):
        if number == 1:
            _ask(direct)
    assert held.ended.get(timeout=30) == "lite"
    assert [model for model, _ in _told(client)] == ["gpt-direct", "lite"]


def test_what_a_framework_says_of_a_call_reaches_the_client_below_litellm(
    provider: Scripted, client: CostOpsClient, held: _Held
) -> None:
    held.may_go_on.set()
    telling = begin_telling(client.tracker, {"project_id": "agents"})
    litellm.completion("openai/lite", MESSAGES, api_key="k", api_base=f"{provider.url}/v1")
    assert held.ended.get(timeout=30) == "lite"
    assert telling.end()
    assert _told(client) == [("lite", "agents")]


class _ChatByLiteLLM(BaseChatModel):
    """A chat model of LangChain's that asks litellm."""

    url: str

    @property
    def _llm_type(self) -> str:
        return "litellm"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> ChatResult:
        litellm.completion("mistral/lite", MESSAGES, api_key="k", api_base=f"{self.url}/v1")
        usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Cold.", usage_metadata=usage))])


def test_litellm_below_langchain_tells_of_a_call_once_though_it_tells_late(
    provider: Scripted, client: CostOpsClient, held: _Held
) -> None:
    _, config = _chain(provider, client)
    _ChatByLiteLLM(url=provider.url).invoke("How cold?", config=config)
    held.may_go_on.set()
    assert held.ended.get(timeout=30) == "lite"
    assert [model for model, _ in _told(client)] == ["lite"]
