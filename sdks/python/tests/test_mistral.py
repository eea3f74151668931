"""mistralai: every way to call it is tracked, costs what was worked out by hand, and leaves the application as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mistralai.client import Mistral
from mistralai.client.models import OCRResponse, OCRUsageInfo
from tracked_calls import MESSAGES, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import uninstrument, wrap
from llm_cost_ops.instrumentation.mistralai import _Told

MODEL = "mistral-medium-latest"
ASKED: dict[str, Any] = {"model": MODEL, "messages": MESSAGES}
CASE = "mistral-chat"


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "mistralai") as found:
        yield found


def made(providers: str) -> Mistral:
    """A client for which the provider answers as recorded."""
    return Mistral(api_key="test", server_url=f"{providers}/{CASE}")


def _in_with(stream: Any) -> list[Any]:
    with stream as events:
        return list(events)


async def _all(stream: Any) -> list[Any]:
    return [event async for event in await stream]


WAYS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda client: client.chat.complete(**ASKED),
    "stream": lambda client: list(client.chat.stream(**ASKED)),
    "stream in with": lambda client: _in_with(client.chat.stream(**ASKED)),
}
ASYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda client: client.chat.complete_async(**ASKED),
    "stream": lambda client: _all(client.chat.stream_async(**ASKED)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    with made(providers) as client:
        WAYS[way](client)
    [record] = tracked.cost_as_worked(CASE)
    assert (record["provider"], record["model_id"]) == ("mistral", MODEL)


@pytest.mark.parametrize("way", ASYNC_WAYS)
def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    async def call() -> None:
        async with made(providers) as client:
            await ASYNC_WAYS[way](client)

    asyncio.run(call())
    tracked.cost_as_worked(CASE)


def test_a_stream_that_is_left_before_its_usage_is_a_counted_failure_and_no_zero(
    tracked: Tracked, providers: str
) -> None:
    with made(providers) as client, client.chat.stream(**ASKED) as stream:
        next(iter(stream))
    [failure] = tracked.failures
    assert MODEL in str(failure)
    assert tracked.kept.records == []


def test_a_wrapped_client_is_tracked_and_no_other(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    try:
        with made(providers) as one, made(providers) as other:
            one.chat.complete(**ASKED)  # made and used before it was wrapped
            assert wrap(one, tracked.client) is one
            for client in (one, other):
                client.chat.complete(**ASKED)
        tracked.cost_as_worked(CASE)
    finally:
        uninstrument()
        tracked.client.close()


def test_pages_that_were_read_are_counted(tracked: Tracked) -> None:
    answer = _Told()
    answer.see(OCRResponse(pages=[], model="mistral-ocr-latest", usage_info=OCRUsageInfo(pages_processed=3)))
    tracked.client.track(provider="mistral", response=answer.skeleton())
    [record] = tracked.ledger.records()
    assert record["quantities"]["pages"] == 3


def test_a_failure_of_ours_never_reaches_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, item: Any) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(_Told, "see", broken)
    with made(providers) as client:
        assert WAYS["whole"](client).choices[0].message.content == "Cold."
        assert len(WAYS["stream"](client)) == 3
    assert tracked.failures
    assert tracked.kept.records == []
