"""A usage record is taken whole, or refused with every problem named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput, NotFound, Problem
from cost_ops.domain.identity import MAX_TIMESTAMP_US, key_hash, parse_usage_id, uid_of_key, usage_id
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.domain.usage import UsageSubmission
from tests.domain.builders import NOW

GOOD = {
    "organization_id": "org-123",
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1500,
    "output_tokens": 800,
    "total_tokens": 2300,
}
INTAKE = Intake(ProviderNames({"azure-openai": "azure"}, {}), now_us=to_us(NOW))


def taken(**fields: Any) -> UsageSubmission:
    sent, problems = read_fields({**GOOD, **fields})
    return build(sent, INTAKE, problems)


def refused(**fields: Any) -> list[Problem]:
    with pytest.raises(InvalidInput) as caught:
        taken(**fields)
    return list(caught.value.problems)


def test_a_plain_record_becomes_buckets() -> None:
    found = taken()
    assert found.quantities == {"input": 1500, "output": 800}
    assert (found.timestamp_us, found.key, found.estimated) == (to_us(NOW), None, False)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("input_tokens", -100, "negative"),
        ("input_tokens", 1.5, "not_integer"),
        ("input_tokens", 1.0, "not_integer"),
        ("input_tokens", "1000", "invalid_type"),
        ("input_tokens", True, "invalid_type"),
        ("input_tokens", 2**63, "too_large"),
        ("input_tokens", float("nan"), "not_integer"),
        ("input_tokens", float("inf"), "not_integer"),
        ("organization_id", 7, "invalid_type"),
        ("organization_id", "a b", "invalid_value"),
        ("model_id", "  ", "missing_required_field"),
        ("model_id", "gpt\x00", "invalid_characters"),
        ("user_id", "\ud800", "invalid_characters"),
        ("user_id", "x" * 257, "too_long"),
        ("timestamp", "2025-01-01", "invalid_date_format"),
        ("timestamp", "2025-02-31T00:00:00Z", "invalid_date"),
        ("timestamp", "2026-03-15T12:06:00Z", "in_the_future"),
        ("timestamp", "1999-01-01T00:00:00Z", "too_early"),
        ("timestamp", 1700000000, "invalid_type"),
        ("tags", 5, "invalid_type"),
        ("tags", {"a": {}}, "invalid_type"),
        ("tags", {"": "x"}, "invalid_value"),
        ("metadata", {"a": "x" * 5000}, "too_large"),
        ("metadata", {"a": "\x00"}, "invalid_value"),
        ("metadata", {"a": float("nan")}, "invalid_value"),
        ("counting", "both", "invalid_value"),
        ("currency", "dollars", "unknown_currency"),
        ("reported_cost", -1, "negative"),
        ("latency_ms", 2**31, "too_large"),
        ("usage", {"prompt_tokens": 1}, "not_supported"),
        ("default_pricing", {"input_price_per_1k": -1}, "negative"),
    ],
)
def test_a_wrong_field_is_named_with_its_reason(field: str, value: Any, reason: str) -> None:
    problems = refused(**{field: value, **({} if field == "total_tokens" else {"total_tokens": None})})
    assert reason in {p.reason for p in problems}
    assert any(p.field.split(".")[-1].startswith(field) or field in p.field for p in problems)


def test_every_problem_is_reported_at_once() -> None:
    problems = refused(organization_id=None, provider=None, input_tokens=-1, timestamp="x", colour="red")
    assert {p.field for p in problems} >= {"organization_id", "provider", "input_tokens", "timestamp", "colour"}


def test_a_near_miss_is_answered_with_the_right_name() -> None:
    assert "did you mean model_id" in refused(model="gpt-4")[0].message
    assert "did you mean input_tokens" in refused(input_token=1)[0].message


def test_old_names_of_counts_are_understood_and_contradictions_refused() -> None:
    found = taken(input_tokens=None, output_tokens=None, prompt_tokens=1500, completion_tokens=800)
    assert found.quantities == {"input": 1500, "output": 800}
    assert refused(prompt_tokens=1)[0].reason == "contradiction"


def test_tags_may_be_an_object_or_words() -> None:
    assert taken(tags={"env": "prod", "beta": True, "n": 3}).tags == {"env": "prod", "beta": "true", "n": "3"}
    assert taken(tags=["env:prod", "a=b", "beta"]).tags == {"env": "prod", "a": "b", "beta": "true"}


def test_a_batch_tier_means_batch_processing() -> None:
    assert (taken(service_tier="batch").processing, taken(service_tier="Priority").service_tier) == (
        "batch",
        "priority",
    )
    assert taken(service_tier="auto").service_tier is None


def test_the_same_record_has_the_same_fingerprint_and_another_has_not() -> None:
    first, again = (
        taken(idempotency_key="k", tags={"a": "1", "b": "2"}),
        taken(request_id="k", tags={"b": "2", "a": "1"}),
    )
    assert first.payload_hash == again.payload_hash != 0
    assert first.payload_hash != taken(idempotency_key="k", input_tokens=1501, total_tokens=2301).payload_hash


def test_a_default_timestamp_does_not_tell_replays_apart_but_a_stated_one_does() -> None:
    later = Intake(INTAKE.names, now_us=INTAKE.now_us + 5)
    sent, problems = read_fields({**GOOD, "idempotency_key": "k"})
    assert build(sent, INTAKE, problems).payload_hash == build(sent, later).payload_hash
    assert taken(idempotency_key="k", timestamp="2026-01-01T00:00:00Z").payload_hash != build(sent, later).payload_hash


def test_providers_are_written_one_way() -> None:
    assert taken(provider=" Azure-OpenAI ").provider == "azure"


@given(
    st.dictionaries(st.text(max_size=12), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
)
def test_rubbish_is_refused_with_reasons_and_never_crashes(item: dict[str, Any]) -> None:
    sent, problems = read_fields(item)
    with pytest.raises(InvalidInput) as caught:
        build(sent, INTAKE, problems)
    assert all(p.reason and p.message for p in caught.value.problems)


@given(st.integers(0, MAX_TIMESTAMP_US), st.integers(0, 2**62 - 1))
def test_an_id_leads_back_to_its_row_and_sorts_by_time(timestamp_us: int, uid: int) -> None:
    assert parse_usage_id(usage_id(timestamp_us, uid)) == (timestamp_us, uid)
    assert usage_id(timestamp_us, 0) <= usage_id(timestamp_us, uid)
    if timestamp_us:
        assert usage_id(timestamp_us - 1, 2**62 - 1) < usage_id(timestamp_us, 0)


@pytest.mark.parametrize("text", ["", "x", "00000000-0000-0000-0000-000000000000", "0194" * 8, "é" * 36])
def test_foreign_ids_are_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        parse_usage_id(text)


def test_keys_of_different_organisations_and_sources_differ() -> None:
    hashes = {key_hash(o, s, "k") for o in ("a", "b") for s in ("caller", "file")}
    assert len(hashes) == 4
    assert all(0 <= uid_of_key(h) < 2**62 for h in hashes)
