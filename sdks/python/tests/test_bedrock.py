"""boto3's Bedrock: every way to call it is tracked, costs what was worked out by hand, and is read as it would be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any, Callable

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from tests.providers.fake_providers import case as recorded
from tracked_calls import MARKER, QUESTION, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import instrument, uninstrument, wrap
from llm_cost_ops.instrumentation.bedrock import plain_model_id
from llm_cost_ops.instrumentation.bedrock_answers import Converse, Invoked, InvokedStream

MODELS = {
    "bedrock-converse": "us.anthropic.claude-sonnet-5-v1:0",
    "bedrock-invoke": "global.anthropic.claude-sonnet-5-v1:0",
}
MESSAGES = [{"role": "user", "content": [{"text": QUESTION}]}]
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": MESSAGES})
CONVERSE: dict[str, Any] = {"modelId": MODELS["bedrock-converse"], "messages": MESSAGES}
INVOKE: dict[str, Any] = {"modelId": MODELS["bedrock-invoke"], "body": BODY}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "botocore") as found:
        yield found


def made(providers: str, case: str) -> Any:
    """A client for which the provider answers as in a case."""
    once = Config(retries={"total_max_attempts": 1})
    return closing(boto3.client("bedrock-runtime", endpoint_url=f"{providers}/{case}", config=once))


def _read_into(body: Any) -> bytes:
    buffer, found = bytearray(64), b""
    while size := body.readinto(buffer):
        found += bytes(buffer[:size])
    return found


def _in_with(body: Any) -> bytes:
    with body as raw:
        return bytes(raw.read())


READING: dict[str, Callable[[Any], bytes]] = {
    "read": lambda body: body.read(),
    "in pieces": lambda body: b"".join(iter(lambda: body.read(50), b"")),
    "chunks": lambda body: b"".join(body.iter_chunks(70)),
    "lines": lambda body: b"".join(body.iter_lines(70)),
    "readlines": lambda body: b"".join(body.readlines()),
    "into a buffer": _read_into,
    "in with": _in_with,
    "iterated": b"".join,
    "json.load": lambda body: json.dumps(json.load(body)).encode(),
}
WAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "converse": ("bedrock-converse", lambda client: client.converse(**CONVERSE)),
    "converse stream": ("bedrock-converse", lambda client: list(client.converse_stream(**CONVERSE)["stream"])),
    "invoke stream": ("bedrock-invoke", lambda c: list(c.invoke_model_with_response_stream(**INVOKE)["body"])),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_costs_what_was_worked_out(tracked: Tracked, providers: str, way: str) -> None:
    case, call = WAYS[way]
    with made(providers, case) as client:
        call(client)
    [record] = tracked.cost_as_worked(case)
    assert (record["provider"], record["model_id"]) == ("aws", MODELS[case])
    assert record["latency_ms"] is not None


@pytest.mark.parametrize("way", READING)
def test_an_invoked_model_costs_the_same_however_its_body_is_read(tracked: Tracked, providers: str, way: str) -> None:
    with made(providers, "bedrock-invoke") as client:
        body = client.invoke_model(**INVOKE)["body"]
        assert isinstance(body, StreamingBody)
        answer = json.loads(READING[way](body))
    assert answer["content"][0]["text"] == "Cold."
    tracked.cost_as_worked("bedrock-invoke")


@pytest.mark.parametrize("left", ["unread", "begun", "closed"])
def test_a_body_that_is_not_read_costs_what_its_headers_tell(tracked: Tracked, providers: str, left: str) -> None:
    with made(providers, "bedrock-invoke") as client:
        response = client.invoke_model(**INVOKE)
        if left == "begun":
            assert response["body"].read(10)
        if left == "closed":
            response["body"].close()
        del response
    tracked.cost_as_worked("bedrock-invoke")


def test_a_body_that_is_cut_short_is_told_of_to_the_application(tracked: Tracked, providers: str) -> None:
    with made(providers, "bedrock-invoke") as client:
        response = client.invoke_model(**INVOKE)
        response["body"]._raw_stream = BytesIO(b"{")
        response["body"]._amount_read = 0
        with pytest.raises(IncompleteReadError):
            response["body"].read()


def test_a_call_is_one_record_whoever_tells_of_it(tracked: Tracked, providers: str) -> None:
    with made(providers, "bedrock-converse") as client:
        response = client.converse(**CONVERSE)
        whole = client.converse_stream(**CONVERSE)
        events = list(whole["stream"])
    said = {"provider": "aws", "model_id": CONVERSE["modelId"]}
    tracked.client.track(**said, response=response)
    tracked.client.track(**said, response=events, response_id=whole["ResponseMetadata"]["RequestId"])
    assert tracked.ledger.totals()[0] == 2


def test_the_request_id_names_the_call_where_a_body_has_none(
    tracked: Tracked, providers: str, monkeypatch: Any
) -> None:
    body = {"inputTextTokenCount": 40, "results": [{"tokenCount": 12, "outputText": f"Cold. {MARKER}"}]}
    monkeypatch.setitem(recorded("bedrock-invoke"), "answer", body)
    monkeypatch.setitem(recorded("bedrock-invoke"), "headers", {"x-amzn-RequestId": "9f86d081-884c-4d65-{unique}"})
    with made(providers, "bedrock-invoke") as client:
        response = client.invoke_model(**INVOKE)
        response["body"].read()
    [record] = tracked.ledger.records()
    assert (record["input_tokens"], record["output_tokens"]) == (40, 12)
    [sent] = map(json.loads, tracked.kept.records)
    assert sent["response_id"] == response["ResponseMetadata"]["RequestId"]
    assert MARKER not in json.dumps(sent)


def test_a_client_that_was_made_before_is_tracked_too(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    with made(providers, "bedrock-converse") as client:
        client.converse(**CONVERSE)
        instrument(tracked.client, only=["botocore"])
        try:
            client.converse(**CONVERSE)
        finally:
            uninstrument()
        client.converse(**CONVERSE)
    tracked.cost_as_worked("bedrock-converse")
    tracked.client.close()


def test_a_wrapped_client_is_tracked_and_no_other(ledger: Ledger, providers: str) -> None:
    tracked = Tracked(ledger)
    try:
        with made(providers, "bedrock-converse") as one, made(providers, "bedrock-converse") as other:
            assert wrap(one, tracked.client) is one
            for client in (one, other):
                client.converse(**CONVERSE)
        tracked.cost_as_worked("bedrock-converse")
    finally:
        uninstrument()
        tracked.client.close()


def test_a_stream_that_is_left_before_its_usage_is_a_counted_failure_and_no_zero(
    tracked: Tracked, providers: str
) -> None:
    with made(providers, "bedrock-converse") as client:
        stream = client.converse_stream(**CONVERSE)["stream"]
        for _event in stream:
            break
        stream.close()
    [failure] = tracked.failures
    assert MODELS["bedrock-converse"] in str(failure)
    assert tracked.kept.records == []


def test_a_stream_of_claude_that_is_left_is_recorded_with_what_it_told_and_as_an_estimate(
    tracked: Tracked, providers: str
) -> None:
    with made(providers, "bedrock-invoke") as client:
        stream = client.invoke_model_with_response_stream(**INVOKE)["body"]
        for _event in stream:
            break
        stream.close()
    [record] = tracked.ledger.records()
    assert (record["status"], record["cached_tokens"]) == ("estimated", 2048)
    assert tracked.failures == []


def test_a_call_that_fails_is_not_recorded_and_raises_as_before(tracked: Tracked, providers: str) -> None:
    with made(providers, "bedrock-converse") as client, pytest.raises(ClientError):
        client.converse(modelId="not.there", messages=MESSAGES)
    tracked.nothing()


def test_other_services_are_let_pass(tracked: Tracked, providers: str) -> None:
    once = Config(retries={"total_max_attempts": 1})
    control = boto3.client("bedrock", endpoint_url=f"{providers}/bedrock", config=once)
    with closing(control), pytest.raises(ClientError):
        control.list_foundation_models()
    tracked.nothing()


def test_traces_of_guardrails_and_other_content_stay() -> None:
    response = {
        "usage": {"inputTokens": 1, "outputTokens": 1},
        "output": {"message": {"content": [{"text": MARKER}]}},
        "additionalModelResponseFields": {"said": MARKER},
        "trace": {"guardrail": {"modelOutput": [MARKER]}, "promptRouter": {"invokedModelId": "m", "said": MARKER}},
        "serviceTier": {"type": "flex"},
    }
    skeleton = Converse(response).skeleton()
    assert skeleton == {
        "usage": {"inputTokens": 1, "outputTokens": 1},
        "serviceTier": {"type": "flex"},
        "trace": {"promptRouter": {"invokedModelId": "m"}},
    }


def test_a_body_that_is_too_large_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_cost_ops.instrumentation.bedrock_answers._MOST_BYTES", 100)
    headers = {"x-amzn-bedrock-input-token-count": "7", "authorization": MARKER}
    answer = Invoked({"ResponseMetadata": {"RequestId": "r", "HTTPHeaders": headers}})
    for _ in range(3):
        answer.see(b"x" * 60)
    assert answer._chunks == []
    assert answer.skeleton() == {"ResponseMetadata": {"HTTPHeaders": {"x-amzn-bedrock-input-token-count": "7"}}}


def test_events_of_any_family_are_read_for_their_counts() -> None:
    answer = InvokedStream({})
    llama = {"generation": MARKER, "prompt_token_count": 5, "generation_token_count": 2}
    nova = {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2}, "said": MARKER}}
    for event in (llama, nova, {"generation": MARKER}):
        answer.see({"chunk": {"bytes": json.dumps(event).encode()}})
    assert answer.skeleton() == [
        {"prompt_token_count": 5, "generation_token_count": 2},
        {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2}}},
    ]


@pytest.mark.parametrize(
    ("called", "model"),
    [
        ("anthropic.claude-sonnet-5-v1:0", "anthropic.claude-sonnet-5-v1:0"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0"),
        (
            "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc",
            "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc",
        ),
        (None, None),
    ],
)
def test_a_model_is_named_as_its_price_is(called: Any, model: Any) -> None:
    assert plain_model_id(called) == model


def test_a_failure_of_ours_never_reaches_the_caller(
    tracked: Tracked, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("of ours")

    for kind in (Converse, Invoked, InvokedStream):
        for method in ("see", "skeleton"):
            monkeypatch.setattr(kind, method, broken)
    with made(providers, "bedrock-converse") as client:
        assert client.converse(**CONVERSE)["output"]["message"]["content"][0]["text"] == "Cold."
    with made(providers, "bedrock-invoke") as client:
        assert json.loads(client.invoke_model(**INVOKE)["body"].read())["content"][0]["text"] == "Cold."
        assert len(list(client.invoke_model_with_response_stream(**INVOKE)["body"])) == 6
    assert len(tracked.failures) >= 3
    assert tracked.kept.records == []
