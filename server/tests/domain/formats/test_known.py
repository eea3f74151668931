"""A file's format is told from its beginning, and only where there is no doubt."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.formats.known import FORMATS, Reading, detect, values_of
from cost_ops.domain.formats.reading import Seen, Told
from cost_ops.domain.records_file import Item
from cost_ops.domain.submitted import FIELD_NAMES
from tests.domain.formats.test_values import JSON

FILES = Path(__file__).parents[4] / "contracts" / "fixtures" / "files"
NAMES = [p.relative_to(FILES).as_posix() for p in sorted(FILES.rglob("*.*")) if p.is_file()]
OURS = {"provider": "openai", "model_id": "gpt-4", "input_tokens": 1}


def form_of(start: str, name: str = "") -> str | None:
    found = detect(start, name).format
    return found.name if found else None


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_recognised(name: str) -> None:
    text = (FILES / name).read_text(encoding="utf-8")
    assert form_of(text, name) == name.split("/", maxsplit=1)[0]
    if text.count("\n") > 1:
        assert form_of(text[: len(text) * 2 // 3], name) == name.split("/", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("u.json", json.dumps([OURS])),
        ("u.json", json.dumps([{**OURS, "usage": {"prompt_tokens": 1}}])),
        ("u.json", json.dumps({"id": "a", "model": {"name": "gpt-4"}, "prompt_tokens": 1})),
        (
            "u.jsonl",
            json.dumps({"id": "a", "model": "gpt-4", "provider": "openai", "timestamp": "2026-01-01T00:00:00Z"}),
        ),
        ("u.jsonl", json.dumps({**OURS, "response": {"object": "chat.completion"}})),
        ("u.csv", "provider,model_id,input_tokens\n"),
        ("u.csv", "id,model,timestamp,type\n"),
        ("u.jsonl", ""),
        ("u.json", "["),
        ("u.json", '{"data": '),
        ("u.jsonl", "nonsense"),
    ],
)
def test_records_of_our_own_form_are_taken_for_nothing_else(name: str, text: str) -> None:
    assert form_of(text, name) is None


def test_a_named_form_is_never_questioned() -> None:
    text = (FILES / "litellm/spend-logs.jsonl").read_text()
    assert detect(text, "x.jsonl", "jsonl") == Reading("jsonl")
    assert detect(text, "x.jsonl", "langfuse") == Reading("jsonl", FORMATS["langfuse"])


def test_a_session_log_is_known_by_its_marks_where_its_first_line_is_endless() -> None:
    claude = (
        '{"parentUuid":null,"isSidechain":false,"cwd":"/w","sessionId":"s","type":"user","message":{"content":"'
        + "x" * 9000
    )
    codex = (
        '{"timestamp":"2026-03-02T09:15:00Z","type":"session_meta","payload":{"id":"s","instructions":"' + "x" * 9000
    )
    assert (form_of(claude, "a.jsonl"), form_of(codex, "b.jsonl")) == ("claude-code", "codex")


def test_an_embeddings_response_is_not_taken_apart() -> None:
    text = json.dumps({"object": "list", "data": [{"embedding": [0.1]}], "model": "e", "usage": {"prompt_tokens": 1}})
    reading = detect(text, "r.json")
    assert reading.format is FORMATS["responses"]
    assert len(list(values_of(reading, iter([text]), lambda: ""))) == 1
    pieces = iter([text])
    assert len(list(values_of(reading._replace(syntax="json"), iter(()), lambda: next(pieces, "")))) == 1


def test_rows_of_an_api_answer_are_found_under_their_name() -> None:
    text = (FILES / "langfuse/observations.json").read_text()
    pieces = iter([text[:100], text[100:]])
    assert len(list(values_of(detect(text, "o.json"), iter(()), lambda: next(pieces, "")))) == 5


def test_rows_of_an_api_answer_may_stand_on_lines_of_their_own() -> None:
    row = '{"id": "o", "traceId": "t", "type": "SPAN", "startTime": "2026-03-02T09:15:00Z"}'
    for text in (f'{{"data": [\n{row},\n{row}\n]}}', f'{{"data": [\n{row},\n{row}, {{"cut'):
        assert detect(text, "o.json") == detect(text, "") == Reading("json", FORMATS["langfuse"])


def test_csv_rows_keep_their_line_and_broken_ones_are_told() -> None:
    lines = ["\n", "a,b\n", '1,"x\n', 'y"\n', "1,2,3\n", "\n", "2,\n"]
    found = list(values_of(Reading("csv", FORMATS["litellm"]), iter(lines), lambda: ""))
    assert found[0] == Item(4, {"a": "1", "b": "x\ny"})
    assert (found[1].place, found[1].problems[0].message) == (5, "3 cells, but the header names 2 columns")
    assert found[2] == Item(7, {"a": "2"})


def test_a_cell_may_hold_a_whole_conversation() -> None:
    cell = "x" * 500_000
    found = list(values_of(Reading("csv", FORMATS["litellm"]), iter(["a\n", cell + "\n"]), lambda: ""))
    assert found == [Item(2, {"a": cell})]


def test_what_was_seen_is_forgotten_beyond_the_limit() -> None:
    seen = Seen(limit=2)
    for key in "abc":
        seen.add(key)
    assert [key in seen for key in "abc"] == [False, True, True]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_unreadable_values_are_handed_on_with_their_place(form: str) -> None:
    problem = [Problem("", "invalid_json", "not JSON: broken")]
    found = list(FORMATS[form].convert([Item(7, None, problem)], Told("openai")))
    assert [(f.place, list(f.problems)) for f in found] == [(7, problem)]


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=40)
@given(values=st.lists(JSON, max_size=5))
def test_no_value_breaks_a_format(form: str, values: list[Any]) -> None:
    check(form, values)


NAMES_OF_OTHERS = (
    *("type", "message", "payload", "usage", "metadata", "model", "id", "usageDetails", "startTime", "spend", "data"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "response", "object", "candidates", "done", "cache_hit"),
    *("custom_id", "sessionId", "requestId"),
)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals(allow_nan=False, max_value=10**9)
INNER = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(st.sampled_from(NAMES_OF_OTHERS), PLAIN, max_size=3)
SHAPED = st.dictionaries(st.sampled_from(NAMES_OF_OTHERS), INNER, max_size=10)


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=60)
@given(values=st.lists(SHAPED, max_size=5))
def test_no_object_breaks_a_format(form: str, values: list[Any]) -> None:
    check(form, values)


def check(form: str, values: list[Any]) -> None:
    """Whatever comes in, records have known fields, and nothing but a complaint about the input is raised."""
    try:
        found = list(FORMATS[form].convert([Item(n, v) for n, v in enumerate(values, 1)], Told("openai")))
    except InvalidInput:
        return
    for one in found:
        assert set(one.fields) <= set(FIELD_NAMES)
        assert bool(one.fields) + bool(one.problems) + bool(one.skipped) == 1


@given(st.text())
def test_no_beginning_breaks_the_recognition(start: str) -> None:
    assert detect(start, "").syntax in ("json", "jsonl", "csv", "events")
