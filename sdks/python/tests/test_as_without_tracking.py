"""What a program can ask of a library's functions and answers: with tracking it is told the same."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.utils.eventstreaming import EventStream
from openai import OpenAI
from scripted_provider import Answer, scripted
from tracked_calls import MESSAGES, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import instrument, spend_limit, uninstrument

METHODS = [
    ("openai._base_client", "SyncAPIClient.request"),
    ("openai._base_client", "AsyncAPIClient.request"),
    ("anthropic._base_client", "AsyncAPIClient.request"),
    ("mistralai.client.chat", "Chat.complete"),
    ("mistralai.client.chat", "Chat.complete_async"),
    ("mistralai.client.chat", "Chat.stream_async"),
    ("google.genai.models", "AsyncModels.embed_content"),
    ("google.genai.models", "AsyncModels.generate_content"),
    ("cohere.v2.raw_client", "AsyncRawV2Client.chat"),
]


def _method(module: str, name: str) -> Any:
    owner, _, method = name.partition(".")
    return getattr(getattr(import_module(module), owner), method)


def _seen(method: Any) -> tuple[Any, ...]:
    return inspect.iscoroutinefunction(method), inspect.signature(method), method.__doc__, method.__qualname__


@pytest.mark.parametrize(("module", "name"), METHODS)
def test_a_method_looks_as_it_did_and_is_itself_again_after(ledger: Ledger, module: str, name: str) -> None:
    bare = _method(module, name)
    seen = _seen(bare)
    with ledger.client() as client:
        instrument(client)
        instrument(client)
        assert _seen(_method(module, name)) == seen
        uninstrument()
    assert _method(module, name) is bare


def test_a_stream_is_an_instance_of_what_it_was(ledger: Ledger, providers: str) -> None:
    with tracking(ledger, "mistralai") as tracked:
        client = Mistral(api_key="test", server_url=f"{providers}/mistral-chat")
        with client.chat.stream(model="mistral-medium-latest", messages=MESSAGES) as stream:
            assert isinstance(stream, EventStream)
            assert list(stream)
        tracked.cost_as_worked("mistral-chat")


def _of_background(path: str, body: Any) -> Answer:
    usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    told = {"id": "resp_0000000000000001", "object": "response", "model": "gpt-5", "background": True, "output": []}
    return Answer({**told, "status": "completed", "usage": usage})


def test_an_answer_that_is_paid_for_can_be_fetched_when_the_limit_is_reached(ledger: Ledger) -> None:
    with tracking(ledger, "openai") as tracked, scripted(_of_background) as provider:
        client = OpenAI(api_key="test", base_url=f"{provider.url}/v1", max_retries=0)
        with spend_limit(usd=0):
            assert client.responses.retrieve("resp_0000000000000001").status == "completed"
        _told_once(tracked)


def _told_once(tracked: Tracked) -> None:
    assert (len(tracked.kept.records), tracked.failures) == (1, [])
