"""Real instrumentations of a real client, sent by a real exporter: each call is one record, however many saw it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as GenAI
from pydantic import SecretStr

from tests.api.running import Server
from tests.api.test_otlp import instrumented, recorded
from tests.providers.fake_providers import running_providers

ASKED: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "How cold is it in Oslo?"}]}
COUNTS = {"input_tokens": 2006, "output_tokens": 412}
PARTED = {"input": 86, "input_cache_read": 1920, "output": 92, "output_reasoning": 320}
WHOLE = {"input": 2006, "output": 412}


@pytest.fixture(scope="module")
def model_server() -> Iterator[str]:
    """A provider's address that answers as OpenAI does."""
    with running_providers() as url:
        yield f"{url}/openai-chat/v1"


def ask_openai(url: str) -> None:
    with OpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:
        client.chat.completions.create(**ASKED)


def ask_openai_for_a_stream(url: str) -> None:
    with OpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:
        stream = client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
        with closing(stream):
            assert list(stream)


def ask_langchain(url: str) -> None:
    ChatOpenAI(model="gpt-5", api_key=SecretStr("sk-test"), base_url=url, max_retries=0).invoke("How cold is it?")


@pytest.mark.parametrize(
    ("instrumentations", "ask", "quantities"),
    [
        ((GenAI,), ask_openai, WHOLE),
        ((GenAI,), ask_openai_for_a_stream, WHOLE),
        ((OpenInference,), ask_openai, PARTED),
        ((OpenInference,), ask_openai_for_a_stream, PARTED),
        ((OpenInference, GenAI), ask_openai, PARTED),
        ((LangChainInstrumentor,), ask_langchain, PARTED),
        ((LangChainInstrumentor, OpenInference), ask_langchain, PARTED),
        ((LangChainInstrumentor, GenAI), ask_langchain, PARTED),
    ],
    ids=["otel", "otel-stream", "oi", "oi-stream", "oi-otel", "langchain", "langchain-oi", "langchain-otel"],
)
@pytest.mark.parametrize("within_a_request", [True, False])
def test_a_call_is_one_record_however_many_instrumentations_saw_it(
    server: Server,
    model_server: str,
    instrumentations: Any,
    ask: Any,
    quantities: dict[str, int],
    within_a_request: bool,
) -> None:
    with instrumented(server) as provider:
        made = [kind() for kind in instrumentations]
        for one in made:
            one.instrument(tracer_provider=provider)
        try:
            if within_a_request:
                with provider.get_tracer("web").start_as_current_span("GET /"):
                    ask(model_server)
                    ask(model_server)
            else:
                ask(model_server)
                ask(model_server)
        finally:
            for one in made:
                one.uninstrument()
    found = recorded(server)
    assert len(found) == 2
    for one in found:
        assert (one["provider"], one["model_id"], one["estimated"]) == ("openai", "gpt-5-2025-08-07", False)
        assert {name: one[name] for name in COUNTS} == COUNTS
        assert one["quantities"] == quantities
