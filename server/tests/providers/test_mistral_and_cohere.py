"""What Mistral's and Cohere's clients return goes in unchanged, and costs what was worked out by hand."""

from typing import Any

from cohere import ClientV2
from mistralai.client import Mistral

from tests.providers.sender import Sender, reads_as_worked

QUESTION: list[Any] = [{"role": "user", "content": "How cold is it in Oslo?"}]
MISTRAL, COHERE = "mistral-medium-latest", "command-a-03-2025"


def test_a_mistral_answer_costs_the_same_as_a_whole_and_by_its_usage(providers: str, sender: Sender) -> None:
    with Mistral(api_key="test", server_url=f"{providers}/mistral-chat") as client:
        response = client.chat.complete(model=MISTRAL, messages=QUESTION)
    proof = sender.costs_as_worked("mistral-chat", provider="mistral", response=response.model_dump())
    assert reads_as_worked("mistral-chat", proof)
    usage = response.usage.model_dump()
    sender.costs_as_worked("mistral-chat", provider="mistral", model_id=MISTRAL, usage=usage)


def test_a_mistral_stream_costs_the_same_by_its_events_and_by_their_data(providers: str, sender: Sender) -> None:
    with (
        Mistral(api_key="test", server_url=f"{providers}/mistral-chat") as client,
        client.chat.stream(model=MISTRAL, messages=QUESTION) as stream,
    ):
        events = list(stream)
    proof = sender.costs_as_worked("mistral-chat", provider="mistral", response=[e.model_dump() for e in events])
    assert proof["usage"]["model_id"] == MISTRAL
    again = sender.send({"provider": "mistral", "response": [event.data.model_dump() for event in events]})
    assert (again.status, again.body["data"]["usage_id"]) == (200, proof["usage"]["usage_id"])
    usage = events[-1].data.usage
    assert usage is not None
    sender.costs_as_worked("mistral-chat", provider="mistral", model_id=MISTRAL, usage=usage.model_dump())


def test_a_cohere_answer_costs_its_billed_units_as_a_whole_and_by_its_usage(providers: str, sender: Sender) -> None:
    with ClientV2(api_key="test", base_url=f"{providers}/cohere-chat") as client:
        response = client.chat(model=COHERE, messages=QUESTION)
    proof = sender.costs_as_worked("cohere-chat", provider="cohere", model_id=COHERE, response=response.model_dump())
    assert reads_as_worked("cohere-chat", proof)
    assert response.usage is not None
    for usage in (response.usage.model_dump(), response.usage.dict()):
        sender.costs_as_worked("cohere-chat", provider="cohere", model_id=COHERE, usage=usage)


def test_a_cohere_stream_costs_the_same_by_its_events_and_by_its_last(providers: str, sender: Sender) -> None:
    with ClientV2(api_key="test", base_url=f"{providers}/cohere-chat") as client:
        events = [event.model_dump() for event in client.chat_stream(model=COHERE, messages=QUESTION)]
    said = {"provider": "cohere", "model_id": COHERE}
    sender.costs_as_worked("cohere-chat", **said, response=events)
    sender.costs_as_worked("cohere-chat", **said, usage=events[-1]["delta"]["usage"])
