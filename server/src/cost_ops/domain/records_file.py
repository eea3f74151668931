"""Usage files as text: JSON arrays, JSON lines and CSV, read piece by piece in constant memory.

Every reader yields `Found` in the order of the file: the fields of one record, or what is wrong with it. Fields are in
the API's flat form; the nested form (`"model": {"name": …}`, `"id"`) is flattened.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, NamedTuple

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.exact_json import DECODER
from cost_ops.domain.submitted import FIELD_NAMES, TEXT_FIELDS
from cost_ops.domain.text import split_tag

FORMATS = ("json", "jsonl", "csv")
MAX_RECORD_CHARACTERS = 8_000_000
"""A record of an array that is longer than this is not one: the search for its end stops."""

_SPACES = re.compile(r"[\s,]*")
_RECORDS_FIRST = re.compile(r'\s*\{\s*"records"\s*:\s*(?=\[)')
_WHOLE = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)
_JSON_COLUMNS = ("tags", "metadata", "default_pricing")


class Found(NamedTuple):
    """One record of a file. `place` counts lines, in a JSON array records, from 1. Nothing is in `fields` where
    `problems` says why.
    """

    place: int
    fields: dict[str, Any]
    problems: Sequence[Problem] = ()
    skipped: str = ""
    """Why this is no record and no fault either, such as a failed call; empty for records."""


class Item(NamedTuple):
    """One value of a file as it stands there, or what is wrong at its place."""

    place: int
    value: Any
    problems: Sequence[Problem] = ()


def detect_format(start: str, name: str = "") -> str:
    """The format of a file by its first characters, where they leave a doubt by its name."""
    text = start.lstrip()
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return _object_format(text, name)
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return "json" if name.endswith(".json") else "jsonl"
    return "csv"


def _object_format(text: str, name: str) -> str:
    """JSON lines, or one object over many lines."""
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if _RECORDS_FIRST.match(text):
        return "json"
    first, _, rest = text.partition("\n")
    if rest.lstrip().startswith("{"):
        return "jsonl"
    try:
        value = DECODER.decode(first.strip())
    except (ValueError, RecursionError):
        return "json" if rest else "jsonl"
    return "json" if isinstance(value.get("records"), list) else "jsonl"


def flatten(item: Any) -> Any:
    """A record in the API's flat form: `model` becomes `model_id`, and `id` the idempotency key."""
    if not isinstance(item, Mapping) or ("model" not in item and "id" not in item):
        return item
    fields = dict(item)
    model = fields.get("model")
    name = model.get("name") if isinstance(model, Mapping) else model
    if isinstance(name, str) and fields.get("model_id") in (None, name):
        del fields["model"]
        fields["model_id"] = name
    key = fields.pop("id", None)
    if key is not None and fields.get("idempotency_key") is None:
        fields["idempotency_key"] = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    return fields


def _found(item: Item) -> Found:
    if item.problems:
        return Found(item.place, {}, item.problems)
    fields = flatten(item.value)
    if not isinstance(fields, Mapping):
        return Found(item.place, {}, [Problem("", "invalid_type", "a usage record must be a JSON object")])
    return Found(item.place, dict(fields))


def read_json_lines(lines: Iterable[str]) -> Iterator[Found]:
    """One usage record per line."""
    return map(_found, json_line_items(lines))


def json_line_items(lines: Iterable[str]) -> Iterator[Item]:
    """One JSON value per line; empty lines are skipped, a line that is not JSON is a problem of its own."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        try:
            item = DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            yield Item(number, None, [Problem("", "invalid_json", f"not JSON: {_json_fault(error)}")])
            continue
        yield Item(number, item)


def read_json(read: Callable[[], str]) -> Iterator[Found]:
    """The usage records of a JSON array, of `{"records": […]}`, or a single object."""
    return map(_found, json_items(read))


def json_items(read: Callable[[], str], lists: Sequence[str] = ("records",)) -> Iterator[Item]:
    """The values of a JSON array, of an object that holds one under a name of `lists`, or a single object.

    `read` gives the next piece of the text, then `""`.

    An array is read piece by piece, also under `records` where that stands first; any other object is read whole.
    A syntax error is reported where it stands, and ends the reading: what follows has no known beginning.
    """
    text = _begin(read)
    if match := _RECORDS_FIRST.match(text):
        text = text[match.end() :]
    elif text.lstrip().startswith("{"):
        yield from _whole_object(text, read, lists)
        return
    start = text.find("[")
    if text[: max(start, 0)].strip() or start < 0:
        if text.strip():
            yield Item(1, None, [Problem("", "invalid_json", "the file holds neither a JSON array nor an object")])
        return
    yield from _array_items(text[start + 1 :], read)


def _begin(read: Callable[[], str]) -> str:
    """Enough of the file to see what it holds."""
    text = read()
    while len(text) < 256 and (more := read()):
        text += more
    return text


def _whole_object(text: str, read: Callable[[], str], lists: Sequence[str]) -> Iterator[Item]:
    parts = [text]
    while more := read():
        parts.append(more)
    try:
        value = DECODER.decode("".join(parts))
    except (ValueError, RecursionError) as error:
        yield Item(1, None, [Problem("", "invalid_json", f"not JSON: {_json_fault(error)}")])
        return
    items = next((value[name] for name in lists if isinstance(value.get(name), list)), [value])
    for number, item in enumerate(items, 1):
        yield Item(number, item)


def _array_items(text: str, read: Callable[[], str]) -> Iterator[Item]:
    place, position = 0, 0
    while True:
        match = _SPACES.match(text, position)
        position = match.end() if match else position
        if position < len(text) and text[position] == "]":
            return
        try:
            if position >= len(text):
                raise ValueError("the array has no end; is the file cut off?")
            item, end = DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            more = read() if len(text) - position < MAX_RECORD_CHARACTERS else ""
            if not more:
                message = f"not JSON: {_json_fault(error)}; what follows could not be read"
                yield Item(place + 1, None, [Problem("", "invalid_json", message)])
                return
            text, position = text[position:] + more, 0
            continue
        place, position = place + 1, end
        yield Item(place, item)


def _json_fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg.lower() if isinstance(error, json.JSONDecodeError) else str(error)


def read_csv(lines: Iterable[str], *, provider_given: bool = False, model_given: bool = False) -> Iterator[Found]:
    """CSV with a header line of field names; `tag.KEY` columns become tags, an empty cell is an absent field.

    Raises InvalidInput that names every column that is not a field, before any record.
    """
    reader = csv.reader(lines)
    try:
        header = next((cells for cells in reader if any(cell.strip() for cell in cells)), None)
    except csv.Error as error:
        yield _broken_csv(reader.line_num, error)
        return
    if header is None:
        return
    names = [name.strip() for name in header]
    if problems := _header_problems(names, provider_given=provider_given, model_given=model_given):
        raise InvalidInput(problems)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken_csv(reader.line_num, error)
            return
        if any(cell.strip() for cell in cells):
            yield _csv_record(reader.line_num, names, cells)


def _broken_csv(place: int, error: csv.Error) -> Found:
    message = f"not CSV: {error}; what follows could not be read"
    return Found(place, {}, [Problem("", "invalid_csv", message)])


def _header_problems(names: Sequence[str], *, provider_given: bool, model_given: bool) -> list[Problem]:
    known = (*FIELD_NAMES, "model", "id")
    problems = []
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.append(Problem(name, "duplicate", f"column {name!r} stands twice in the header"))
        elif name not in known and not (name.startswith("tag.") and len(name) > 4):
            near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else "; a tag's column is called tag.KEY"
            problems.append(Problem(name[:80], "unknown_column", f"column {name[:80]!r} is no field of usage{hint}"))
    required: list[tuple[str, ...]] = [] if provider_given else [("provider",)]
    required += [] if model_given else [("model_id", "model")]
    problems.extend(
        Problem(options[0], "missing_required_field", f"the header has no column {options[0]}")
        for options in required
        if not set(options) & set(names)
    )
    return problems


def _csv_record(place: int, names: Sequence[str], cells: Sequence[str]) -> Found:
    if len(cells) > len(names):
        message = f"{len(cells)} cells, but the header names {len(names)} columns"
        return Found(place, {}, [Problem("", "invalid_csv", message)])
    fields: dict[str, Any] = {}
    tags: dict[str, str] = {}
    problems: list[Problem] = []
    for name, cell in zip(names, cells, strict=False):
        text = cell.strip()
        if not text:
            continue
        if name.startswith("tag."):
            tags[name[4:]] = text
        else:
            fields[name] = _csv_value(name, text, problems)
    if tags:
        sent = fields.get("tags") or {}
        words = sent if isinstance(sent, list) else []
        fields["tags"] = dict(sent if isinstance(sent, Mapping) else map(split_tag, map(str, words))) | tags
    return Found(place, {}, problems) if problems else _found(Item(place, fields))


def _csv_value(name: str, text: str, problems: list[Problem]) -> Any:
    """A cell as the type that its field has; what cannot be one stays text and is refused with the other fields."""
    if name in TEXT_FIELDS or name in ("id", "model", "timestamp"):
        return text
    if name in _JSON_COLUMNS:
        if name == "tags" and text[0] not in "[{":
            return [word.strip() for word in re.split("[,;]", text) if word.strip()]
        try:
            return DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(name, "invalid_json", f"{name} is not JSON: {_json_fault(error)}"))
            return None
    return int(text) if _WHOLE.match(text) else _decimal_or_text(text)


def _decimal_or_text(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() else text
