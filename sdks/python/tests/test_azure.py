"""Azure OpenAI: the deployment is what was asked for, the model that served is what is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI
from scripted_provider import events, scripted
from tests.providers.fake_providers import case as recorded
from tracked_calls import MESSAGES, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops.instrumentation.openai import provider_of

CASE = "azure-chat"
ASKED: dict[str, Any] = {"model": "our-deployment", "messages": MESSAGES}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "openai") as found:
        yield found


def _settings(url: str) -> dict[str, Any]:
    return {"api_key": "test", "azure_endpoint": f"{url}/{CASE}", "api_version": "2024-10-21", "max_retries": 0}


@pytest.mark.parametrize("way", ["whole", "raw", "copy"])
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    with AzureOpenAI(**_settings(providers)) as client:
        completions = client.chat.completions
        if way == "whole":
            completions.create(**ASKED)
        elif way == "raw":
            completions.with_raw_response.create(**ASKED).parse()
        else:
            client.with_options(timeout=30).chat.completions.create(**ASKED)
    [record] = tracked.cost_as_worked(CASE)
    assert record["provider"] == "azure"
    assert record["model_id"].startswith("gpt-4o")


def test_an_asynchronous_call_costs_what_was_worked_out(tracked: Tracked, providers: str) -> None:
    async def call() -> None:
        async with AsyncAzureOpenAI(**_settings(providers)) as client:
            await client.chat.completions.create(**ASKED)

    asyncio.run(call())
    tracked.cost_as_worked(CASE)


def test_a_stream_costs_what_was_worked_out_and_shows_azures_first_chunk(tracked: Tracked) -> None:
    filtered = {"id": "", "model": "", "object": "", "choices": [], "prompt_filter_results": []}
    answer = recorded(CASE)["answer"]
    about = {"id": "chatcmpl-00000000000000000001", "model": answer["model"], "object": "chat.completion.chunk"}
    chunk = {**about, "choices": [{"index": 0, "delta": {"content": "Cold"}}], "usage": None}
    last = {**about, "choices": [], "usage": answer["usage"]}
    with scripted(lambda path, body: events(filtered, chunk, last)) as provider:
        client = AzureOpenAI(**{**_settings(""), "azure_endpoint": provider.url})
        chunks = list(client.chat.completions.create(**ASKED, stream=True))
        client.close()
    assert [len(one.choices) for one in chunks] == [0, 1]
    assert provider.asked[0][1]["stream_options"] == {"include_usage": True}
    [record] = tracked.cost_as_worked(CASE)
    assert record["provider"] == "azure"


def test_azures_own_address_is_azure_to_every_client() -> None:
    client = OpenAI(api_key="test", base_url="https://us.openai.azure.com/openai/v1/")
    assert provider_of(client) == "azure"
    client.close()
