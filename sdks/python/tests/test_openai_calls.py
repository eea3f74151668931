"""openai: which calls are paid for, who bills them, and that a failure of ours is nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI
from scripted_provider import Answer, scripted
from tracked_calls import MARKER, MESSAGES, QUESTION, Tracked, tracking

from ledgers import Ledger
from llm_cost_ops import cost_context, uninstrument, wrap
from llm_cost_ops.instrumentation.measuring import NoUsageTold
from llm_cost_ops.instrumentation.openai import provider_of

CHAT: dict[str, Any] = {"model": "gpt-5", "messages": MESSAGES}
USED = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
ANSWER = {
    "id": "chatcmpl-00000000000000000001",
    "object": "chat.completion",
    "created": 1793620800,
    "model": "gpt-5-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": MARKER}}],
    "usage": USED,
}
IMAGES_USED = {
    "input_tokens": 50,
    "output_tokens": 4160,
    "total_tokens": 4210,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
HEARD = {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14}, "output_tokens": 45}


@pytest.fixture
def tracked(ledger: Ledger) -> Iterator[Tracked]:
    with tracking(ledger, "openai") as found:
        yield found


def _client(url: str, **settings: Any) -> OpenAI:
    return OpenAI(**{"api_key": "sk-test", "base_url": f"{url}/v1", "max_retries": 0, **settings})


def test_images_and_transcriptions_are_counted_by_their_usage(tracked: Tracked) -> None:
    def answer(path: str, body: Any) -> Answer:
        if path.endswith("/images/generations"):
            return Answer({"created": 1, "data": [{"b64_json": MARKER}], "usage": IMAGES_USED})
        return Answer({"text": MARKER, "usage": {**HEARD, "total_tokens": 59}})

    with scripted(answer) as provider, _client(provider.url) as client:
        client.images.generate(model="gpt-image-1", prompt=QUESTION)
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=(f"{MARKER}.wav", b"RIFF"))
    assert tracked.failures == []
    records = tracked.ledger.records()
    assert {(record["model_id"], record["status"]) for record in records} == {
        ("gpt-image-1", "computed"),
        ("gpt-4o-transcribe", "computed"),
    }
    assert MARKER.encode() not in b"".join(tracked.kept.records)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.moderations.create(input=QUESTION),
        lambda client: client.models.list(),
        lambda client: client.responses.retrieve("resp_00000000000000000001"),
        lambda client: client.chat.completions.retrieve("chatcmpl-00000000000000000001"),
        lambda client: client.batches.create(
            completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"
        ),
    ],
    ids=["moderation", "models", "a stored response", "a stored chat", "a batch"],
)
def test_what_is_free_or_not_paid_for_by_the_call_is_not_tracked(tracked: Tracked, call: Any) -> None:
    with scripted(lambda path, body: Answer({"id": "resp_00000000000000000001", "usage": USED})) as provider:
        client = _client(provider.url)
        call(client)
        client.close()
    tracked.nothing()


def test_a_response_made_in_the_background_counts_once_it_is_there_and_once(tracked: Tracked) -> None:
    done = {"id": "resp_00000000000000000001", "object": "response", "model": "gpt-5", "background": True}
    used = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    states = iter(["queued", "in_progress", "completed", "completed"])

    def answer(path: str, body: Any) -> Answer:
        status = next(states)
        return Answer({**done, "status": status, "output": [], "usage": used if status == "completed" else None})

    with scripted(answer) as provider, _client(provider.url) as client:
        client.responses.create(model="gpt-5", input=QUESTION, background=True)
        for _ in range(3):
            client.responses.retrieve("resp_00000000000000000001")
    assert tracked.failures == []
    assert tracked.ledger.totals()[0] == 1


@pytest.mark.parametrize("content", ["text", "json"])
def test_a_call_that_tells_no_usage_is_said_to_be_unknown_and_never_counted_as_nothing(
    tracked: Tracked, content: str
) -> None:
    answer = Answer({"text": MARKER}) if content == "json" else Answer(MARKER.encode(), content_type="text/plain")
    with scripted(lambda path, body: answer) as provider, _client(provider.url) as client:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"), response_format=content)  # type: ignore[call-overload]
        client.audio.speech.create(model="tts-1", voice="alloy", input=QUESTION)
    assert [type(failure) for failure in tracked.failures] == [NoUsageTold, NoUsageTold]
    assert MARKER not in str(tracked.failures)
    assert tracked.kept.records == []


def test_a_call_that_fails_is_not_tracked(tracked: Tracked) -> None:
    with scripted(lambda path, body: Answer({"error": {"message": "no"}}, 400)) as provider:
        client = _client(provider.url)
        with pytest.raises(BadRequestError):
            client.chat.completions.create(**CHAT)
        client.close()
    tracked.nothing()


@pytest.mark.parametrize(
    "odd",
    [None, [], "text", 7, {"usage": 7}, {"usage": {"a": [[{}]]}}, {"usage": None, "output": 3}, {"model": {"a": 1}}],
    ids=repr,
)
def test_an_answer_of_an_odd_shape_reaches_the_application_as_it_does_without_tracking(
    ledger: Ledger, odd: Any
) -> None:
    def outcome(client: OpenAI) -> Any:
        try:
            return repr(client.chat.completions.create(**CHAT))
        except Exception as error:  # noqa: BLE001
            return repr(error)

    with scripted(lambda path, body: Answer(odd)) as provider, _client(provider.url) as client:
        bare = outcome(client)
        with tracking(ledger, "openai"):
            assert outcome(client) == bare


@pytest.mark.parametrize("streamed", [False, True])
def test_a_failure_of_ours_never_reaches_the_application(tracked: Tracked, streamed: bool) -> None:
    def broken(fields: Any) -> None:
        raise RuntimeError("the tracker is broken")

    tracked.client.tracker.track = broken  # type: ignore[method-assign]
    with scripted(lambda path, body: Answer(ANSWER)) as provider, _client(provider.url) as client:
        if streamed:
            with client.chat.completions.with_streaming_response.create(**CHAT) as response:
                assert response.parse().id == ANSWER["id"]
        else:
            assert client.chat.completions.create(**CHAT).id == ANSWER["id"]
    assert [str(failure) for failure in tracked.failures] == ["the tracker is broken"]


def test_a_call_belongs_to_the_block_around_it_and_names_the_providers_request(tracked: Tracked) -> None:
    answer = Answer(ANSWER, headers={"x-request-id": "req_123"})
    with scripted(lambda path, body: answer) as provider, _client(provider.url) as client:
        attributed = cost_context(project="search", user="ana", metadata={"job": "nightly"})
        attributed(client.chat.completions.create)(**CHAT)
    [record] = tracked.ledger.records()
    assert (record["project_id"], record["user_id"]) == ("search", "ana")
    assert b'"metadata":{"job":"nightly","provider_request_id":"req_123"}' in tracked.kept.records[0]


def test_a_request_made_by_hand_is_tracked_too(tracked: Tracked) -> None:
    with scripted(lambda path, body: Answer(ANSWER)) as provider, _client(provider.url) as client:
        as_json = client.post("/chat/completions", cast_to=object, body=CHAT)
        raw = client.post("/chat/completions", cast_to=httpx2.Response, body=CHAT)
    assert as_json == raw.json() == ANSWER
    assert tracked.failures == []
    assert len(tracked.kept.records) == 2
    assert tracked.ledger.totals()[0] == 1


HOSTS = {
    "https://api.openai.com/v1": "openai",
    "https://api.deepseek.com": "deepseek",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.x.ai/v1": "x-ai",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.mistral.ai/v1": "mistral",
    "https://api.together.xyz/v1": "together",
    "https://generativelanguage.googleapis.com/v1beta/openai/": "google",
    "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1": "aws",
    "http://127.0.0.1:8000/v1": "openai",
    "https://notapi.openai.com.evil.example/v1": "openai",
}


@pytest.mark.parametrize("url", HOSTS)
def test_who_bills_is_known_by_the_address(url: str) -> None:
    with _client("", base_url=url) as client:
        assert provider_of(client) == HOSTS[url]


def test_who_bills_at_an_address_of_your_own_is_what_you_say(ledger: Ledger) -> None:
    with _client("", base_url="https://eu.llm.example.com/v1") as client:
        with tracking(ledger, "openai", providers={"LLM.example.com": "mistral"}):
            assert provider_of(client) == "mistral"
        assert provider_of(client) == "openai"


def test_a_wrapped_client_and_its_copies_are_tracked_for_who_was_named_and_no_other(ledger: Ledger) -> None:
    tracked = Tracked(ledger)
    with scripted(lambda path, body: Answer(ANSWER)) as provider, _client(provider.url) as client:
        wrapped = wrap(_client(provider.url), tracked.client, provider="azure")
        wrapped.with_options(timeout=30).copy(max_retries=1).chat.completions.create(**CHAT)
        client.chat.completions.create(**CHAT)
        wrapped.close()
    uninstrument()
    [record] = ledger.records()
    assert (tracked.failures, len(tracked.kept.records), record["provider"]) == ([], 1, "azure")
    tracked.client.close()


def test_uninstrument_leaves_the_library_as_it_was(ledger: Ledger) -> None:
    from openai import _base_client

    before = {kind: dict(vars(kind)) for kind in (_base_client.SyncAPIClient, _base_client.AsyncAPIClient, OpenAI)}
    with tracking(ledger, "openai"):
        assert vars(OpenAI)["copy"] is not before[OpenAI]["copy"]
    assert {kind: dict(vars(kind)) for kind in before} == before
