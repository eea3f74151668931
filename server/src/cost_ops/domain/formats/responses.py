"""Raw provider responses and dumps of streams: JSON lines, a JSON array, or server-sent events as they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cost_ops.domain.errors import invalid
from cost_ops.domain.formats.reading import Format, Told, present
from cost_ops.domain.formats.slimming import slim
from cost_ops.domain.formats.streams import END, KINDS, responses
from cost_ops.domain.formats.values import instant, nested, text
from cost_ops.domain.records_file import Found, Item, json_line_items

_MODELS = (("model",), ("modelVersion",), ("message", "model"), ("response", "model"))
_TIMES = (("created",), ("created_at",), ("createTime",), ("response", "created_at"))
_MADE_BY_PROVIDERS = (
    "choices",
    "candidates",
    "usageMetadata",
    "stop_reason",
    "object",
    "stopReason",
    "done",
    "finish_reason",
)
_OURS = ("model_id", "organization_id", "custom_id")


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per response. Raises InvalidInput where nobody says which provider they are from."""
    if told.provider is None:
        message = "raw responses do not name their provider: name it with --provider"
        raise invalid("provider", "missing_required_field", message)
    faults: list[Found] = []
    for response in responses(_sound(items, faults)):
        yield from faults
        faults.clear()
        yield _record(response.place, response.payload, told.provider, told.model)
    yield from faults


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the first value looks like a response or an event of a provider, and not like a record of ours."""
    if not values or any(name in values[0] for name in _OURS):
        return False
    first = values[0]
    return any(name in first for name in _MADE_BY_PROVIDERS) or any(kind.matches(first) for kind in KINDS)


def event_items(lines: Iterable[str]) -> Iterator[Item]:
    """The data of server-sent events, one JSON value each; `[DONE]` ends a stream."""
    for number, line in enumerate(lines, 1):
        name, _, data = line.partition(":")
        if name != "data" or not data.strip():
            continue
        if data.strip() == "[DONE]":
            yield Item(number, END)
        else:
            yield from (item._replace(place=number) for item in json_line_items([data]))


def _sound(items: Iterable[Item], faults: list[Found]) -> Iterator[Item]:
    for item in items:
        if item.problems:
            faults.append(Found(item.place, {}, item.problems))
        else:
            yield item


def _record(place: int, payload: Any, provider: str, model: str | None) -> Found:
    events = payload if isinstance(payload, list) else [payload]
    fields = {
        "provider": provider,
        "model_id": text(_first(events, _MODELS)) or model,
        "timestamp": instant(_first(events, _TIMES)),
        "response": slim(payload),
    }
    return Found(place, present(fields))


def _first(events: Sequence[Any], paths: Sequence[tuple[str, ...]]) -> Any:
    found = (nested(event, *path) for event in events for path in paths)
    return next((value for value in found if value is not None), None)


FORMAT = Format("responses", "raw responses", convert, recognises)
