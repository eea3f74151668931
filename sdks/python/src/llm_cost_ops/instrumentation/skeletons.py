"""What is kept of a provider's response: what it says of its price, and nothing of what was asked or answered.

A response is read as it comes, as an object of the provider's library or as JSON. By name are taken its id, its model,
its tier, its usage object and the types of the tool calls that are paid for one by one; all else stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = ("id", "object", "type", "model", "service_tier", "status", "stop_reason")
_INSIDE = ("response", "message", "x_groq")
"""Where a stream's event has the response in it."""

_OF_AN_ITEM = ("type", "status", "container_id")
_LONGEST = 64
_LONGEST_NAMED = 256
_DEEPEST = 6
_MOST = 256


def skeleton(answer: Any) -> dict[str, Any]:
    """The skeleton of a response, or of one event of a stream."""
    fields = fields_of(answer)
    kept: dict[str, Any] = {}
    for name in _NAMED:
        value = fields.get(name)
        if isinstance(value, str) and len(value) <= _LONGEST_NAMED:
            kept[name] = value
    if fields.get("background") is True:
        kept["background"] = True
    usage = fields.get("usage")
    if usage is not None:
        kept["usage"] = counts(usage)
    output = fields.get("output")
    if isinstance(output, (list, tuple)):
        kept["output"] = [item for item in map(_item, output) if item]
    for name in _INSIDE:
        inner = fields.get(name)
        if inner is not None and not isinstance(inner, (str, bytes)):
            kept[name] = skeleton(inner)
    return kept


def says_usage(kept: Mapping[str, Any]) -> bool:
    """Whether a skeleton tells how much was used."""
    return bool(kept.get("usage")) or any(says_usage(kept[name]) for name in _INSIDE if name in kept)


def counts(value: Any, deepest: int = _DEEPEST) -> Any:
    """A usage object: its numbers and short words, where they stand. What it does not say is left out."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else None
    if not deepest:
        return None
    if isinstance(value, (list, tuple)):
        return [counts(one, deepest - 1) for one in value[:_MOST]]
    told = {}
    for name, inner in fields_of(value).items():
        kept = counts(inner, deepest - 1)
        if kept is not None and len(name) <= _LONGEST:
            told[name] = kept
    return told


def fields_of(answer: Any) -> Mapping[str, Any]:
    """The fields of a JSON object, or of a library's object; those that the library does not know, too."""
    if isinstance(answer, Mapping):
        return answer
    known = getattr(answer, "__dict__", None)
    if known is None:
        return {}
    more = getattr(answer, "__pydantic_extra__", None)
    return {**known, **more} if more else known


def _item(item: Any) -> dict[str, Any]:
    """A tool call that is paid for by its number; empty where the item is something else."""
    fields = fields_of(item)
    kind = fields.get("type")
    if not isinstance(kind, str) or not kind.endswith("_call") or kind == "function_call":
        return {}
    kept = {name: fields[name] for name in _OF_AN_ITEM if isinstance(fields.get(name), str)}
    action = fields_of(fields.get("action")).get("type")
    if isinstance(action, str):
        kept["action"] = {"type": action}
    return kept
