"""Calls are known again by ids of other systems, however long or wrapped they are."""

import base64
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.formats.identities import ledger_key, provider_response_id
from cost_ops.domain.formats.values import label, labels
from cost_ops.domain.text import MAX_TAG_KEY, MAX_TAGS, text_fault
from tests.domain.formats.converted import fields, skipped
from tests.domain.formats.test_litellm import ROW


def wrapped(response: str) -> str:
    """A response id as LiteLLM's proxy hands it out."""
    inner = f"litellm:custom_llm_provider:openai;model_id:{'0' * 64};response_id:{response}"
    return "resp_" + base64.b64encode(inner.encode()).decode()


@given(st.text(min_size=1, max_size=600), st.text(min_size=1, max_size=600))
def test_different_ids_have_different_keys_that_fit(one: str, other: str) -> None:
    keys = [ledger_key("litellm", identity) for identity in (one, other)]
    assert all(len(key or "") <= 256 for key in keys)
    assert (keys[0] == keys[1]) is (one == other)


def test_ids_that_differ_at_their_end_only_stay_apart() -> None:
    rows = [{**ROW, "request_id": wrapped("resp_" + "a" * 60 + end)} for end in "12"]
    found = fields("litellm", *rows)
    assert len({f["idempotency_key"] for f in found}) == 2
    assert [f["response_id"] for f in found] == ["resp_" + "a" * 60 + end for end in "12"]


@given(st.text())
def test_an_id_that_is_not_wrapped_is_the_providers_own(identity: str) -> None:
    assert provider_response_id(identity) in (identity, None)
    assert provider_response_id("resp_0123456789abcdef") == "resp_0123456789abcdef"


def test_reading_a_stored_response_is_no_call_unless_it_is_paid_then() -> None:
    read = {**ROW, "call_type": "aget_responses"}
    assert skipped("litellm", read) == ["reads a stored response"]
    assert len(fields("litellm", {**read, "spend": Decimal("0.01")})) == 1


def test_what_litellm_read_from_a_finished_batch_is_a_batch() -> None:
    assert fields("litellm", {**ROW, "call_type": "aretrieve_batch"})[0]["processing"] == "batch"


@given(st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=60))
def test_tags_of_others_always_fit(tags: dict[str, str]) -> None:
    found = labels(tags)
    assert len(found) <= MAX_TAGS
    for key, value in found.items():
        assert text_fault(key, MAX_TAG_KEY) is text_fault(value) is None


def test_a_label_says_that_it_was_cut() -> None:
    assert label("a\nb") == "a b"
    assert (label("x" * 300) or "")[-2:] == "x…"
