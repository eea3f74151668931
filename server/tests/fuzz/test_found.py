"""What fuzzing found, each as the smallest input that showed it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.catalog.usage_shapes import load_shapes
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.exact_json import json_text
from cost_ops.domain.formats.known import detect
from cost_ops.domain.formats.values import whole
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.recording import NewRecord
from cost_ops.storage.rows import values_of

BOOK = load_shapes()
NOT_STORABLE = ("\x00", "\ud800", "a\x00b")


@pytest.mark.parametrize("field", ["search_units", "seconds"])
def test_the_largest_decimal_count_is_taken(field: str) -> None:
    sent, problems = read_fields({field: 10**12})
    assert (getattr(sent, field), problems) == (10**12, [])


@pytest.mark.parametrize("text", NOT_STORABLE)
def test_evidence_holds_no_text_that_a_database_refuses(text: str) -> None:
    usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 1, "note": text, text: {text: 1, "more": [text]}}
    found = BOOK.extract("openai", {"usage": usage}, whole_response=True)
    assert found.quantities == {"input": 9, "output": 1}
    assert json_text(found.usage).isprintable()


@pytest.mark.parametrize("text", NOT_STORABLE)
def test_a_step_on_a_model_that_no_database_takes_is_refused(text: str) -> None:
    step = {"type": text, "model": text, "input_tokens": 3, "output_tokens": 1}
    usage = {"input_tokens": 3, "output_tokens": 1, "iterations": [step]}
    with pytest.raises(InvalidInput, match=r"iterations\[0\].model"):
        BOOK.extract("anthropic", {"usage": usage}, whole_response=True)


def test_cache_lifetimes_that_are_less_than_the_whole_are_flagged() -> None:
    lifetimes = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 50}
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 400, "cache_creation": lifetimes}
    found = BOOK.extract("anthropic", usage, whole_response=False)
    assert [(flag.stated, flag.counted) for flag in found.discrepancies] == [(400, 150)]


def test_counts_of_another_kind_than_a_list_of_objects_change_nothing_when_counted_again() -> None:
    usage = {
        "promptTokenCount": 1200,
        "candidatesTokenCount": 80,
        "totalTokenCount": 1280,
        "cachedContentTokenCount": 500,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 1100},
            {"modality": "AUDIO", "tokenCount": 100},
            413,
        ],
        "cacheTokensDetails": [{"images": [[[[[[[[1]]]]]]]]}],
    }
    found = BOOK.extract("google", {"usageMetadata": usage}, whole_response=True)
    again = BOOK.extract("google", json.loads(json_text(found.usage)), whole_response=True)
    assert (again.quantities, again.discrepancies) == (found.quantities, found.discrepancies)
    assert again.estimated == found.estimated


def test_a_type_that_is_no_text_does_not_keep_a_file_from_being_recognised() -> None:
    start = json.dumps([{"type": {"value": "session_meta"}, "payload": {}}])
    assert detect(start, "stream.json").syntax == "json"


def test_a_refusal_names_each_problem() -> None:
    with pytest.raises(InvalidInput) as refused:
        BOOK.extract("openai", {"usage": {"prompt_tokens": -1, "completion_tokens": "1"}}, whole_response=True)
    assert [problem.reason for problem in refused.value.problems] == ["negative", "invalid_type"]


def test_a_fraction_in_the_metadata_of_a_file_is_stored() -> None:
    fields = {"organization_id": "acme", "provider": "openai", "model_id": "gpt-4o", "input_tokens": 5}
    sent, problems = read_fields({**fields, "metadata": {"score": Decimal("0.5"), "more": [Decimal("1E-3")]}})
    submission = build(sent, Intake(ProviderNames({}, {}), 1_790_000_000_000_000), problems)
    row = values_of(NewRecord(submission, 0, None, "unpriced", None, None, None))
    assert '{"score": 0.5, "more": [0.001]}' in row


def test_a_file_that_is_nested_without_end_is_no_reason_to_crash() -> None:
    start = '{"a":' * 3_000
    assert detect(start, "export.csv").syntax in ("json", "jsonl")


def test_a_count_without_end_in_a_file_stays_as_it_is_for_the_ledger_to_refuse() -> None:
    assert [whole(Decimal(text)) for text in ("12.0", "1E+3", "1E+99999")] == [12, 1000, Decimal("1E+99999")]


def test_numbers_without_end_are_not_evidence() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "note": Decimal("1E+99999"), "other": Decimal("1E-99999")}
    found = BOOK.extract("openai", {"usage": usage}, whole_response=True)
    assert (found.quantities, len(json_text(found.usage)) < 200) == ({"input": 9, "output": 1}, True)


def test_many_long_names_do_not_make_evidence_large() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1} | {f"{'n' * 600}{n}": n for n in range(20)}
    found = BOOK.extract("openai", {"usage": usage}, whole_response=True)
    assert len(json_text(found.usage)) < 8192
