"""Every provider's payload, as in contracts/fixtures/usage, comes apart into the buckets that are billed."""

import json
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.catalog.usage_shapes import load_shapes
from cost_ops.domain.errors import InvalidInput, NotFound
from cost_ops.domain.exact_json import json_text, parse_json
from cost_ops.domain.extraction import Extracted, Step
from tests.domain.usage_fixtures import as_floats, cases, exact

GOOD = cases("expect")
BAD = cases("error")
BOOK = load_shapes()
NOT_EXTRACTION = {12, 16}
"""Traps of the reference that no payload tells of: hits of a gateway's own cache, and which day a call is billed on."""


def of(items: list[tuple[str, dict[str, Any]]]) -> Any:
    return pytest.mark.parametrize("case", [case for _, case in items], ids=[name for name, _ in items])


def extracted(case: dict[str, Any]) -> Extracted:
    return BOOK.extract(case["provider"], case["payload"], whole_response=case["whole_response"])


@of(GOOD)
def test_a_payload_gives_the_expected_buckets_and_facts(case: dict[str, Any]) -> None:
    found = extracted(case)
    expected = dict(case["expect"])
    assert found.quantities == exact(expected.pop("quantities"))
    assert [found.rule for found in found.discrepancies] == expected.pop("discrepancies", [])
    assert found.steps == tuple(
        Step(step["model_id"], step["quantities"], step["kind"]) for step in expected.pop("steps", [])
    )
    assert found.estimated is expected.pop("estimated", False)
    if expected.get("reported_cost") is not None:
        expected["reported_cost"] = Decimal(expected["reported_cost"])
    assert {name: getattr(found, name) for name in expected} == expected


@of(GOOD)
def test_floats_and_exact_decimals_give_the_same(case: dict[str, Any]) -> None:
    plain = as_floats(case["payload"])
    found = BOOK.extract(case["provider"], plain, whole_response=case["whole_response"])
    exactly = extracted(case)
    assert (found.quantities, found.reported_cost) == (exactly.quantities, exactly.reported_cost)


@of(GOOD)
def test_the_evidence_gives_the_same_again(case: dict[str, Any]) -> None:
    found = extracted(case)
    stored = parse_json(json_text(found.usage))
    assert BOOK.extract(case["provider"], stored, whole_response=True) == found


@of(GOOD)
def test_the_evidence_is_small_and_without_content(case: dict[str, Any]) -> None:
    text = json_text(extracted(case).usage)
    assert len(text.encode()) <= 8192
    assert "secret" not in text
    assert '"content"' not in text


@of(GOOD)
def test_the_trace_adds_up_to_the_buckets(case: dict[str, Any]) -> None:
    found = extracted(case)
    sums: dict[str, Any] = {}
    for row in BOOK.trace(found.shape, found.usage):
        if row.meter is not None and row.quantity:
            sums[row.meter] = sums.get(row.meter, 0) + row.quantity
    assert sums == found.quantities


@of(BAD)
def test_an_impossible_payload_is_refused_with_every_problem(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        extracted(case)
    named = [(problem.field, problem.reason) for problem in caught.value.problems]
    assert sorted(named) == sorted((error["field"], error["reason"]) for error in case["error"])


def test_every_trap_of_the_reference_has_a_case() -> None:
    covered = {case["trap"] for _, case in GOOD + BAD if "trap" in case}
    assert covered == set(range(1, 17)) - NOT_EXTRACTION


def test_every_shape_has_a_case() -> None:
    assert {case["expect"]["shape"] for _, case in GOOD} == set(BOOK.shapes)


def test_a_trace_says_where_each_number_went() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 500}}
    found = BOOK.extract("openai", usage, whole_response=False)
    rows = {row.path: row for row in BOOK.trace(found.shape, found.usage)}
    cached = rows["usage.prompt_tokens_details.cached_tokens"]
    assert (cached.quantity, cached.meter, cached.note) == (500, "input_cache_read", "inside prompt_tokens")
    prompt = rows["usage.prompt_tokens"]
    assert (prompt.quantity, prompt.meter, prompt.note) == (500, "input", "1000, of which its parts have 500")


def test_a_trace_names_the_assumed_lifetime() -> None:
    found = BOOK.extract("anthropic", {"input_tokens": 1, "cache_creation_input_tokens": 5}, whole_response=False)
    notes = {row.path: row.note for row in BOOK.trace(found.shape, found.usage)}
    assert "the API's default of 5 minutes" in notes["usage.cache_creation_input_tokens"]


def test_a_trace_shows_the_step_that_is_not_billed() -> None:
    case = next(case for name, case in GOOD if "declined" in name)
    found = extracted(case)
    declined = [row for row in BOOK.trace(found.shape, found.usage) if "declined" in row.note]
    assert {row.meter for row in declined} == {None}
    assert "usage.iterations[0].input_tokens" in {row.path for row in declined}


def test_a_trace_of_another_shape_is_refused() -> None:
    with pytest.raises(NotFound):
        BOOK.trace("nobody.knows", {})
    with pytest.raises(InvalidInput, match=r"openai\.chat"):
        BOOK.trace("openai.chat", {"usage": {"input_tokens": 1}})


def test_a_discrepancy_has_both_numbers() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 130}
    (found,) = BOOK.extract("openai", usage, whole_response=False).discrepancies
    assert (found.stated, found.counted) == (130, 120)
    assert found.message.endswith("130 against 120")


def test_the_refusal_names_the_shapes_tried_and_the_fields_found() -> None:
    with pytest.raises(InvalidInput) as caught:
        BOOK.extract("anthropic", {"tokens_in": 5, "tokens_out": 6}, whole_response=False)
    message = caught.value.problems[0].message
    assert "anthropic.messages" in message
    assert "tokens_in, tokens_out" in message


def test_a_response_sent_as_usage_gets_a_hint() -> None:
    with pytest.raises(InvalidInput, match="goes into `response`"):
        BOOK.extract("openai", {"usage": {"prompt_tokens": 5}}, whole_response=False)


def test_extraction_leaves_the_payload_as_it_was() -> None:
    for _, case in GOOD:
        before = json.dumps(as_floats(case["payload"]))
        extracted(case)
        assert json.dumps(as_floats(case["payload"])) == before
