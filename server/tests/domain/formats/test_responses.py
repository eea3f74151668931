"""Raw responses: streams are put together, whole responses stay whole, and content stays outside."""

import json
from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.formats.reading import Told
from cost_ops.domain.formats.responses import event_items
from cost_ops.domain.formats.streams import END, MAX_KEPT, responses
from cost_ops.domain.records_file import Item
from tests.domain.formats.converted import converted, fields, skipped

OPENAI = Told("openai")


def chunk(response: str = "chatcmpl-1", **more: Any) -> dict[str, Any]:
    return {
        "id": response,
        "object": "chat.completion.chunk",
        "created": 1772442900,
        "model": "gpt-4o",
        "usage": None,
        **more,
    }


def gemini(answer: int, *, response: str | None = None, finish: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"candidates": [{"content": {}}], "usageMetadata": {"candidatesTokenCount": answer}}
    if finish:
        found["candidates"][0]["finishReason"] = finish
    return found | ({"responseId": response} if response else {})


def grouped(*values: Any) -> list[Any]:
    return [found.payload for found in responses(Item(n, v) for n, v in enumerate(values, 1))]


def test_chunks_of_one_answer_are_one_response_and_only_telling_ones_are_kept() -> None:
    last = chunk(usage={"prompt_tokens": 5, "completion_tokens": 2})
    assert grouped(chunk(), chunk(), last, chunk("chatcmpl-2")) == [[chunk(), last], [chunk("chatcmpl-2")]]


def test_events_of_the_responses_api_end_with_the_whole_response() -> None:
    done = {"type": "response.completed", "response": {"id": "resp_1", "usage": {"input_tokens": 1}}}
    made = {"type": "response.created", "response": {"id": "resp_1"}}
    delta = {"type": "response.output_text.delta", "delta": "x"}
    assert grouped(made, delta, delta, done, made, delta, done) == [[made, done], [made, done]]


def test_bedrock_and_ollama_streams_end_with_their_counts() -> None:
    bedrock = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {}}},
        {"messageStop": {}},
        {"metadata": {"usage": {}}},
    ]
    assert grouped(*bedrock, *bedrock) == [[bedrock[0], *bedrock[2:]]] * 2
    said, done = {"model": "llama3", "done": False}, {"model": "llama3", "done": True, "eval_count": 9}
    assert grouped(said, said, done, done) == [[said, done], done]


def test_a_running_count_of_gemini_is_one_response_and_whole_ones_stay_apart() -> None:
    chunks = [
        gemini(1, response="a"),
        gemini(5, response="a"),
        gemini(9, response="a", finish="STOP"),
        gemini(9, response="a"),
    ]
    assert grouped(*chunks) == [chunks]
    assert grouped(gemini(1), gemini(9, finish="STOP"), gemini(4, finish="STOP")) == [
        [gemini(1), gemini(9, finish="STOP")],
        gemini(4, finish="STOP"),
    ]


def test_a_list_is_a_stream_for_itself() -> None:
    assert grouped([chunk(), chunk(usage={"total_tokens": 1})], [chunk()]) == [
        [chunk(), chunk(usage={"total_tokens": 1})],
        [chunk()],
    ]


def test_a_long_stream_keeps_its_beginning_and_its_end() -> None:
    events = [{"type": "message_start", "message": {"id": "msg_1"}}]
    events += [{"type": "message_delta", "usage": {"output_tokens": n}} for n in range(MAX_KEPT + 50)]
    (kept,) = grouped(*events)
    assert (len(kept), kept[0], kept[-1]) == (MAX_KEPT, events[0], events[-1])


def test_server_sent_events_are_read_as_they_came() -> None:
    lines = ["event: x\n", 'data: {"a": 1}\n', "\n", ": comment\n", "data: [DONE]\n", "data: {broken\n", "data:\n"]
    first, end, broken = event_items(lines)
    assert (first, end.place, end.value is END) == (Item(2, {"a": 1}), 5, True)
    assert (broken.place, broken.problems[0].message[:8]) == (6, "not JSON")


def test_two_streams_with_the_same_id_are_parted_by_their_end() -> None:
    assert len(grouped(chunk(), END, chunk())) == 2


@pytest.mark.parametrize(
    ("payload", "model", "time"),
    [
        ({"object": "chat.completion", "model": "gpt-4o", "created": 1772442900}, "gpt-4o", "2026-03-02T09:15:00Z"),
        ({"object": "response", "model": "gpt-4o", "created_at": 1772442900}, "gpt-4o", "2026-03-02T09:15:00Z"),
        ({"candidates": [], "modelVersion": "gemini-2.5-pro"}, "gemini-2.5-pro", None),
        ({"model": "llama3", "done": True, "created_at": "2026-03-02T09:15:00.5Z"}, "llama3", "2026-03-02T09:15:00.5Z"),
        ({"output": {"message": {}}, "stopReason": "end_turn", "usage": {}}, None, None),
    ],
)
def test_model_and_time_are_taken_from_where_the_provider_has_them(
    payload: dict[str, Any], model: str | None, time: str | None
) -> None:
    (found,) = fields("responses", payload, told=OPENAI)
    assert (found.get("model_id"), found.get("timestamp"), found["provider"]) == (model, time, "openai")


def test_nothing_that_was_said_is_handed_on() -> None:
    said = {
        "object": "chat.completion",
        "choices": [{"message": {"content": "secret " * 100}}],
        "usage": {"total_tokens": 1},
    }
    (found,) = fields("responses", said, told=OPENAI)
    assert "secret" not in json.dumps(found)
    assert found["response"]["usage"] == {"total_tokens": 1}


def test_without_a_provider_nothing_is_read() -> None:
    with pytest.raises(InvalidInput, match="--provider"):
        converted("responses", [{"object": "chat.completion"}])


def test_lines_of_a_batch_are_priced_as_a_batch_and_failed_ones_are_skipped() -> None:
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o", "usage": {"prompt_tokens": 1}}
    good = {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "r", "body": body}}
    failed = {"id": "batch_req_2", "custom_id": "b", "response": {"status_code": 500, "body": {"error": {}}}}
    expired = {"id": "batch_req_3", "custom_id": "c", "response": None, "error": {"code": "batch_expired"}}
    (found,) = fields("openai-batch", good, failed, expired)
    assert (found["processing"], found["provider"], found["response"]) == ("batch", "openai", body)
    assert found["metadata"] == {"batch_custom_id": "a", "batch_request_id": "r"}
    assert skipped("openai-batch", good, failed, expired) == ["failed without usage"] * 2
    assert fields("openai-batch", good, told=Told("azure"))[0]["provider"] == "azure"
