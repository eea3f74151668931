"""What a call would cost, before it is made; and a batch that says what it understood."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import ORGANIZATION, PRICE, USAGE, Server, migrated, ready_server

CALL = {"provider": "openai", "model_id": "gpt-4"}


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ready_server(migrated(tmp_path_factory.mktemp("estimates"))) as running:
        assert running.post("pricing", PRICE).status == 201
        yield running


def estimate(server: Server, **fields: Any) -> dict[str, Any]:
    answer = server.post("costs/estimate", {**CALL, **fields})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.body["data"]
    return found


def test_an_estimate_is_what_the_record_will_cost_and_records_nothing(priced: Server) -> None:
    before = priced.get("usage/history").body["pagination"]["total_items"]
    found = estimate(priced, input_tokens=1000, output_tokens=500)
    assert found["cost"]["total_cost"] == Decimal("0.025")
    assert (found["currency"], found["status"], found["organization_id"]) == ("USD", "computed", ORGANIZATION)
    assert [(line["meter"], line["amount"]) for line in found["lines"]] == [
        ("input", Decimal("0.01")),
        ("output", Decimal("0.015")),
    ]
    assert priced.get(f"pricing/{found['price_id']}").status == 200
    assert priced.get("usage/history").body["pagination"]["total_items"] == before
    assert priced.post("usage", USAGE).body["estimated_cost"] == found["cost"]["total_cost"]


def test_the_most_that_may_come_out_stands_for_what_came_out(priced: Server) -> None:
    assert estimate(priced, input_tokens=1000, max_output_tokens=500)["cost"]["total_cost"] == Decimal("0.025")
    assert estimate(priced, input_tokens=1000)["cost"]["total_cost"] == Decimal("0.01")
    refused = priced.post("costs/estimate", {**CALL, "input_tokens": 1, "output_tokens": 2, "max_output_tokens": 3})
    assert refused.reasons == {("max_output_tokens", "contradiction")}
    refused = priced.post("costs/estimate", {**CALL, "input_tokens": 1, "max_output_tokens": True})
    assert refused.reasons == {("max_output_tokens", "invalid_type")}


def test_a_providers_usage_object_is_estimated_too(priced: Server) -> None:
    found = estimate(priced, usage={"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500})
    assert (found["input_tokens"], found["output_tokens"]) == (1000, 500)
    assert found["cost"]["total_cost"] == Decimal("0.025")


def test_without_a_price_there_is_no_estimate_unless_one_is_sent_along(priced: Server) -> None:
    unknown = {"provider": "openai", "model_id": "unheard-of", "input_tokens": 1000}
    answer = priced.post("costs/estimate", unknown)
    assert answer.status == 404
    assert answer.error["message"] == "No pricing found for model: unheard-of"
    told = priced.post("costs/estimate", {**unknown, "default_pricing": {"input_price_per_1k": "0.002"}}).body["data"]
    assert (told["cost"]["total_cost"], told["status"], told["price_id"]) == (Decimal("0.002"), "estimated", None)


def test_every_fault_of_a_question_is_named(priced: Server) -> None:
    assert priced.post("costs/estimate", {"provider": "openai", "input_tokens": -1}).reasons == {
        ("input_tokens", "negative"),
        ("model_id", "missing_required_field"),
    }
    assert priced.post("costs/estimate", {**CALL, "organization_id": "org-456", "input_tokens": 1}).status == 404


def test_a_batch_says_what_it_understood_where_it_is_asked(priced: Server) -> None:
    unpriced = {**USAGE, "model_id": 'odd "name"', "provider": "OpenAI", "idempotency_key": "details"}
    records = [USAGE, {**USAGE, "input_tokens": -1}, unpriced]
    results = priced.post("usage/batch?details=true", {"records": records}).body["data"]["results"]
    named = [(r["provider"], r["model_id"], r["input_tokens"], r["output_tokens"]) for r in (results[0], results[2])]
    assert named == [("openai", "gpt-4", 1000, 500), ("openai", 'odd "name"', 1000, 500)]
    assert set(results[1]) == {"index", "error"}
    plain = priced.post("usage/batch", {"records": records}).body["data"]["results"]
    assert "provider" not in plain[0]
    again = priced.post("usage/batch?details=true", {"records": [unpriced]}).body["data"]["results"][0]
    assert (again["replayed"], again["model_id"], again["cost"]) == (True, 'odd "name"', None)
