"""What every format shares: what it is told, what it is, and which calls were seen already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cost_ops.domain.errors import Problem
from cost_ops.domain.records_file import Found, Item

MAX_SEEN = 1_000_000
"""Calls remembered while a folder is read. What is older is still known to the ledger, only not to a dry run."""


class Seen:
    """The calls that were handed on already, at most the latest million."""

    def __init__(self, limit: int = MAX_SEEN) -> None:
        """Forgets the oldest beyond `limit`."""
        self._limit = limit
        self._keys: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Remember a call."""
        self._keys[key] = None
        if len(self._keys) > self._limit:
            del self._keys[next(iter(self._keys))]


@dataclass(frozen=True, slots=True)
class Told:
    """What a format knows beside the file: provider and model for records that name none, and what was read before."""

    provider: str | None = None
    model: str | None = None
    seen: Seen = field(default_factory=Seen)


class Format(NamedTuple):
    """A format. `convert` turns the values of one file, in order, into records in the form of `POST /api/v1/usage`.

    `recognises` looks at the first values of a file, `marks` are texts that together occur at the beginning of no other
    format (for files whose first value is longer than what is looked at). `folder` formats are read from whole folders.
    `lists` are the names under which an answer of the system's API holds its rows.
    """

    name: str
    title: str
    convert: Callable[[Iterable[Item], Told], Iterator[Found]]
    recognises: Callable[[Sequence[Mapping[str, Any]]], bool]
    marks: tuple[str, ...] = ()
    folder: bool = False
    lists: tuple[str, ...] = ()


def each(items: Iterable[Item], record: Callable[[Item, Mapping[str, Any]], Found]) -> Iterator[Found]:
    """One record per value, for formats in which no value depends on another."""
    for item in items:
        if fault := not_an_object(item):
            yield fault
        else:
            yield record(item, item.value)


def not_an_object(item: Item) -> Found | None:
    """The fault of a value that could not be read or is no JSON object; None for one that is."""
    if item.problems:
        return Found(item.place, {}, item.problems)
    if not isinstance(item.value, Mapping):
        return Found(item.place, {}, [Problem("", "invalid_type", "not a JSON object")])
    return None


def usage_record(place: int, fields: Mapping[str, Any]) -> Found:
    """A usage record of the fields that say something; a problem where nobody says which model of whom was used."""
    model, provider = fields.get("model_id"), fields.get("provider")
    if model is None:
        return Found(
            place, {}, [Problem("model_id", "missing_required_field", "the model is not named: name it with --model")]
        )
    if provider is None:
        message = f"nothing tells who served {str(model)[:80]!r}: name the provider with --provider"
        return Found(place, {}, [Problem("provider", "missing_required_field", message)])
    return Found(place, present(fields))


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something: neither None nor empty."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", {})}
