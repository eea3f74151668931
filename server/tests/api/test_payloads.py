"""A provider's payload over HTTP: whole, as its usage alone, as a stream's events, in a batch; and what is wrong with one."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import ORGANIZATION, Server
from tests.api.test_recording import stored

RATES = {
    "provider": "openai",
    "model_id": "gpt-test",
    "input_price_per_million": 10,
    "output_price_per_million": 30,
    "cached_input_price_per_million": 1,
}
COUNTS: dict[str, Any] = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 400},
}
CHAT: dict[str, Any] = {
    "id": "chatcmpl-0123456789",
    "object": "chat.completion",
    "model": "gpt-test",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hush"}, "finish_reason": "stop"}],
    "usage": COUNTS,
    "service_tier": "default",
}
SENT: dict[str, Any] = {"organization_id": ORGANIZATION, "provider": "openai", "model_id": "gpt-test"}
COST = Decimal("0.0214")  # 600 × 10 + 400 × 1 + 500 × 30, per million


def chunk(**fields: Any) -> dict[str, Any]:
    """An event of a chat stream."""
    return {"id": CHAT["id"], "object": "chat.completion.chunk", "model": "gpt-test", "choices": [], **fields}


@pytest.mark.parametrize(
    "payload",
    [
        {"response": CHAT},
        {"usage": COUNTS},
        {"response": [chunk(choices=[{"index": 0, "delta": {"content": "hush"}}], usage=None), chunk(usage=COUNTS)]},
        {"response": [chunk(usage={**COUNTS, "completion_tokens": 1, "total_tokens": 1001}), chunk(usage=COUNTS)]},
    ],
    ids=["response", "usage", "stream", "running-totals"],
)
def test_a_payload_costs_what_its_counts_say(any_server: Server, payload: dict[str, Any]) -> None:
    any_server.post("pricing", RATES)
    answer = any_server.post("usage", {**SENT, **payload})
    assert (answer.status, answer.body["data"]["status"]) == (201, "computed")
    assert Decimal(str(answer.body["estimated_cost"])) == COST
    found = any_server.get(f"usage/{answer.body['usage_id']}/explain").body["data"]
    assert found["agrees"]
    assert "hush" not in json.dumps(found, default=str)
    assert found["usage"]["quantities"] == {"input": 600, "input_cache_read": 400, "output": 500}


def test_a_model_is_not_required_where_the_response_names_it(server: Server) -> None:
    answer = server.post("usage", {"organization_id": ORGANIZATION, "provider": "openai", "response": CHAT})
    assert answer.status == 201
    refused = server.post("usage", {"organization_id": ORGANIZATION, "provider": "openai", "usage": COUNTS})
    assert refused.reasons == {("model_id", "missing_required_field")}


def test_a_response_is_one_record_whoever_tells_of_it(any_server: Server) -> None:
    first = any_server.post("usage", {**SENT, "response": CHAT, "idempotency_key": "from-the-sdk"})
    second = any_server.post("usage", {**SENT, "response": CHAT, "idempotency_key": "from-a-log"})
    batch = any_server.post("usage/batch", {"records": [{**SENT, "response_id": CHAT["id"], "input_tokens": 1}]})
    assert [first.status, second.status, batch.status] == [201, 200, 200]
    assert second.body["usage_id"] == first.body["usage_id"] == batch.body["data"]["results"][0]["usage_id"]
    assert stored(any_server) == 1


def test_batches_take_payloads_beside_plain_counts(any_server: Server) -> None:
    any_server.post("pricing", RATES)
    records = [
        {**SENT, "response": CHAT},
        {**SENT, "usage": {"nothing": "known"}},
        {**SENT, "input_tokens": 1, "output_tokens": 1},
    ]
    found = any_server.post("usage/batch", {"records": records}).body["data"]
    assert [found["accepted"], found["rejected"]] == [2, 1]
    assert found["results"][1]["error"]["details"]["field"].startswith("records[1].usage")


def test_a_broken_stream_is_an_estimate(any_server: Server) -> None:
    start = {
        "type": "message_start",
        "message": {
            "id": "msg_broken_stream",
            "type": "message",
            "model": "claude-test",
            "usage": {"input_tokens": 25, "output_tokens": 1},
        },
    }
    sent = {**SENT, "provider": "anthropic", "model_id": "claude-test"}
    any_server.post(
        "pricing",
        {**RATES, "provider": "anthropic", "model_id": "claude-test"},
    )
    broken = any_server.post("usage", {**sent, "response": [start]})
    assert (broken.status, broken.body["data"]["status"]) == (201, "estimated")


def nested(depth: int) -> dict[str, Any]:
    """Objects inside objects."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "usage",
    [
        {**COUNTS, "prompt_tokens": -1},
        {**COUNTS, "prompt_tokens": 1.5},
        {**COUNTS, "prompt_tokens": "1000"},
        {**COUNTS, "prompt_tokens": True},
        {**COUNTS, "prompt_tokens": 2**63},
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": -400}},
        {},
        nested(100),
        {"tokens": 5},
        {f"field_{n}": n for n in range(5_000)},
    ],
    ids=["negative", "fraction", "text", "boolean", "huge", "negative leaf", "empty", "deep", "unknown", "wide"],
)
def test_what_no_provider_would_say_is_refused_by_name(shared: Server, usage: dict[str, Any]) -> None:
    answer = shared.post("usage", {**SENT, "usage": usage})
    assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
    assert all(name.split(".")[0].split("[")[0] in ("usage", "") for name, _ in answer.reasons)


def test_a_tier_that_is_none_is_refused(shared: Server) -> None:
    answer = shared.post("usage", {**SENT, "response": {**CHAT, "service_tier": "x" * 65}})
    assert (answer.status, answer.reasons) == (400, {("response.service_tier", "too_long")})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e400", '"\\ud800"', "[" * 5000 + "]" * 5000])
def test_hostile_numbers_and_texts_are_refused(shared: Server, text: str) -> None:
    body = json.dumps({**SENT, "usage": {**COUNTS, "prompt_tokens": "HERE"}}).replace('"HERE"', text)
    answer = shared.ask("POST", "usage", content=body.encode(), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")


def test_a_payload_that_contradicts_itself_is_kept_and_flagged(any_server: Server) -> None:
    any_server.post("pricing", RATES)
    answer = any_server.post("usage", {**SENT, "usage": {**COUNTS, "total_tokens": 1400}})
    assert answer.status == 201
    found = any_server.get(f"usage/{answer.body['usage_id']}/explain").body["data"]
    assert found["usage"]["discrepant"]
    assert [(d["stated"], d["counted"]) for d in found["discrepancies"]] == [(1400, 1500)]


def test_a_providers_own_amount_is_kept_exactly(any_server: Server) -> None:
    sent = {**SENT, "provider": "openrouter", "model_id": "some/model"}
    body = json.dumps({**sent, "usage": {**COUNTS, "cost": "COST"}}).replace('"COST"', "0.0123456789")
    answer = any_server.ask("POST", "usage", content=body.encode(), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body["data"]["status"]) == (201, "reported")
    assert answer.body["estimated_cost"] == Decimal("0.0123456789")
