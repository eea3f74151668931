"""What an event says, as the fields of a usage record: by its type, which is looked up in a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cost_ops.api.cloud_event_forms import Event
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.text import MAX_TEXT

USAGE_TYPE = "com.llm-cost-ops.usage.v1"
_SIDES = {"input": "input_tokens", "prompt": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
"""What the kind of a metered token event counts. Other kinds, such as `system`, do not say which side they stand on."""


def record_of(event: Event) -> dict[str, Any]:
    """The usage record of an event: `source` and `id` are its key, `time` and `subject` fill what its data leaves out.

    Raises InvalidInput for a type that is not known, or data that is none.
    """
    reader = _READERS.get(event.kind)
    if reader is None:
        known = ", ".join(_READERS)
        raise invalid("type", "unknown_type", f"type {event.kind[:80]!r} is not known; these are: {known}")
    if not isinstance(event.data, Mapping):
        raise invalid("data", "invalid_type", "data must be a JSON object")
    record = reader(event.data)
    filled = {"idempotency_key": _key(event), "timestamp": event.time, "user_id": event.subject}
    for name, value in filled.items():
        if record.get(name) is None and value is not None:
            record[name] = value
    return record


def _key(event: Event) -> str:
    """`ce:<source>:<id>`; what is too long for a key is told by its hash. Colons of the id are escaped: the last one
    parts the two, so no two events come out alike.
    """
    escaped = event.event_id.replace("%", "%25").replace(":", "%3A")
    key = f"ce:{event.source}:{escaped}"
    return key if len(key) <= MAX_TEXT else f"ce:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _usage(data: Mapping[str, Any]) -> dict[str, Any]:
    return dict(data)


def _metered(data: Mapping[str, Any]) -> dict[str, Any]:
    """A token event as OpenMeter's collectors send it: one side's tokens of one call."""
    problems = [
        Problem(f"data.{name}", "missing_required_field", f"data.{name} is required in an event of this type")
        for name in ("provider", "model", "tokens", "type")
        if data.get(name) is None
    ]
    side = _SIDES.get(str(data.get("type")).lower())
    if data.get("type") is not None and side is None:
        message = f"data.type must be one of {', '.join(_SIDES)}, got {str(data['type'])[:40]!r}"
        problems.append(Problem("data.type", "ambiguous", message))
    if problems or side is None:
        raise InvalidInput(problems)
    tokens = data["tokens"]
    if isinstance(tokens, str) and tokens.isascii() and tokens.isdigit() and len(tokens) <= 18:
        tokens = int(tokens)
    return {"provider": data["provider"], "model_id": data["model"], side: tokens}


_READERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    USAGE_TYPE: _usage,
    "cost_ops.usage": _usage,
    "request": _metered,
    "prompt": _metered,
    "tokens": _metered,
}

KNOWN_TYPES = tuple(_READERS)
"""Every `type` that is taken."""
