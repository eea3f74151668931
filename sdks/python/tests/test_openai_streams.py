"""openai's streams: the application sees what it would have seen, and how a stream ends is told of once."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI
from scripted_provider import EVENTS, Answer, events, scripted
from tests.providers.fake_providers import case as recorded
from tracked_calls import MESSAGES, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops.instrumentation import openai as instrumentor
from llm_cost_ops.instrumentation.measuring import NoUsageTold

CHAT: dict[str, Any] = {"model": "gpt-5", "messages": MESSAGES}
CHUNKS = [
    {**chunk, "id": "chatcmpl-00000000000000000001"}
    for chunk in json.loads(json.dumps(recorded("openai-chat")["events"]).replace("{unique}", "0001"))
]


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    instrumentor._REFUSING.clear()
    with tracking(ledger, "openai") as found:
        yield found


def _client(url: str) -> OpenAI:
    return OpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0)


def _chat(path: str, body: Any) -> Answer:
    asked = (body.get("stream_options") or {}).get("include_usage")
    return events(*CHUNKS) if asked else events(*CHUNKS[:-1])


def _iterated(client: OpenAI, **more: Any) -> list[Any]:
    return [chunk.model_dump() for chunk in client.chat.completions.create(**CHAT, stream=True, **more)]


def _lines(client: OpenAI, **more: Any) -> list[Any]:
    with client.chat.completions.with_streaming_response.create(**CHAT, stream=True, **more) as response:
        return list(response.iter_lines())


def _bytes(client: OpenAI, **more: Any) -> list[Any]:
    with client.chat.completions.with_streaming_response.create(**CHAT, stream=True, **more) as response:
        return [b"".join(response.iter_bytes(7))]


def _small_bytes(client: OpenAI, **more: Any) -> list[Any]:
    with client.chat.completions.with_streaming_response.create(**CHAT, stream=True, **more) as response:
        return [b"".join(response.iter_bytes(1))]


def _helped(client: OpenAI, **more: Any) -> list[Any]:
    with client.chat.completions.stream(**CHAT, **more) as stream:
        return [event.type for event in stream]


READERS = [_iterated, _lines, _bytes, _small_bytes, _helped]


@pytest.mark.parametrize("read", READERS)
def test_the_application_sees_the_same_stream_as_without_tracking(ledger: Ledger, read: Callable[..., Any]) -> None:
    with scripted(_chat) as provider, _client(provider.url) as client:
        bare = read(client)
        with tracking(ledger, "openai") as tracked:
            assert read(client) == bare
            tracked.cost_as_worked("openai-chat")
        assert "stream_options" not in provider.asked[0][1]
        assert provider.asked[1][1]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("read", READERS)
def test_who_asks_for_the_usage_sees_it(ledger: Ledger, read: Callable[..., Any]) -> None:
    wanted = {"stream_options": {"include_usage": True}}
    with scripted(_chat) as provider, _client(provider.url) as client:
        bare = read(client, **wanted)
        with tracking(ledger, "openai") as tracked:
            assert read(client, **wanted) == bare
            tracked.cost_as_worked("openai-chat")


def test_other_options_of_the_stream_stay_and_the_callers_own_are_not_changed(tracked: Tracked) -> None:
    mine = {"include_obfuscation": False}
    with scripted(_chat) as provider, _client(provider.url) as client:
        _iterated(client, stream_options=mine)
    assert provider.asked[0][1]["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert mine == {"include_obfuscation": False}
    tracked.cost_as_worked("openai-chat")


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_to_be_asked_for_usage_is_asked_without_and_remembered(
    tracked: Tracked, status: int
) -> None:
    def old(path: str, body: Any) -> Answer:
        if "stream_options" in body:
            return Answer({"error": {"message": "Unrecognized request argument supplied: stream_options"}}, status)
        return events(*CHUNKS[:-1])

    with scripted(old) as provider, _client(provider.url) as client:
        assert len(_iterated(client)) == len(CHUNKS) - 1
        assert len(_iterated(client)) == len(CHUNKS) - 1
    assert ["stream_options" in body for _, body in provider.asked] == [True, False, False]
    assert [type(failure) for failure in tracked.failures] == [NoUsageTold, NoUsageTold]


def _refusal(client: OpenAI) -> BadRequestError:
    with pytest.raises(BadRequestError) as raised:
        _iterated(client)
    return raised.value


def test_a_refusal_for_another_reason_is_the_applications_and_is_asked_once(tracked: Tracked) -> None:
    refused = Answer({"error": {"message": "no such model"}}, 400)
    with scripted(lambda path, body: refused) as provider, _client(provider.url) as client:
        refusal = _refusal(client)
    assert "no such model" in str(refusal)
    assert len(provider.asked) == 1
    tracked.nothing()


def _break(stream: Any) -> None:
    next(iter(stream))


def _close(stream: Any) -> None:
    next(iter(stream))
    stream.close()


def _leave(stream: Any) -> None:
    with stream:
        next(iter(stream))


def _never_read(stream: Any) -> None:
    del stream


@pytest.mark.parametrize("leave", [_break, _close, _leave, _never_read])
def test_a_stream_that_is_left_before_it_told_its_usage_is_said_to_be_unknown_once(
    tracked: Tracked, leave: Callable[[Any], None]
) -> None:
    with scripted(lambda path, body: events(*CHUNKS[:-1], ending=b"")) as provider, _client(provider.url) as client:
        leave(client.chat.completions.create(**CHAT, stream=True))
        gc.collect()
    assert [type(failure) for failure in tracked.failures] == [NoUsageTold]
    assert tracked.kept.records == []


def test_an_asynchronous_stream_that_is_left_is_said_to_be_unknown_once(tracked: Tracked) -> None:
    async def call(url: str) -> None:
        client = AsyncOpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0)
        async with await client.chat.completions.create(**CHAT, stream=True) as stream:
            async for _ in stream:
                break
        await client.close()

    with scripted(lambda path, body: events(*CHUNKS[:-1], ending=b"")) as provider:
        asyncio.run(call(provider.url))
        gc.collect()
    assert [type(failure) for failure in tracked.failures] == [NoUsageTold]


@pytest.mark.parametrize("body", [b"", b"data: {\n\n", b"data: [DONE]\n\n", b"\xff\n\n", b'data: {"choices": 7}\n\n'])
def test_a_stream_of_nonsense_does_to_the_application_what_it_does_without_tracking(
    ledger: Ledger, body: bytes
) -> None:
    def outcome(client: OpenAI) -> Any:
        try:
            return _iterated(client)
        except Exception as error:  # noqa: BLE001
            return type(error)

    with scripted(lambda path, asked: Answer(body, content_type=EVENTS)) as provider, _client(provider.url) as client:
        bare = outcome(client)
        with tracking(ledger, "openai") as tracked:
            assert outcome(client) == bare
            gc.collect()
            assert [type(failure) for failure in tracked.failures] == [NoUsageTold]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_lines_may_end_as_they_like_and_comments_may_stand_between(tracked: Tracked, newline: bytes) -> None:
    body = events(*CHUNKS).content.replace(b"\n\n", b"\n: keep-alive\n\n").replace(b"\n", newline)
    with scripted(lambda path, asked: Answer(body, content_type=EVENTS)) as provider, _client(provider.url) as client:
        assert [len(chunk["choices"]) for chunk in _iterated(client)] == [1] * (len(CHUNKS) - 1)
    tracked.cost_as_worked("openai-chat")
