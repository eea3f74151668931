"""openai: every way to call it is tracked, costs what was worked out by hand, and leaves the application as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from openai import AsyncOpenAI, OpenAI
from tests.providers.fake_providers import case as recorded
from tracked_calls import MESSAGES, QUESTION, Tracked, tracking

from ledgers import Ledger

CHAT: dict[str, Any] = {"model": "gpt-5", "messages": MESSAGES}
RESPONSES: dict[str, Any] = {"model": "gpt-5.6-sol", "input": QUESTION}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "openai") as found:
        yield found


def _drained(stream: Any) -> list[Any]:
    with stream as events:
        return list(events)


def _raw_stream(api: Any, **asked: Any) -> Any:
    return list(api.with_raw_response.create(**asked, stream=True).parse())


def _streaming(api: Any, **asked: Any) -> Any:
    with api.with_streaming_response.create(**asked) as response:
        return response.parse()


def _streaming_lines(api: Any, **asked: Any) -> Any:
    with api.with_streaming_response.create(**asked, stream=True) as response:
        return list(response.iter_lines())


WAYS: dict[str, Callable[..., Any]] = {
    "whole": lambda api, **asked: api.create(**asked),
    "stream": lambda api, **asked: list(api.create(**asked, stream=True)),
    "stream in with": lambda api, **asked: _drained(api.create(**asked, stream=True)),
    "raw": lambda api, **asked: api.with_raw_response.create(**asked).parse(),
    "raw text": lambda api, **asked: api.with_raw_response.create(**asked).text,
    "raw stream": _raw_stream,
    "streaming response": _streaming,
    "streaming lines": _streaming_lines,
}


async def _all(stream: Any) -> list[Any]:
    return [event async for event in stream]


async def _araw(api: Any, **asked: Any) -> Any:
    return (await api.with_raw_response.create(**asked)).parse()


async def _araw_stream(api: Any, **asked: Any) -> Any:
    return await _all((await api.with_raw_response.create(**asked, stream=True)).parse())


async def _astreaming(api: Any, **asked: Any) -> Any:
    async with api.with_streaming_response.create(**asked) as response:
        return await response.parse()


async def _astreaming_lines(api: Any, **asked: Any) -> Any:
    async with api.with_streaming_response.create(**asked, stream=True) as response:
        return await _all(response.iter_lines())


async def _awhole(api: Any, **asked: Any) -> Any:
    return await api.create(**asked)


async def _astream(api: Any, **asked: Any) -> Any:
    return await _all(await api.create(**asked, stream=True))


ASYNC_WAYS: dict[str, Callable[..., Any]] = {
    "whole": _awhole,
    "stream": _astream,
    "raw": _araw,
    "raw stream": _araw_stream,
    "streaming response": _astreaming,
    "streaming lines": _astreaming_lines,
}
CASES = {
    "openai-chat": (lambda client: client.chat.completions, CHAT),
    "openai-priority": (lambda client: client.chat.completions, {**CHAT, "model": "gpt-4.1"}),
    "openai-responses": (lambda client: client.responses, RESPONSES),
    "openai-embeddings": (lambda client: client.embeddings, {"model": "text-embedding-3-small", "input": QUESTION}),
}


def _runs(ways: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(case, way, id=f"{case} {way}")
        for case in CASES
        for way in ways
        if "stream_path" in recorded(case) or way in ("whole", "raw", "raw text", "streaming response")
    ]


@pytest.mark.parametrize(("case", "way"), _runs(WAYS))
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str, way: str) -> None:
    api, asked = CASES[case]
    with OpenAI(api_key="sk-test", base_url=f"{providers}/{case}/v1", max_retries=0) as client:
        WAYS[way](api(client), **asked)
    [record] = tracked.cost_as_worked(case)
    assert record["latency_ms"] is not None


@pytest.mark.parametrize(("case", "way"), _runs(ASYNC_WAYS))
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, case: str, way: str) -> None:
    api, asked = CASES[case]

    async def call() -> None:
        async with AsyncOpenAI(api_key="sk-test", base_url=f"{providers}/{case}/v1", max_retries=0) as client:
            await ASYNC_WAYS[way](api(client), **asked)

    asyncio.run(call())
    tracked.cost_as_worked(case)
