"""What boto3 returns of Amazon Bedrock goes in unchanged, and costs what was worked out by hand."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.providers.sender import Sender, reads_as_worked

CONVERSE = "us.anthropic.claude-sonnet-5-v1:0"
INVOKE = "global.anthropic.claude-sonnet-5-v1:0"
ASKED = [{"role": "user", "content": [{"text": "How cold is it in Oslo?"}]}]
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": ASKED})


Client = Callable[[str], Any]


@pytest.fixture
def client(providers: str) -> Iterator[Client]:
    """Makes a client for which the provider answers as in a case."""
    once = Config(retries={"total_max_attempts": 1})
    with ExitStack() as stack:
        yield lambda case: stack.enter_context(
            closing(boto3.client("bedrock-runtime", endpoint_url=f"{providers}/{case}", config=once))
        )


def test_converse_costs_the_same_as_a_whole_and_by_its_usage(client: Client, sender: Sender) -> None:
    response = client("bedrock-converse").converse(modelId=CONVERSE, messages=ASKED)
    said = {"provider": "aws", "model_id": CONVERSE}
    proof = sender.costs_as_worked("bedrock-converse", **said, response=response)
    assert proof["usage"]["model_id"] == CONVERSE
    assert reads_as_worked("bedrock-converse", proof)
    sender.costs_as_worked("bedrock-converse", **said, usage=response["usage"])


def test_a_converse_stream_costs_the_same_by_its_events_and_by_its_last(client: Client, sender: Sender) -> None:
    response = client("bedrock-converse").converse_stream(modelId=CONVERSE, messages=ASKED)
    events = list(response["stream"])
    said = {"provider": "aws", "model_id": CONVERSE}
    sender.costs_as_worked("bedrock-converse", **said, response=events)
    sender.costs_as_worked("bedrock-converse", **said, usage=events[-1]["metadata"]["usage"])


def test_bedrocks_request_id_makes_a_response_one_record(client: Client, sender: Sender) -> None:
    response = client("bedrock-converse").converse(modelId=CONVERSE, messages=ASKED)
    said = {"provider": "aws", "model_id": CONVERSE, "response": response}
    first, again = (sender.send(said) for _ in range(2))
    assert (first.status, again.status) == (201, 200)


def test_a_converse_stream_is_one_record_by_the_request_id_that_is_sent_with_it(client: Client, sender: Sender) -> None:
    response = client("bedrock-converse").converse_stream(modelId=CONVERSE, messages=ASKED)
    named = {"model_id": CONVERSE, "response_id": response["ResponseMetadata"]["RequestId"]}
    events = list(response["stream"])
    answers = [sender.send({"provider": "aws", **named, "response": events}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 200]


def test_an_invoked_claude_costs_what_its_inference_profile_does(client: Client, sender: Sender) -> None:
    response = client("bedrock-invoke").invoke_model(modelId=INVOKE, body=BODY)
    body = json.loads(response["body"].read())
    said = {"provider": "aws", "model_id": INVOKE}
    proof = sender.costs_as_worked("bedrock-invoke", **said, response=body)
    assert body["model"] == "claude-sonnet-5"
    assert proof["usage"]["model_id"] == INVOKE
    assert reads_as_worked("bedrock-invoke", proof)
    sender.costs_as_worked("bedrock-invoke", **said, usage=body["usage"])


def test_the_stream_of_an_invoked_claude_costs_the_same(client: Client, sender: Sender) -> None:
    response = client("bedrock-invoke").invoke_model_with_response_stream(modelId=INVOKE, body=BODY)
    events = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    said = {"provider": "aws", "model_id": INVOKE}
    sender.costs_as_worked("bedrock-invoke", **said, response=events)
    sender.costs_as_worked("bedrock-invoke", **said, usage=events[-1]["amazon-bedrock-invocationMetrics"])
