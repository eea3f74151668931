"""The formats there are, how a file's format is told from its beginning, and how its values are read."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cost_ops.domain.errors import Problem
from cost_ops.domain.exact_json import DECODER
from cost_ops.domain.formats import claude_code, codex, langfuse, litellm, openai_batch, responses
from cost_ops.domain.formats.reading import Format
from cost_ops.domain.records_file import Item, detect_format, json_items, json_line_items

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (openai_batch, litellm, langfuse, claude_code, codex, responses)
}
"""By name, in the order in which they are tried: `responses` takes what nobody else knows better."""

_LISTS = tuple(dict.fromkeys(name for known in FORMATS.values() for name in known.lists))
MAX_LOOKED_AT = 50
MAX_FIELD_CHARACTERS = 64_000_000
_EVENTS = ("data:", "event:", ":")
_ROWS_FIRST = re.compile(rf'\s*\{{\s*"({"|".join(_LISTS)})"\s*:\s*\[')
"""An answer of an API, whose rows may well begin on lines of their own."""


class Reading(NamedTuple):
    """How a file is read: its syntax (`json`, `jsonl`, `csv`, `events`), and another system's format if it is one."""

    syntax: str
    format: Format | None = None


def detect(start: str, name: str, form: str = "auto") -> Reading:
    """How to read a file that begins with `start`; `form` is a syntax, a format's name, or `auto`."""
    if form in ("json", "jsonl", "csv"):
        return Reading(form)
    syntax = _syntax(start, name)
    if form != "auto":
        return Reading(syntax, FORMATS[form])
    if syntax == "events":
        return Reading(syntax, FORMATS["responses"])
    values = _first_values(start, syntax)
    found = next((f for f in FORMATS.values() if f.recognises(values)), None)
    if found is None and syntax == "jsonl" and not values:
        found = next((f for f in FORMATS.values() if f.marks and all(mark in start for mark in f.marks)), None)
    return Reading(syntax, found)


def _syntax(start: str, name: str) -> str:
    if start.lstrip().startswith(_EVENTS):
        return "events"
    return "json" if _ROWS_FIRST.match(start) else detect_format(start, name)


def values_of(reading: Reading, lines: Iterable[str], read: Callable[[], str]) -> Iterator[Item]:
    """The values of a file of another system. `read` gives the next piece of its text, `lines` its lines."""
    if reading.syntax == "json":
        return json_items(read, reading.format.lists if reading.format else ())
    if reading.syntax == "csv":
        return _csv_items(lines)
    return responses.event_items(lines) if reading.syntax == "events" else json_line_items(lines)


def _first_values(start: str, syntax: str) -> list[Mapping[str, Any]]:
    """The objects that a file begins with, as far as they are whole; of a CSV file one with its columns' names."""
    if syntax == "csv":
        header = next(csv.reader(line for line in start.splitlines() if line.strip()), [])
        return [dict.fromkeys((cell.strip() for cell in header), "")]
    values = _lines_of(start) if syntax == "jsonl" else _items_of(start)
    flat = (inner for value in values for inner in (value[:1] if isinstance(value, list) else [value]))
    return [value for value in flat if isinstance(value, Mapping)][:MAX_LOOKED_AT]


def _lines_of(start: str) -> Iterator[Any]:
    # The last line may be cut off, and is then no JSON.
    for line in start.splitlines()[:MAX_LOOKED_AT]:
        try:
            yield DECODER.decode(line.strip())
        except (ValueError, RecursionError):
            continue


def _items_of(start: str) -> Iterator[Any]:
    text = start.lstrip()
    position = text.find("[") + 1
    if text.startswith("{"):
        try:
            value = DECODER.decode(text.strip())
        except (ValueError, RecursionError):
            if not _ROWS_FIRST.match(text):
                return
        else:
            # A response may have a list called `data` of its own, but then says at once what it is.
            whole = "usage" in value or "object" in value
            rows = None if whole else next((value[n] for n in _LISTS if isinstance(value.get(n), list)), None)
            yield from [value] if rows is None else rows[:MAX_LOOKED_AT]
            return
    while position:
        while text[position : position + 1] in (" ", "\n", "\r", "\t", ","):
            position += 1
        try:
            value, position = DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield value


def _csv_items(lines: Iterable[str]) -> Iterator[Item]:
    """The rows of a CSV file by its header; an empty cell is an absent field."""
    # Logs hold whole conversations in a cell; the limit of the csv module is 128 KiB for the process.
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.reader(lines)
    header: Sequence[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"not CSV: {error}; what follows could not be read"
            yield Item(reader.line_num, None, [Problem("", "invalid_csv", message)])
            return
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) > len(header):
            message = f"{len(cells)} cells, but the header names {len(header)} columns"
            yield Item(reader.line_num, None, [Problem("", "invalid_csv", message)])
            continue
        yield Item(reader.line_num, {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()})
