"""cohere: every way to call it is tracked, costs what was worked out by hand, and leaves the application as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import cohere
import pytest
from tests.providers.fake_providers import case as recorded
from tracked_calls import MESSAGES, QUESTION, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import instrument, uninstrument, wrap
from llm_cost_ops.instrumentation.cohere import _Told

MODEL = "command-a-03-2025"
ASKED: dict[str, Any] = {"model": MODEL, "messages": MESSAGES}
CASE = "cohere-chat"


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "cohere") as found:
        yield found


def made(providers: str, kind: Any = cohere.ClientV2) -> Any:
    """A client for which the provider answers as recorded."""
    return kind(api_key="test", base_url=f"{providers}/{CASE}")


def _raw_stream(client: Any) -> list[Any]:
    with client.with_raw_response.chat_stream(**ASKED) as response:
        return list(response.data)


async def _all(stream: Any) -> list[Any]:
    return [event async for event in stream]


WAYS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda client: client.chat(**ASKED),
    "raw": lambda client: client.with_raw_response.chat(**ASKED).data,
    "stream": lambda client: list(client.chat_stream(**ASKED)),
    "raw stream": _raw_stream,
}
ASYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda client: client.chat(**ASKED),
    "stream": lambda client: _all(client.chat_stream(**ASKED)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    with made(providers) as client:
        WAYS[way](client)
    [record] = tracked.cost_as_worked(CASE)
    assert (record["provider"], record["model_id"]) == ("cohere", MODEL)


@pytest.mark.parametrize("way", ASYNC_WAYS)
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    async def call() -> None:
        async with made(providers, cohere.AsyncClientV2) as client:
            await ASYNC_WAYS[way](client)

    asyncio.run(call())
    tracked.cost_as_worked(CASE)


def test_a_client_that_was_made_before_is_tracked_too(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    with made(providers) as client:
        client.chat(**ASKED)
        instrument(tracked.client, only=["cohere"])
        try:
            client.chat(**ASKED)
            list(client.chat_stream(**ASKED))
        finally:
            uninstrument()
        client.chat(**ASKED)
    tracked.cost_as_worked(CASE, calls=2)
    tracked.client.close()


def test_a_wrapped_client_is_tracked_and_no_other(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    try:
        with made(providers, cohere.Client) as one, made(providers) as other:
            assert wrap(one, tracked.client) is one
            one.v2.chat(**ASKED)
            other.chat(**ASKED)
        tracked.cost_as_worked(CASE)
    finally:
        uninstrument()
        tracked.client.close()


def test_a_stream_that_is_left_before_its_usage_is_a_counted_failure_and_no_zero(
    tracked: Tracked, providers: str
) -> None:
    with made(providers) as client:
        stream = client.chat_stream(**ASKED)
        next(stream)
        stream.close()
    [failure] = tracked.failures
    assert MODEL in str(failure)
    assert tracked.kept.records == []


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, path: str, answer: dict[str, Any]) -> Iterator[None]:
    """The provider answers something else, elsewhere."""
    with monkeypatch.context() as patched:
        patched.setitem(recorded(CASE), "path", path)
        patched.setitem(recorded(CASE), "answer", answer)
        yield


def test_searches_of_a_rerank_are_counted(tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}}
    answer = {"id": "{unique}", "results": [{"index": 0, "relevance_score": 0.9}], "meta": meta}
    with answering(monkeypatch, "v2/rerank", answer), made(providers) as client:
        client.rerank(model="rerank-v3.5", query=QUESTION, documents=["Oslo is cold."])
    [record] = tracked.ledger.records()
    assert (record["model_id"], record["quantities"]["search_units"]) == ("rerank-v3.5", 2)
    assert b"Oslo" not in tracked.kept.records[0]


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")  # by cohere itself
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")
@pytest.mark.parametrize("kind", [cohere.ClientV2, cohere.Client])
def test_embeddings_are_counted(tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}, "warnings": [QUESTION]}
    answer = {"id": "{unique}", "response_type": "embeddings_by_type", "embeddings": {"float": [[0.1]]}, "meta": meta}
    path = "v2/embed" if kind is cohere.ClientV2 else "v1/embed"
    asked: dict[str, Any] = {"model": "embed-v4.0", "input_type": "search_query", "embedding_types": ["float"]}
    with answering(monkeypatch, path, {**answer, "texts": [QUESTION]}), made(providers, kind) as client:
        client.embed(texts=[QUESTION], **asked)
    [record] = tracked.ledger.records()
    assert (record["input_tokens"], record["status"]) == (6, "computed")
    assert b"Oslo" not in tracked.kept.records[0]


def test_the_first_api_is_tracked_as_well(tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = {"billed_units": {"input_tokens": 642, "output_tokens": 118}}
    answer = {"text": "Cold.", "generation_id": "generation-{unique}", "response_id": "response-{unique}", "meta": meta}
    with answering(monkeypatch, "v1/chat", answer), made(providers, cohere.Client) as client:
        client.chat(model=MODEL, message=QUESTION)
    tracked.cost_as_worked(CASE)


def test_the_stream_of_the_first_api_is_tracked_as_well(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = {"billed_units": {"input_tokens": 642, "output_tokens": 118}}
    response = {
        "text": "Cold.",
        "generation_id": "generation-{unique}",
        "response_id": "response-{unique}",
        "meta": meta,
    }
    answer = {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": response, "is_finished": True}
    with answering(monkeypatch, "v1/chat", answer), made(providers, cohere.Client) as client:
        list(client.chat_stream(model=MODEL, message=QUESTION))
    tracked.cost_as_worked(CASE)


def test_aws_bills_what_its_clients_ask(ledger: Ledger) -> None:
    from llm_cost_ops.instrumentation.cohere import _billed_by

    pytest.importorskip("boto3")
    client = cohere.BedrockClientV2(aws_access_key="x", aws_secret_key="x", aws_region="eu-west-1")
    assert _billed_by(client._client_wrapper) == "aws"
    with cohere.ClientV2(api_key="x") as own:
        assert _billed_by(own._client_wrapper) == "cohere"


def test_a_failure_of_ours_never_reaches_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, item: Any) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(_Told, "see", broken)
    with made(providers) as client:
        assert WAYS["whole"](client).message.content[0].text == "Cold."
        assert len(WAYS["stream"](client)) == 5
    assert tracked.failures
    assert tracked.kept.records == []
