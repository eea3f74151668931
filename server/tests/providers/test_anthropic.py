"""What Anthropic's client returns goes in unchanged, and costs what was worked out by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anthropic import Anthropic

from tests.providers.sender import Sender, reads_as_worked

ASKED: dict[str, Any] = {
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "How cold is it in Oslo?"}],
}
CASES = pytest.mark.parametrize(
    ("case", "model"), [("anthropic-messages", "claude-sonnet-5"), ("anthropic-long", "claude-haiku-5-5")]
)


Client = Callable[[str], Anthropic]


@pytest.fixture
def client(providers: str) -> Iterator[Client]:
    """Makes a client for which the provider answers as in a case."""
    with ExitStack() as stack:
        yield lambda case: stack.enter_context(
            Anthropic(api_key="sk-ant-test", base_url=f"{providers}/{case}", max_retries=0)
        )


@CASES
def test_a_message_costs_the_same_as_a_whole_and_by_its_usage(
    client: Client, sender: Sender, case: str, model: str
) -> None:
    message = client(case).messages.create(model=model, **ASKED)
    proof = sender.costs_as_worked(case, provider="anthropic", response=message.model_dump())
    assert reads_as_worked(case, proof)
    for usage in (message.usage.model_dump(), message.usage.to_dict()):
        sender.costs_as_worked(case, provider="anthropic", model_id=model, usage=usage)


def test_a_stream_costs_the_same_by_its_events_whose_counts_are_cumulative(client: Client, sender: Sender) -> None:
    created = client("anthropic-messages").messages.create(model="claude-sonnet-5", stream=True, **ASKED)
    events = [event.model_dump() for event in created]
    assert [event["type"] for event in events].count("message_delta") == 2
    proof = sender.costs_as_worked("anthropic-messages", provider="anthropic", response=events)
    assert proof["usage"]["model_id"] == "claude-sonnet-5"
    assert reads_as_worked("anthropic-messages", proof)


def test_a_stream_that_is_read_with_its_helper_costs_the_same(client: Client, sender: Sender) -> None:
    with client("anthropic-messages").messages.stream(model="claude-sonnet-5", **ASKED) as stream:
        events = [event.model_dump() for event in stream]
        final = stream.get_final_message()
    first = sender.costs_as_worked("anthropic-messages", provider="anthropic", response=events)
    again = sender.send({"provider": "anthropic", "response": final.model_dump()})
    assert (again.status, again.body["data"]["usage_id"]) == (200, first["usage"]["usage_id"])
    usage = final.usage.model_dump()
    sender.costs_as_worked("anthropic-messages", provider="anthropic", model_id="claude-sonnet-5", usage=usage)


def test_a_stream_that_broke_off_is_kept_as_an_estimate(client: Client, sender: Sender) -> None:
    created = client("anthropic-messages").messages.create(model="claude-sonnet-5", stream=True, **ASKED)
    events = [event.model_dump() for event in created]
    heard = [event for event in events if event["type"] not in ("message_delta", "message_stop")]
    answer = sender.send({"provider": "anthropic", "response": heard})
    assert (answer.status, answer.body["data"]["status"]) == (201, "estimated")
