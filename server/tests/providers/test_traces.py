"""Real instrumentors of real clients: their spans and the providers' responses tell of the same calls, counted once."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenTelemetry
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import SecretStr

from tests.providers.sender import Sender
from tests.providers.worked import worked_amounts

QUESTION: list[Any] = [{"role": "user", "content": "How cold is it in Oslo?"}]
CHAT = worked_amounts()["openai-chat"].total
PRICE = {
    "provider": "openai",
    "model_id": "gpt-5-2025-08-07",
    "input_price_per_million": "1.25",
    "cached_input_price_per_million": "0.125",
    "output_price_per_million": "10",
}
"""The worked amount's rates, whenever the test is run: a span happens now, and the catalogue may change."""

EVER = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2100-01-01T00:00:00Z"}


@contextmanager
def exported(sender: Sender, *instrumentors: Any) -> Iterator[None]:
    """Instrumented until the block ends, which is when the spans arrive."""
    exporter = OTLPSpanExporter(
        f"{sender.server.url}/v1/traces",
        headers={"Authorization": f"Bearer {sender.key}"},
        compression=Compression.Gzip,
    )
    tracing = TracerProvider(resource=Resource({"service.name": "shop"}))
    tracing.add_span_processor(BatchSpanProcessor(exporter))
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=tracing)
    try:
        yield
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        assert tracing.force_flush()
        tracing.shutdown()


@pytest.fixture
def tracer(sender: Sender) -> Sender:
    """A sender with a price of its own."""
    assert sender.server.post("pricing", PRICE, key=sender.key).status == 201
    return sender


@pytest.fixture
def client(providers: str) -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-test", base_url=f"{providers}/openai-chat/v1", max_retries=0) as made:
        yield made


def called(client: OpenAI) -> list[Any]:
    """A call and a streamed call: what came back, as it is sent."""
    asked: dict[str, Any] = {"model": "gpt-5", "messages": QUESTION}
    whole = client.chat.completions.create(**asked).model_dump()
    stream = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    return [whole, [event.model_dump() for event in stream]]


def count_and_cost(sender: Sender) -> tuple[int, Decimal]:
    data = sender.server.get("costs", params=EVER, key=sender.key).body["data"]
    return data["requests"], Decimal(data["total_cost"])


def replays(sender: Sender) -> Decimal:
    """How many records the server has been told of again."""
    (line,) = (m for m in sender.server.get("/metrics", key=None).text.splitlines() if 'outcome="replayed"' in m)
    return Decimal(line.rpartition(" ")[2])


@pytest.mark.parametrize("instrumentor", [OpenTelemetry, OpenInference], ids=["opentelemetry", "openinference"])
def test_calls_that_are_sent_and_then_traced_are_counted_once(
    client: OpenAI, tracer: Sender, instrumentor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENINFERENCE_ENABLE_GENAI_SEMCONV", "true")
    before = replays(tracer)
    with exported(tracer, instrumentor()):
        for response in called(client):
            assert tracer.send({"provider": "openai", "response": response}).status == 201
    assert replays(tracer) == before + 2
    assert count_and_cost(tracer) == (2, 2 * CHAT)


def test_calls_that_are_traced_and_then_sent_are_counted_once(client: OpenAI, tracer: Sender) -> None:
    with exported(tracer, OpenTelemetry()):
        responses = called(client)
    traced = count_and_cost(tracer)
    assert traced[0] == 2
    assert [tracer.send({"provider": "openai", "response": response}).status for response in responses] == [200, 200]
    assert count_and_cost(tracer) == traced


def test_openinference_tells_enough_for_the_exact_amount(client: OpenAI, tracer: Sender) -> None:
    with exported(tracer, OpenInference()):
        called(client)
    assert count_and_cost(tracer) == (2, 2 * CHAT)


def test_a_framework_and_its_client_that_are_both_traced_count_once(providers: str, tracer: Sender) -> None:
    where = f"{providers}/openai-chat/v1"
    with exported(tracer, LangChainInstrumentor(), OpenInference()):
        ChatOpenAI(model="gpt-5", api_key=SecretStr("test"), base_url=where, max_retries=0).invoke("How cold is it?")
    assert count_and_cost(tracer) == (1, CHAT)


def test_what_instrumentors_export_leaves_no_trace_of_what_was_said(client: OpenAI, tracer: Sender) -> None:
    with exported(tracer, OpenInference()):
        called(client)
    history = tracer.server.get("usage/history", key=tracer.key)
    assert len(history.body["data"]) == 2
    assert "Oslo" not in history.text
