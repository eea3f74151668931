"""anthropic: every way to call it is tracked, whoever sells Claude, and costs what was worked out by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from anthropic import Anthropic, AnthropicBedrock, AnthropicVertex, AsyncAnthropic, AsyncAnthropicBedrock
from scripted_provider import Answer, events, scripted
from tests.providers.fake_providers import case as recorded
from tracked_calls import MESSAGES, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import wrap

ASKED: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": MESSAGES}
CASE = "anthropic-messages"
AT_AMAZON = "global.anthropic.claude-sonnet-5-v1:0"
AMAZON_KEYS: dict[str, Any] = {
    "aws_access_key": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_key": "not-a-secret",
    "aws_region": "us-east-1",
    "max_retries": 0,
}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "anthropic") as found:
        yield found


def _helper(api: Any, **asked: Any) -> Any:
    with api.stream(**asked) as stream:
        return stream.get_final_message()


def _lines(api: Any, **asked: Any) -> Any:
    with api.with_streaming_response.create(**asked, stream=True) as response:
        return list(response.iter_lines())


WAYS: dict[str, Callable[..., Any]] = {
    "whole": lambda api, **asked: api.create(**asked),
    "stream": lambda api, **asked: list(api.create(**asked, stream=True)),
    "helper": _helper,
    "raw": lambda api, **asked: api.with_raw_response.create(**asked).parse(),
    "raw stream": lambda api, **asked: list(api.with_raw_response.create(**asked, stream=True).parse()),
    "lines": _lines,
}


async def _awhole(api: Any, **asked: Any) -> Any:
    return await api.create(**asked)


async def _astream(api: Any, **asked: Any) -> Any:
    return [event async for event in await api.create(**asked, stream=True)]


async def _ahelper(api: Any, **asked: Any) -> Any:
    async with api.stream(**asked) as stream:
        return await stream.get_final_message()


async def _araw(api: Any, **asked: Any) -> Any:
    return await (await api.with_raw_response.create(**asked)).parse()


ASYNC_WAYS: dict[str, Callable[..., Any]] = {
    "whole": _awhole,
    "stream": _astream,
    "helper": _ahelper,
    "raw": _araw,
}


@pytest.mark.parametrize("beta", [False, True], ids=["messages", "beta"])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str, beta: bool) -> None:
    with Anthropic(api_key="test", base_url=f"{providers}/{CASE}", max_retries=0) as client:
        WAYS[way](client.beta.messages if beta else client.messages, **ASKED)
    tracked.cost_as_worked(CASE)


def test_a_long_context_costs_what_was_worked_out(tracked: Tracked, providers: str) -> None:
    with Anthropic(api_key="test", base_url=f"{providers}/anthropic-long", max_retries=0) as client:
        client.messages.create(**{**ASKED, "model": "claude-haiku-5-5"})
    tracked.cost_as_worked("anthropic-long")


@pytest.mark.parametrize("way", ASYNC_WAYS)
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    async def call() -> None:
        async with AsyncAnthropic(api_key="test", base_url=f"{providers}/{CASE}", max_retries=0) as client:
            await ASYNC_WAYS[way](client.messages, **ASKED)

    asyncio.run(call())
    tracked.cost_as_worked(CASE)


@pytest.mark.parametrize("way", ["whole", "stream", "helper", "raw"])
def test_claude_at_amazon_costs_what_the_profile_that_was_called_does(
    tracked: Tracked, providers: str, way: str
) -> None:
    with AnthropicBedrock(base_url=f"{providers}/bedrock-invoke", **AMAZON_KEYS) as client:
        WAYS[way](client.messages, **{**ASKED, "model": AT_AMAZON})
    [record] = tracked.cost_as_worked("bedrock-invoke")
    assert record["provider"] == "aws"


def test_an_asynchronous_stream_of_claude_at_amazon_costs_the_same(tracked: Tracked, providers: str) -> None:
    async def call() -> None:
        async with AsyncAnthropicBedrock(base_url=f"{providers}/bedrock-invoke", **AMAZON_KEYS) as client:
            await _astream(client.messages, **{**ASKED, "model": AT_AMAZON})

    asyncio.run(call())
    tracked.cost_as_worked("bedrock-invoke")


def test_claude_at_google_is_billed_by_google_in_its_region(tracked: Tracked) -> None:
    with (
        scripted(lambda path, body: Answer(_answer())) as provider,
        AnthropicVertex(
            region="europe-west1", project_id="p", access_token="t", base_url=provider.url, max_retries=0
        ) as client,
    ):
        client.messages.create(**ASKED)
    [record] = tracked.ledger.records()
    assert tracked.failures == []
    assert (record["provider"], record["model_id"], record["status"]) == ("google", "claude-sonnet-5", "computed")
    assert b'"region":"europe-west1"' in tracked.kept.records[0]


def test_a_stream_that_is_left_counts_what_was_known_and_says_that_it_is_estimated(tracked: Tracked) -> None:
    start, *_ = recorded(CASE)["events"]
    with scripted(lambda path, body: _stream(start, {"type": "content_block_stop", "index": 0})) as provider:
        client = Anthropic(api_key="test", base_url=provider.url, max_retries=0)
        with client.messages.create(**ASKED, stream=True) as stream:
            next(iter(stream))
        client.close()
    [record] = tracked.ledger.records()
    assert tracked.failures == []
    assert record["estimated"] is True


def test_counting_tokens_is_free_and_is_not_tracked(tracked: Tracked) -> None:
    with scripted(lambda path, body: Answer({"input_tokens": 12})) as provider:
        client = Anthropic(api_key="test", base_url=provider.url, max_retries=0)
        assert client.messages.count_tokens(model="claude-sonnet-5", messages=MESSAGES).input_tokens == 12
        client.close()
    tracked.nothing()


def test_a_wrapped_client_and_its_copies_are_tracked_and_no_other(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    with Anthropic(api_key="test", base_url=f"{providers}/{CASE}", max_retries=0) as client:
        copy_of_unwrapped = client.with_options(timeout=30)
        wrap(client, tracked.client)
        client.with_options(timeout=30).messages.create(**ASKED)
        copy_of_unwrapped.messages.create(**ASKED)
    tracked.cost_as_worked(CASE, calls=1)
    tracked.client.close()


def _answer() -> dict[str, Any]:
    return {**recorded(CASE)["answer"], "id": "msg_00000000000000000001"}


def _stream(*data: dict[str, Any]) -> Answer:
    body = b"".join(b"event: " + one["type"].encode() + b"\n" + events(one, ending=b"").content for one in data)
    return Answer(body, content_type="text/event-stream")
