"""Usage shapes are data: each is complete, known by its source, and described; a new provider is a new file."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from cost_ops.catalog import PROVIDER_NAMES
from cost_ops.catalog.providers import CANONICAL_NAMES
from cost_ops.catalog.usage_shapes import load_shapes
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.extraction import ShapeBook
from cost_ops.domain.shape_reading import read_shape, read_shapes
from cost_ops.domain.shapes import ANY_PROVIDER, Count, Shape

SHAPES = sorted(load_shapes().shapes.values(), key=lambda shape: shape.id)
EACH = pytest.mark.parametrize("shape", SHAPES, ids=[shape.id for shape in SHAPES])
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "usage-shapes.md"
NEW = {
    "id": "newcomer.chat",
    "title": "A newcomer",
    "source": "its documentation",
    "providers": {"newcomer": 1},
    "usage_at": ["stats"],
    "recognised": {"all": ["in"]},
    "counts": [
        {"at": "in", "meter": "input", "parts": [{"at": "old", "meter": "input_cache_read"}]},
        {"at": "out", "meter": "output"},
    ],
    "model_id": ["^model"],
}


def test_adding_a_provider_is_adding_data() -> None:
    book = ShapeBook([read_shape(NEW)])
    found = book.extract("newcomer", {"model": "n-1", "stats": {"in": 10, "old": 4, "out": 5}}, whole_response=True)
    assert found.quantities == {"input": 6, "input_cache_read": 4, "output": 5}
    assert found.model_id == "n-1"


def test_a_shape_like_another_has_what_it_does_not_say_itself() -> None:
    other = {"id": "other.chat", "like": "newcomer.chat", "providers": {"other": 1}, "usage_at": ["numbers"]}
    book = ShapeBook(read_shapes([NEW, other]))
    assert book.extract("other", {"numbers": {"in": 10}}, whole_response=True).quantities == {"input": 10}


@EACH
def test_a_file_is_named_after_its_shape(shape: Shape) -> None:
    raw = json.loads(files("cost_ops.catalog").joinpath("shapes", f"{shape.id}.json").read_text(encoding="utf-8"))
    assert raw["id"] == shape.id
    assert "source" in raw


@EACH
def test_its_providers_are_canonical_names(shape: Shape) -> None:
    assert set(shape.providers) - {ANY_PROVIDER} <= CANONICAL_NAMES | {"ollama"}
    assert shape.providers


@EACH
def test_a_part_goes_to_a_meter(shape: Shape) -> None:
    def without(count: Count) -> list[str]:
        inner = [name for part in (*count.parts, *count.kinds) for name in without(part)]
        return inner + ([count.paths[0].text] if count.meter is None else [])

    assert [name for count in shape.counts for name in without(count)] == []


@EACH
def test_it_is_described(shape: Shape) -> None:
    assert f"`{shape.id}`" in PAGE.read_text(encoding="utf-8")


def test_no_two_shapes_of_a_provider_have_the_same_rank() -> None:
    for name in {name for shape in SHAPES for name in shape.providers}:
        ranks = [shape.providers[name] for shape in SHAPES if name in shape.providers]
        assert len(ranks) == len(set(ranks)), name


def test_names_that_people_write_lead_to_the_shapes() -> None:
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    provider = PROVIDER_NAMES.canonical("Amazon Bedrock")
    assert load_shapes().extract(provider, usage, whole_response=False).shape == "bedrock.converse"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": [{"at": "in", "meter": "inputs"}]}, "'inputs' is not a meter"),
        ({"counts": [{"at": "in", "metre": "input", "meter": "input"}]}, "'metre' is not a key of a count"),
        ({"colour": "red"}, "'colour' is not a key of a shape"),
        ({"recognised": {}}, "recognised by"),
        ({"counts": [{"at": "a[b", "meter": "input"}]}, "is not a path"),
        ({"counts": 5}, "is no usage shape"),
        ({"recognised": {"every": ["in"]}}, "'every' is not a key of a recognised"),
    ],
)
def test_a_fault_in_a_shape_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)) as caught:
        read_shape({**NEW, **change})
    assert caught.value.problems[0].field.startswith("newcomer.chat")


@pytest.mark.parametrize("path", ["list[kind=a].deep.tokens", "list[kind=a].tokens[*]"])
def test_a_count_too_deep_in_a_list_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="a count in a list is written"):
        ShapeBook([read_shape({**NEW, "counts": [{"at": path, "meter": "input"}]})])


def test_items_told_apart_by_two_fields_are_refused() -> None:
    counts = [{"at": "list[a=1].n", "meter": "input"}, {"at": "list[b=1].n", "meter": "output"}]
    with pytest.raises(InvalidInput, match="told apart by one field"):
        ShapeBook([read_shape({**NEW, "counts": counts})])
