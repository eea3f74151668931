"""What OpenAI's client returns goes in unchanged, and costs what was worked out by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from openai import AzureOpenAI, OpenAI

from tests.providers.sender import Sender, reads_as_worked
from tests.providers.worked import worked_amounts

ASKED: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "How cold is it in Oslo?"}]}
ASKED_RESPONSES: dict[str, Any] = {"model": "gpt-5.6-sol", "input": "How cold is it in Oslo?"}
USED = {"include_usage": True}


Client = Callable[[str], OpenAI]


@pytest.fixture
def client(providers: str) -> Iterator[Client]:
    """Makes a client for which the provider answers as in a case."""
    with ExitStack() as stack:
        yield lambda case: stack.enter_context(
            OpenAI(api_key="sk-test", base_url=f"{providers}/{case}/v1", max_retries=0)
        )


@pytest.mark.parametrize(("case", "model"), [("openai-chat", "gpt-5"), ("openai-priority", "gpt-4.1")])
def test_a_chat_completion_costs_the_same_as_a_whole_and_by_its_usage(
    client: Client, sender: Sender, case: str, model: str
) -> None:
    response = client(case).chat.completions.create(**{**ASKED, "model": model})
    assert response.usage is not None
    whole = sender.costs_as_worked(case, provider="openai", response=response.model_dump())
    assert whole["usage"]["model_id"] == response.model
    assert reads_as_worked(case, whole)
    tier = response.service_tier
    sender.costs_as_worked(
        case, provider="openai", model_id=model, usage=response.usage.model_dump(), service_tier=tier
    )


def test_fields_that_were_never_set_may_be_left_out_or_null(client: Client, sender: Sender) -> None:
    response = client("openai-chat").chat.completions.create(**ASKED)
    assert response.usage is not None
    for usage in (response.usage.model_dump(exclude_none=True), response.usage.to_dict(), response.usage.model_dump()):
        sender.costs_as_worked("openai-chat", provider="openai", model_id="gpt-5", usage=usage)


def test_a_chat_stream_costs_the_same_by_its_events_and_by_its_final_usage(client: Client, sender: Sender) -> None:
    completions = client("openai-chat").chat.completions
    events = [event.model_dump() for event in completions.create(**ASKED, stream=True, stream_options=USED)]
    proof = sender.costs_as_worked("openai-chat", provider="openai", response=events)
    assert proof["usage"]["model_id"] == events[0]["model"]
    with completions.stream(**ASKED, stream_options=USED) as stream:
        final = stream.get_final_completion()
    assert final.usage is not None
    sender.costs_as_worked("openai-chat", provider="openai", model_id="gpt-5", usage=final.usage.model_dump())
    sender.costs_as_worked("openai-chat", provider="openai", response=final.model_dump())


def test_a_chat_stream_without_usage_is_refused_with_the_reason(client: Client, sender: Sender) -> None:
    created = client("openai-chat").chat.completions.create(**ASKED, stream=True)
    answer = sender.send({"provider": "openai", "response": [event.model_dump() for event in created]})
    assert answer.status == 400
    assert "stream_options.include_usage" in answer.error["message"]
    assert sender.totals() == (0, Decimal(0))


def test_a_response_costs_the_same_as_a_whole_and_as_a_stream_of_events(client: Client, sender: Sender) -> None:
    responses = client("openai-responses").responses
    whole = responses.create(**ASKED_RESPONSES)
    proof = sender.costs_as_worked("openai-responses", provider="openai", response=whole.model_dump())
    assert reads_as_worked("openai-responses", proof)
    events = [event.model_dump() for event in responses.create(**ASKED_RESPONSES, stream=True)]
    sender.costs_as_worked("openai-responses", provider="openai", response=events)
    with responses.stream(**ASKED_RESPONSES) as stream:
        final = stream.get_final_response()
    sender.costs_as_worked("openai-responses", provider="openai", response=final.model_dump())


def test_searches_are_sent_beside_the_usage_of_a_response_which_does_not_tell_them(
    client: Client, sender: Sender
) -> None:
    usage = client("openai-responses").responses.create(**ASKED_RESPONSES).usage
    assert usage is not None
    said = {"provider": "openai", "model_id": "gpt-5.6-sol", "usage": usage.model_dump()}
    sender.costs_as_worked("openai-responses", **said, web_searches=2)
    (search,) = (one for one in worked_amounts()["openai-responses"].lines if one.meter == "web_searches")
    without = Decimal(sender.send(said).body["data"]["cost"]["total_cost"])
    assert without == worked_amounts()["openai-responses"].total - search.amount


def test_embeddings_cost_the_same_as_a_whole_and_by_their_usage(client: Client, sender: Sender) -> None:
    asked = {"model": "text-embedding-3-small", "input": "Oslo"}
    response = client("openai-embeddings").embeddings.create(**asked)
    sender.costs_as_worked("openai-embeddings", provider="openai", response=response.model_dump())
    usage = response.usage.model_dump()
    sender.costs_as_worked("openai-embeddings", provider="openai", model_id=asked["model"], usage=usage)


def test_azure_is_priced_by_the_model_that_served_and_keeps_the_deployment(providers: str, sender: Sender) -> None:
    where: dict[str, Any] = {"azure_endpoint": f"{providers}/azure-chat", "api_version": "2024-10-21"}
    with AzureOpenAI(api_key="test", max_retries=0, **where) as azure:
        response = azure.chat.completions.create(**{**ASKED, "model": "our-deployment"})
    said = {"provider": "azure", "model_id": "our-deployment", "response": response.model_dump()}
    proof = sender.costs_as_worked("azure-chat", **said)
    assert proof["usage"]["model_id"] == response.model


def test_the_same_response_sent_twice_is_one_record(client: Client, sender: Sender) -> None:
    response = client("openai-chat").chat.completions.create(**ASKED).model_dump()
    first, again = (sender.send({"provider": "openai", "response": response}) for _ in range(2))
    assert (first.status, again.status) == (201, 200)
    assert first.body["data"]["usage_id"] == again.body["data"]["usage_id"]
    assert sender.totals() == (1, worked_amounts()["openai-chat"].total)


def test_nothing_that_was_said_is_kept(client: Client, sender: Sender) -> None:
    response = client("openai-responses").responses.create(**ASKED_RESPONSES)
    proof = sender.costs_as_worked("openai-responses", provider="openai", response=response.model_dump())
    assert "Cold." in str(response.model_dump())
    assert "oslo weather" in str(response.model_dump())
    assert "Cold." not in str(proof)
    assert "oslo weather" not in str(proof)
