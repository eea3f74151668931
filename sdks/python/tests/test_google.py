"""google-genai: every way to call it is tracked, costs what was worked out by hand, and leaves the application as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from google import genai
from google.genai import types
from tests.providers.fake_providers import case as recorded
from tracked_calls import QUESTION, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import uninstrument, wrap
from llm_cost_ops.exceptions import SpendLimitExceeded
from llm_cost_ops.instrumentation.google_genai import _Embedded, _Generated, _model_id

CASES = {"google-generate": "gemini-2.5-pro", "google-audio": "gemini-2.5-flash", "google-long": "gemini-2.5-pro"}

OF_GOOGLE = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
"""google-genai makes a subclass that aiohttp advises against."""


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "google.genai") as found:
        yield found


@contextmanager
def made(providers: str, case: str) -> Iterator[genai.Client]:
    """A client for which the provider answers as in a case."""
    with genai.Client(api_key="test", http_options={"base_url": f"{providers}/{case}"}) as client:
        yield client


RAW: Any = {"should_return_http_response": True}
WAYS: dict[str, Callable[[Any, str], Any]] = {
    "whole": lambda client, model: client.models.generate_content(model=model, contents=QUESTION),
    "raw": lambda client, model: client.models.generate_content(model=model, contents=QUESTION, config=RAW),
    "chat": lambda client, model: client.chats.create(model=model).send_message(QUESTION),
    "with its path": lambda client, model: client.models.generate_content(model=f"models/{model}", contents=QUESTION),
    "stream": lambda client, model: list(client.models.generate_content_stream(model=model, contents=QUESTION)),
    "chat stream": lambda client, model: list(client.chats.create(model=model).send_message_stream(QUESTION)),
}


async def _all(stream: Any) -> list[Any]:
    return [event async for event in await stream]


async def _asked_of(aio: Any) -> None:
    async with aio:
        await aio.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)


ASYNC_WAYS: dict[str, Callable[[Any, str], Any]] = {
    **{name: WAYS[name] for name in ("whole", "raw", "chat")},
    "stream": lambda aio, model: _all(aio.models.generate_content_stream(model=model, contents=QUESTION)),
    "chat stream": lambda aio, model: _all(aio.chats.create(model=model).send_message_stream(QUESTION)),
}


def _runs(ways: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(case, way, id=f"{case} {way}")
        for case in CASES
        for way in ways
        if "stream_path" in recorded(case) or "stream" not in way
    ]


@pytest.mark.parametrize(("case", "way"), _runs(WAYS))
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str, way: str) -> None:
    with made(providers, case) as client:
        WAYS[way](client, CASES[case])
    [record] = tracked.cost_as_worked(case)
    assert (record["provider"], record["model_id"]) == ("google", CASES[case])
    assert record["latency_ms"] is not None


@OF_GOOGLE
@pytest.mark.parametrize(("case", "way"), _runs(ASYNC_WAYS))
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str, way: str) -> None:
    async def call() -> None:
        with made(providers, case) as client:
            async with client.aio as aio:
                await ASYNC_WAYS[way](aio, CASES[case])

    asyncio.run(call())
    tracked.cost_as_worked(case)


def test_a_stream_that_is_left_is_recorded_with_what_it_told_and_as_an_estimate(
    tracked: Tracked, providers: str
) -> None:
    with made(providers, "google-generate") as client:
        stream: Any = client.models.generate_content_stream(model="gemini-2.5-pro", contents=QUESTION)
        next(stream)
        stream.close()
    [record] = tracked.ledger.records()
    assert (record["output_tokens"], record["status"]) == (100 + 1024, "estimated")
    assert tracked.failures == []


@OF_GOOGLE
def test_a_wrapped_client_is_tracked_and_no_other(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    try:
        with made(providers, "google-generate") as one, made(providers, "google-generate") as other:
            assert wrap(one, tracked.client) is one
            for client in (one, other):
                client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)
            one.chats.create(model="gemini-2.5-pro").send_message(QUESTION)
            asyncio.run(_asked_of(one.aio))
        tracked.cost_as_worked("google-generate", calls=3)
    finally:
        uninstrument()
        tracked.client.close()


def test_each_request_is_a_record_where_the_client_calls_functions_by_itself(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def temperature(city: str) -> int:
        """How cold a city is."""
        return -3

    call = {"functionCall": {"name": "temperature", "args": {"city": "Oslo"}}}
    monkeypatch.setitem(recorded("google-generate")["answer"]["candidates"][0]["content"], "parts", [call])
    config = types.GenerateContentConfig(
        tools=[temperature],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(maximum_remote_calls=3),
    )
    with made(providers, "google-generate") as client:
        client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION, config=config)
    assert tracked.failures == []
    assert tracked.ledger.totals()[0] >= 2


def test_searches_are_counted_and_their_words_stay(tracked: Tracked) -> None:
    grounding = types.GroundingMetadata(web_search_queries=["Oslo weather", "Oslo temperature"])
    answer = _Generated()
    answer.see(
        types.GenerateContentResponse(
            candidates=[types.Candidate(finish_reason=types.FinishReason.STOP, grounding_metadata=grounding)],
            usage_metadata=types.GenerateContentResponseUsageMetadata(prompt_token_count=10, total_token_count=10),
            model_version="gemini-2.5-pro",
        )
    )
    tracked.client.track(provider="google", response=answer.skeleton())
    [record] = tracked.ledger.records()
    assert record["quantities"]["web_searches"] == 2
    assert all(b"Oslo" not in sent for sent in tracked.kept.records)


def test_embeddings_are_counted_as_either_api_tells_them(tracked: Tracked) -> None:
    statistics = types.ContentEmbeddingStatistics(token_count=7.0)
    vertex = types.EmbedContentResponse(embeddings=[types.ContentEmbedding(values=[0.1], statistics=statistics)] * 2)
    gemini = types.EmbedContentResponse(usage_metadata={"prompt_token_count": 14})  # type: ignore[arg-type]
    for response in (vertex, gemini):
        answer = _Embedded()
        answer.see(response)
        tracked.client.track(provider="google", model_id="gemini-embedding-001", response=answer.skeleton())
    assert [(record["input_tokens"], record["status"]) for record in tracked.ledger.records()] == [(14, "computed")] * 2


def test_an_answer_that_tells_nothing_is_a_counted_failure_and_no_zero(tracked: Tracked, providers: str) -> None:
    for odd in (SimpleNamespace(), None):
        answer = _Generated()
        with pytest.raises(AttributeError):
            answer.see(odd)
        assert answer.skeleton() is None
    assert tracked.kept.records == []


def test_a_failure_of_ours_never_reaches_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, item: Any) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(_Generated, "see", broken)
    with made(providers, "google-generate") as client:
        response = client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)
        chunks = list(client.models.generate_content_stream(model="gemini-2.5-pro", contents=QUESTION))
    assert (response.text, "".join(chunk.text or "" for chunk in chunks)) == ("Cold.", "Cold.")
    assert tracked.failures
    assert tracked.kept.records == []


def test_a_spend_limit_that_is_reached_does_reach_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(fields: Any) -> None:
        raise SpendLimitExceeded("reached")

    monkeypatch.setattr(tracked.client.tracker, "track", reached)
    with made(providers, "google-generate") as client, pytest.raises(SpendLimitExceeded):
        client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("tunedModels/123", "tunedModels/123"),
        ("projects/p/locations/europe-west4/endpoints/123", "projects/p/locations/europe-west4/endpoints/123"),
    ],
)
def test_a_model_is_named_without_its_path(asked: str, model: str) -> None:
    assert _model_id(asked) == model
