"""A provider's own payload goes in unchanged: the right buckets, one record a response, and a proof from the payload."""

import threading
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.errors import Conflict, InvalidInput
from cost_ops.domain.money import format_e10
from cost_ops.services import explain
from tests.services.conftest import Desk
from tests.services.test_recording import total

CHAT = {
    "id": "chatcmpl-9f8e7d6c5b",
    "object": "chat.completion",
    "model": "served-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "a secret"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "total_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 200},
    },
    "service_tier": "default",
}
RATES: dict[str, Any] = {
    "input_price_per_million": "10",
    "output_price_per_million": "30",
    "cached_input_price_per_million": "1",
}


def test_a_response_goes_in_unchanged_and_the_model_that_served_is_priced(desk: Desk) -> None:
    desk.price("served-1", **RATES)
    (answer,) = desk.record(desk.submission(model_id="asked-for", response=CHAT))
    # 600 × 10 + 400 × 1 + 500 × 30, per million
    assert (format_e10(answer.cost_e10), answer.status) == ("0.0214", "computed")
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    assert found.record.model_id == "served-1"
    assert found.record.quantities == {"input": 600, "input_cache_read": 400, "output": 300, "output_reasoning": 200}
    evidence = found.record.evidence or {}
    assert (evidence["requested_model_id"], evidence["response_id"]) == ("asked-for", CHAT["id"])
    assert "a secret" not in str(evidence)
    counted = {f.path: f.meter for f in found.fields if f.meter}
    assert counted["usage.prompt_tokens_details.cached_tokens"] == "input_cache_read"
    assert found.agrees


def test_the_usage_object_alone_costs_the_same_as_the_whole_response(desk: Desk) -> None:
    desk.price("served-1", **RATES)
    alone, whole = desk.record(
        desk.submission(model_id="served-1", usage=CHAT["usage"]),
        desk.submission(response={**CHAT, "id": "another-id"}),
    )
    assert alone.cost_e10 == whole.cost_e10
    assert alone.usage_id != whole.usage_id


def test_every_line_of_the_proof_is_its_exact_product_rounded(desk: Desk) -> None:
    desk.price("served-1", input_price_per_million="0.0000037", output_price_per_million="1.1")
    (answer,) = desk.record(desk.submission(response=CHAT))
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    for proved in found.lines:
        rounded = proved.exact.quantize(Decimal("1E-10"), rounding="ROUND_HALF_EVEN")
        assert Decimal(proved.line.amount_e10).scaleb(-10) == rounded
    assert sum(proved.line.amount_e10 for proved in found.lines) == answer.cost_e10 == found.recomputed_e10
    cached = next(proved for proved in found.lines if proved.line.meter == "input_cache_read")
    assert [r for r in cached.reasons if r.endswith("the nearest fallback prices it: input")]


def test_the_same_response_from_several_sources_is_one_record(desk: Desk) -> None:
    desk.price("m")
    response_id = "resp-0123456789abcdef"
    (sdk,) = desk.record(desk.submission(idempotency_key="sdk-1", response_id=response_id, cached_tokens=10))
    trace, again = desk.record(
        desk.submission(idempotency_key="otel:1:2", response_id=response_id, input_tokens=999, output_tokens=500),
        desk.submission(idempotency_key="sdk-1", response_id=response_id, cached_tokens=10),
    )
    assert (trace.usage_id, trace.replayed) == (sdk.usage_id, True)
    assert (again.usage_id, again.replayed) == (sdk.usage_id, True)
    assert total(desk)[1] == 1


def test_sources_that_tell_of_a_response_in_one_batch_count_it_once(desk: Desk) -> None:
    desk.price("m")
    ids = [
        outcome.usage_id
        for outcome in desk.record(
            desk.submission(response_id="resp-in-one-batch"),
            desk.submission(response_id="resp-in-one-batch", idempotency_key="k"),
            desk.submission(response_id="resp-in-one-batch", model_id="other"),
        )
    ]
    assert len(set(ids)) == 1
    assert total(desk)[1] == 1


def test_sources_that_tell_of_a_response_at_once_count_it_once(desk: Desk) -> None:
    desk.price("m")
    answers: list[Any] = []

    def tell(number: int) -> None:
        own = desk.submission(response_id="resp-told-at-once", idempotency_key=f"source-{number}")
        answers.extend(desk.record(own))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.usage_id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 5
    assert total(desk)[1] == 1


def test_a_refused_atomic_batch_leaves_no_trace_of_its_responses(desk: Desk) -> None:
    desk.price("m")
    desk.record(desk.submission(idempotency_key="taken"))
    desk.record(
        desk.submission(response_id="resp-of-a-refused-batch"),
        desk.submission(idempotency_key="taken", input_tokens=7),
        atomic=True,
    )
    (kept,) = desk.record(desk.submission(response_id="resp-of-a-refused-batch"))
    assert not kept.replayed


def test_response_ids_bind_within_an_organisation_and_short_ones_not_at_all(desk: Desk) -> None:
    other = Desk(desk.application)
    (mine,), (theirs,) = (d.record(d.submission(response_id="resp-of-both-tenants")) for d in (desk, other))
    assert not mine.replayed
    assert not theirs.replayed
    one, two = desk.record(desk.submission(response_id="chatcmpl-123"), desk.submission(response_id="chatcmpl-123"))
    assert one.usage_id != two.usage_id


def test_a_key_keeps_its_meaning_beside_a_response_id(desk: Desk) -> None:
    desk.price("m")
    desk.record(desk.submission(idempotency_key="k", response_id="resp-of-the-first"))
    (clash,) = desk.record(desk.submission(idempotency_key="k", response_id="resp-of-another", input_tokens=1))
    assert isinstance(clash, Conflict)


def test_numbers_that_contradict_each_other_are_kept_flagged_and_estimated(desk: Desk) -> None:
    desk.price("served-1", **RATES)
    wrong = {**CHAT["usage"], "prompt_tokens_details": {"cached_tokens": 1400}}  # type: ignore[dict-item]
    (answer,) = desk.record(desk.submission(response={**CHAT, "id": "chatcmpl-contradiction", "usage": wrong}))
    assert answer.status == "estimated"
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    assert {1000, 1400} <= {n for d in found.discrepancies for n in (d["stated"], d["counted"])}


def test_a_tier_that_the_price_does_not_know_makes_the_cost_an_estimate(desk: Desk) -> None:
    desk.price("served-1", **RATES)
    (answer,) = desk.record(desk.submission(response={**CHAT, "id": "chatcmpl-of-a-tier", "service_tier": "flex"}))
    assert (format_e10(answer.cost_e10), answer.status) == ("0.0214", "estimated")
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    assert found.reason == "the price says nothing of flex, so other rates of it were taken"
    rates = [
        {"meter": meter, "price": price, "per": 1000000, **when}
        for meter, price, when in (
            ("input", "10", {}),
            ("output", "30", {}),
            ("input", "5", {"when": {"service_tier": "flex"}}),
            ("output", "15", {"when": {"service_tier": "flex"}}),
        )
    ]
    desk.price("served-2", rates=rates)
    known = {**CHAT, "id": "chatcmpl-of-a-known-tier", "model": "served-2", "service_tier": "flex"}
    (answer,) = desk.record(desk.submission(response=known))
    assert (format_e10(answer.cost_e10), answer.status) == ("0.0125", "computed")


def test_a_cache_lifetime_that_the_price_does_not_know_makes_the_cost_an_estimate(desk: Desk) -> None:
    lifetimes: dict[str, Any] = {"cache_write_price_per_million": "4", "cache_write_1h_price_per_million": "6"}
    desk.price("served-1", provider="anthropic", **RATES, **lifetimes)
    desk.price("no-writes", provider="anthropic", **RATES)
    usage = {"input_tokens": 10, "output_tokens": 10, "cache_creation_input_tokens": 100}
    hour = {**usage, "cache_creation": {"ephemeral_1h_input_tokens": 100}}
    told, free = desk.record(
        desk.submission(provider="anthropic", model_id="served-1", usage=hour),
        desk.submission(provider="anthropic", model_id="no-writes", usage=hour),
    )
    assert [told.status, free.status] == ["computed", "computed"]
    writes = {"cache_write_tokens": 50, "cache_write_tokens_details": {"ttl_12h_tokens": 50}}
    half_day = {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": writes}
    (guessed,) = desk.record(desk.submission(provider="anthropic", model_id="served-1", usage=half_day))
    assert guessed.status == "estimated"
    found = explain.explain(desk.ctx, desk.org, guessed.usage_id)
    assert "input_cache_write_12h" in found.reason


def test_parts_of_a_count_that_is_not_stated_are_flagged(desk: Desk) -> None:
    desk.price("served-1", provider="aws", **RATES)
    usage = {"inputTokens": 100, "outputTokens": 50, "cacheDetails": [{"ttl": "5m", "inputTokens": 1500}]}
    (answer,) = desk.record(desk.submission(provider="aws", model_id="served-1", usage=usage))
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    assert (answer.status, [d["counted"] for d in found.discrepancies]) == ("estimated", [1500])


@pytest.mark.parametrize(
    ("fields", "name", "reason"),
    [
        ({"usage": CHAT["usage"], "response": CHAT}, "usage", "ambiguous"),
        ({"usage": CHAT["usage"], "input_tokens": 5}, "input_tokens", "ambiguous"),
        ({"usage": CHAT["usage"], "counting": "inclusive"}, "counting", "ambiguous"),
        ({"response": {**CHAT, "model": "x" * 300}}, "response.model", "too_long"),
    ],
)
def test_counts_come_from_one_place(desk: Desk, fields: dict[str, Any], name: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        desk.submission(**fields)
    assert (name, reason) in [(p.field, p.reason) for p in refused.value.problems]


def test_steps_are_priced_by_their_own_models(desk: Desk) -> None:
    desk.price("main", provider="anthropic", input_price_per_million="3", output_price_per_million="15")
    desk.price("adviser", provider="anthropic", input_price_per_million="5", output_price_per_million="25")
    response = {
        "id": "msg_0123456789",
        "type": "message",
        "model": "main",
        "usage": {
            "input_tokens": 100,
            "output_tokens": 10,
            "iterations": [
                {"type": "message", "input_tokens": 100, "output_tokens": 10},
                {"type": "advisor_message", "model": "adviser", "input_tokens": 1000, "output_tokens": 100},
            ],
        },
    }
    (answer,) = desk.record(desk.submission(provider="anthropic", response=response))
    # 100 × 3 + 10 × 15 + 1000 × 5 + 100 × 25, per million
    assert format_e10(answer.cost_e10) == "0.00795"
    found = explain.explain(desk.ctx, desk.org, answer.usage_id)
    assert [(step.model_id, step.price and step.price.model_id) for step in found.steps] == [
        ("main", "main"),
        ("adviser", "adviser"),
    ]
    assert found.agrees
    assert found.record.quantities == {"input": 1100, "output": 110}
    unknown = {**response, "id": "msg_of_an_unknown_step", "usage": {**response["usage"]}}  # type: ignore[dict-item]
    unknown["usage"]["iterations"][1]["model"] = "nobody-knows"  # type: ignore[index]
    (waiting,) = desk.record(desk.submission(provider="anthropic", response=unknown))
    assert (waiting.status, waiting.cost_e10) == ("unpriced", None)
    desk.price("nobody-knows", provider="anthropic", input_price_per_million="1", output_price_per_million="1")
    priced = explain.explain(desk.ctx, desk.org, waiting.usage_id)
    # 100 × 3 + 10 × 15 + 1000 × 1 + 100 × 1, per million
    assert (format_e10(priced.record.cost_e10 or 0), priced.agrees) == ("0.00155", True)
    assert total(desk)[2] == 0


def test_a_record_from_a_file_and_over_http_is_the_same_whatever_its_metadata(desk: Desk) -> None:
    from cost_ops.api.decoding import read_record  # the way in of HTTP, beside that of files
    from cost_ops.domain.exact_json import DECODER
    from cost_ops.domain.submission import Intake

    text = f'''{{"organization_id": "{desk.org}", "provider": "openai", "model_id": "m", "input_tokens": 1,
        "output_tokens": 1, "idempotency_key": "same", "metadata": {{"share": 0.1, "parts": [1.50]}}}}'''
    by_file = desk.submission(**DECODER.decode(text))
    by_http = read_record(text.encode(), Intake(desk.application.books.current().names, by_file.received_us))
    assert by_file.payload_hash == by_http.payload_hash
    (first,), (again,) = desk.record(by_file), desk.record(by_http)
    assert again.usage_id == first.usage_id
