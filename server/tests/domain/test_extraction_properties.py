"""What must hold of every payload, whatever a provider or a stranger sends."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.catalog.usage_shapes import load_shapes
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.exact_json import json_text, parse_json
from cost_ops.domain.extraction import Extracted
from cost_ops.domain.meters import METERS
from cost_ops.domain.usage import MAX_TOKENS

BOOK = load_shapes()
TOKENS = st.integers(0, 10**9)
PROVIDERS = sorted({name for shape in BOOK.shapes.values() for name in shape.providers} | {"nobody"})
FIELDS = sorted({str(step) for s in BOOK.shapes.values() for p in s.read_paths for step in p.steps if step != "*"})


def quantities(provider: str, usage: dict[str, Any]) -> dict[str, Any]:
    found = BOOK.extract(provider, usage, whole_response=False)
    assert found.discrepancies == ()
    return found.quantities


def openai_chat(plain: int, read: int, out: int, thought: int) -> dict[str, Any]:
    return {
        "prompt_tokens": plain + read,
        "completion_tokens": out + thought,
        "total_tokens": plain + read + out + thought,
        "prompt_tokens_details": {"cached_tokens": read},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def gemini(plain: int, read: int, out: int, thought: int) -> dict[str, Any]:
    return {
        "promptTokenCount": plain + read,
        "cachedContentTokenCount": read,
        "candidatesTokenCount": out,
        "thoughtsTokenCount": thought,
        "totalTokenCount": plain + read + out + thought,
    }


def xai_chat(plain: int, read: int, out: int, thought: int) -> dict[str, Any]:
    usage = openai_chat(plain, read, out, thought)
    return usage | {"completion_tokens": out}


def anthropic(plain: int, read: int, written: int, out: int) -> dict[str, Any]:
    return {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": out,
    }


def bedrock(plain: int, read: int, written: int, out: int) -> dict[str, Any]:
    return {
        "inputTokens": plain,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
        "cacheDetails": [{"ttl": "5m", "inputTokens": written}],
        "outputTokens": out,
        "totalTokens": plain + read + written + out,
    }


def langchain(plain: int, read: int, written: int, out: int) -> dict[str, Any]:
    details = {"cache_read": read, "cache_creation": 0, "ephemeral_5m_input_tokens": written}
    total = plain + read + written
    return {"input_tokens": total, "output_tokens": out, "total_tokens": total + out, "input_token_details": details}


@given(plain=TOKENS, read=TOKENS, out=TOKENS, thought=TOKENS)
def test_inside_or_beside_the_same_usage_gives_the_same_buckets(plain: int, read: int, out: int, thought: int) -> None:
    expected = {"input": plain, "input_cache_read": read, "output": out, "output_reasoning": thought}
    expected = {meter: amount for meter, amount in expected.items() if amount}
    assert quantities("openai", openai_chat(plain, read, out, thought)) == expected
    assert quantities("google", gemini(plain, read, out, thought)) == expected
    assert quantities("x-ai", xai_chat(plain, read, out, thought)) == expected


@given(plain=TOKENS, read=TOKENS, written=TOKENS, out=TOKENS)
def test_a_cache_written_and_read_gives_the_same_buckets(plain: int, read: int, written: int, out: int) -> None:
    expected = {"input": plain, "input_cache_read": read, "input_cache_write_5m": written, "output": out}
    expected = {meter: amount for meter, amount in expected.items() if amount}
    assert quantities("anthropic", anthropic(plain, read, written, out)) == expected
    assert quantities("aws", bedrock(plain, read, written, out)) == expected
    assert quantities("anthropic", langchain(plain, read, written, out)) == expected


NUMBERS = st.one_of(
    st.integers(-5, 10**6),
    st.just(MAX_TOKENS),
    st.just(10**300),
    st.floats(),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([Decimal("sNaN"), Decimal("1E-999999"), Decimal("1E+999999"), Decimal("12.50")]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5))
KEYS = st.one_of(st.sampled_from(FIELDS), st.text(max_size=8))
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, ANY_JSON, max_size=10)


def looked_at(provider: str, payload: Any, *, whole_response: bool) -> Extracted | None:
    problems: Sequence[Problem] = ()
    try:
        return BOOK.extract(provider, payload, whole_response=whole_response)
    except InvalidInput as error:
        problems = error.problems
    assert problems
    assert all(problem.field.startswith(("usage", "response")) and problem.message for problem in problems)
    return None


def holds_what_is_promised(found: Extracted) -> None:
    assert all(amount > 0 and meter in METERS for meter, amount in found.quantities.items())
    if found.steps:
        sums: dict[str, Any] = {}
        for step in found.steps:
            for meter, amount in step.quantities.items():
                sums[meter] = sums.get(meter, 0) + amount
        assert sums == found.quantities
    traced: dict[str, Any] = {}
    for row in BOOK.trace(found.shape, found.usage):
        if row.meter is not None and row.quantity:
            traced[row.meter] = traced.get(row.meter, 0) + row.quantity
    assert traced == found.quantities


@given(provider=st.sampled_from(PROVIDERS), payload=ANY_JSON, whole=st.booleans())
def test_any_json_is_taken_or_refused_with_a_reason(provider: str, payload: Any, whole: bool) -> None:
    found = looked_at(provider, payload, whole_response=whole)
    if found is not None:
        holds_what_is_promised(found)


@given(provider=st.sampled_from(PROVIDERS), usage=OBJECTS)
def test_any_object_is_taken_or_refused_with_a_reason(provider: str, usage: dict[str, Any]) -> None:
    found = looked_at(provider, usage, whole_response=False)
    if found is not None:
        holds_what_is_promised(found)


@st.composite
def payloads_of(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A provider and a usage object made of one shape's own paths, with numbers that need not fit one another."""
    shape = draw(st.sampled_from(sorted(BOOK.shapes.values(), key=lambda shape: shape.id)))
    usage: dict[str, Any] = {}
    plain = [path for path in shape.read_paths if path.plain]
    for path in draw(st.lists(st.sampled_from(plain), min_size=1, unique=True)):
        inner = usage
        for step in path.steps[:-1]:
            inner = inner.setdefault(str(step), {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(str(path.steps[-1]), draw(st.integers(0, 1000)))
    return draw(st.sampled_from(sorted(shape.providers))), usage


@given(payloads_of())
def test_numbers_that_contradict_each_other_never_make_a_bucket_negative(payload: tuple[str, dict[str, Any]]) -> None:
    provider, usage = payload
    found = looked_at(provider, usage, whole_response=False)
    if found is not None:
        holds_what_is_promised(found)
        again = BOOK.extract(provider, parse_json(json_text(found.usage)), whole_response=True)
        assert again.quantities == found.quantities
        assert again.usage == found.usage


def test_a_hundred_levels_and_a_hundred_thousand_fields_are_bounded_work() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = {"usage": deep, "prompt_tokens_details": None}
    wide = {f"field_{n}": n for n in range(100_000)}
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "deep": deep,
        "prompt_tokens_details": wide,
        "more": [deep] * 1000,
    }
    found = BOOK.extract("openai", usage, whole_response=False)
    assert found.quantities == {"input": 1, "output": 2}
    assert len(json_text(found.usage)) <= 8192
    for provider in PROVIDERS:
        with pytest.raises(InvalidInput) as caught:
            BOOK.extract(provider, deep, whole_response=True)
        assert len(caught.value.message) < 2000


def test_a_number_of_five_thousand_digits_is_refused_and_never_printed() -> None:
    with pytest.raises(InvalidInput, match="a number of 16610 bits") as caught:
        BOOK.extract("openai", {"prompt_tokens": 10**5000, "completion_tokens": 1}, whole_response=False)
    assert caught.value.problems[0].reason == "too_large"


@pytest.mark.parametrize("field", ["promptTokensDetails", "cacheTokensDetails"])
def test_a_list_that_is_too_long_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput, match="10000 items"):
        BOOK.extract("google", {"promptTokenCount": 1, field: [{}] * 10_001}, whole_response=False)


def test_too_many_items_and_steps_are_refused() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 0}}
    with pytest.raises(InvalidInput, match="at most 10000"):
        BOOK.extract("openai", {"usage": usage, "output": [{}] * 10_001}, whole_response=True)
    with pytest.raises(InvalidInput, match="at most 1000 are read"):
        BOOK.extract("anthropic", {"input_tokens": 1, "iterations": [{}] * 10_001}, whole_response=False)


STEP = {"type": "message", "input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5, "x": "y" * 99}
UNKNOWN = {f"unknown_{n}": "x" * 60 for n in range(200)}
LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "steps": ("anthropic", {"input_tokens": 10, "output_tokens": 300, "iterations": [STEP] * 300}),
    "fields before those that count": ("openai", UNKNOWN | {"prompt_tokens": 7, "completion_tokens": 8}),
    "items of a list": (
        "google",
        {
            "promptTokenCount": 600,
            "promptTokensDetails": [{"modality": kind, "tokenCount": 2} for kind in ("AUDIO", "TEXT", "NEW")] * 100,
            "candidatesTokenCount": 1,
        },
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_evidence_of_a_large_payload_loses_no_count(name: str) -> None:
    provider, usage = LARGE[name]
    found = BOOK.extract(provider, usage, whole_response=False)
    again = BOOK.extract(provider, parse_json(json_text(found.usage)), whole_response=True)
    assert again == found
    assert len(json_text(found.usage)) < len(json_text(usage)) / 2
    assert len(found.steps) == len(usage.get("iterations", []))


def test_a_long_stream_is_bounded_work_for_every_provider() -> None:
    events = [{"type": "delta", "choices": [{"delta": {"content": "x"}}], "usage": None}] * 20_000
    last = {"choices": [], "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    assert BOOK.extract("openai", [*events, last], whole_response=True).quantities == {"input": 3, "output": 4}
    with pytest.raises(InvalidInput, match="none of the 20000 events"):
        BOOK.extract("nobody", events, whole_response=True)
    with pytest.raises(InvalidInput, match="at most 200000"):
        BOOK.extract("openai", events * 11, whole_response=True)
