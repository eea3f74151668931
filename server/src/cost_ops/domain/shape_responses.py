"""Responses: where the usage object stands in what was sent, and what is kept of it as evidence.

Evidence is the response with everything taken away that says nothing about its price: the usage object and the few
fields around it that were read, where they stood. A list of stream events is folded into such a response first.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NamedTuple

from cost_ops.domain.shape_counting import COUNTED, Prefixes, count_items
from cost_ops.domain.shape_paths import MOST_ITEMS, Path, Select, find, find_all, parse_path, place
from cost_ops.domain.shapes import Envelope, Items, Shape

INCOMPLETE = "_incomplete"
"""In evidence: true where a stream broke off before it said its final numbers."""

MOST_BYTES = 8192
MOST_FIELDS = 64
DEEPEST = 6
_FAR = 2**63
_NOTHING: dict[str, Any] = {}
_ROOT = Envelope(parse_path(""))


class Located(NamedTuple):
    """A usage object and the response it stands in; `alone`: it came without one."""

    usage: dict[str, Any]
    response: dict[str, Any]
    envelope: Envelope
    usage_at: Path
    alone: bool = False

    def stands(self) -> Prefixes:
        """What paths begin with in the evidence of this response."""
        outer = f"{self.envelope.path.text}." if self.envelope.path.text else ""
        return Prefixes(f"{outer}{self.usage_at.text}." if self.usage_at.text else outer, outer)

    def sent(self) -> Prefixes:
        """What paths begin with in what was sent."""
        if self.alone:
            return Prefixes("usage.", "response.")
        usage, response = self.stands()
        return Prefixes(f"response.{usage}", f"response.{response}")


def recognises(shape: Shape, usage: dict[str, Any], response: dict[str, Any]) -> bool:
    """Whether a usage object has the fields that tell this shape from others."""
    for path in shape.all_of:
        if find(response if path.outer else usage, path.steps) is None:
            return False
    for path in shape.none_of:
        if find(response if path.outer else usage, path.steps) is not None:
            return False
    for path in shape.any_of:
        if find(response if path.outer else usage, path.steps) is not None:
            return True
    return not shape.any_of


def locate(shape: Shape, payload: dict[str, Any]) -> Located | None:
    """The usage object of a whole response, if it has this shape."""
    for envelope in shape.envelopes:
        response = find(payload, envelope.path.steps)
        if response.__class__ is dict:
            for path in shape.usage_at:
                usage = find(response, path.steps)
                if usage.__class__ is dict and recognises(shape, usage, response):
                    return Located(usage, response, envelope, path)
    return None


def usage_alone(shape: Shape, usage: dict[str, Any]) -> Located | None:
    """A usage object that came without its response."""
    return Located(usage, _NOTHING, _ROOT, shape.usage_at[0], True) if recognises(shape, usage, _NOTHING) else None


def fold(shape: Shape, events: list[Any]) -> dict[str, Any] | None:
    """A stream's events as one response, last numbers winning field by field; None where none has this shape."""
    folded: dict[str, Any] = {}
    complete = False
    usage_seen = False
    for event in events:
        if event.__class__ is not dict:
            continue
        usage_seen |= _fold_event(shape, event, folded)
        complete |= _completes(shape, event)
    if not usage_seen:
        return None
    if shape.stream is not None and shape.stream.complete and not complete:
        folded[INCOMPLETE] = True
    return folded


def _fold_event(shape: Shape, event: dict[str, Any], folded: dict[str, Any]) -> bool:
    seen = False
    for envelope in shape.stream.envelopes if shape.stream is not None else shape.envelopes:
        response = find(event, envelope.path.steps)
        if response.__class__ is not dict:
            continue
        for path in shape.usage_at:
            usage = find(response, path.steps)
            if usage.__class__ is dict and usage:
                seen = True
                kept = usage if path.steps and not shape.own_fields_only else _kept(shape, usage)
                _merge(folded, shape.usage_at[0], kept)
        for path in shape.outer_paths:
            value = find(response, path.steps)
            if value is not None and path.steps:
                place(folded, path.steps, value)
        _fold_items(shape.items, response, folded)
    return seen


def _merge(folded: dict[str, Any], at: Path, usage: dict[str, Any]) -> None:
    held = find(folded, at.steps) if at.steps else folded
    if held.__class__ is not dict:
        held = {}
        place(folded, at.steps, held)
    for name, value in usage.items():
        if value.__class__ is dict and held.get(name).__class__ is dict:
            held[name] = {**held[name], **value}
        elif value is not None or name not in held:
            held[name] = value


def _fold_items(counters: tuple[Items, ...], response: dict[str, Any], folded: dict[str, Any]) -> None:
    """Items may come in any event, or in several again: the most that one event has."""
    for items in counters:
        amount = count_items(items, {}, response) if items.path.outer else 0
        if amount:
            counted = folded.setdefault(COUNTED, {})
            counted[items.meter] = max(amount, counted.get(items.meter, 0))


def _completes(shape: Shape, event: dict[str, Any]) -> bool:
    if shape.stream is None:
        return False
    for path, values in shape.stream.complete:
        for _, value in find_all(event, path.steps):
            if not values or (isinstance(value, str) and value in values):
                return True
    return False


def evidence(shape: Shape, located: Located, counted: dict[str, int]) -> dict[str, Any]:
    """What is kept of a response: small, without content, enough to count it again by this shape or a better one."""
    usage, response, envelope, usage_at, _ = located
    kept: dict[str, Any] = {}
    if usage_at.steps:
        whole = _is_small(usage) and not shape.own_fields_only
        place(kept, usage_at.steps, usage if whole else _reduced(shape, usage))
    else:
        kept.update(_kept(shape, usage))
    if response:
        for path in shape.outer_paths:
            value = find(response, path.steps)
            if value is not None and path.steps and not isinstance(value, dict | list):
                place(kept, path.steps, value if not isinstance(value, str) else value[:256])
    if counted:
        kept[COUNTED] = counted
    if INCOMPLETE in response:
        kept[INCOMPLETE] = True
    if envelope.path.steps:
        wrapped: dict[str, Any] = {}
        place(wrapped, envelope.path.steps, kept)
        return wrapped
    return kept


def _is_small(usage: dict[str, Any]) -> bool:
    """Whether a usage object is plainly small: numbers, short texts, and objects and short lists of such."""
    if len(usage) > 24:
        return False
    for value in usage.values():
        kind = value.__class__
        if kind is dict:
            if not _is_flat(value):
                return False
        elif kind is list:
            if len(value) > 8 or not all(item.__class__ is dict and _is_flat(item) for item in value):
                return False
        elif not (_is_scalar(value) if kind is not int else -_FAR < value < _FAR):
            return False
    return True


def _is_flat(fields: dict[str, Any]) -> bool:
    if len(fields) > 12:
        return False
    for value in fields.values():  # noqa: SIM110 (a generator costs twice as much, for every payload)
        if not (_is_scalar(value) if value.__class__ is not int else -_FAR < value < _FAR):
            return False
    return True


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 64
    if isinstance(value, int):
        return -_FAR < value < _FAR
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) <= 40
    return value is None or isinstance(value, float)


def _reduced(shape: Shape, usage: dict[str, Any]) -> dict[str, Any]:
    """A large usage object cut to size: what is too deep or too long is dropped, then what the shape does not read."""
    if shape.own_fields_only:
        return _kept(shape, usage)
    cut: dict[str, Any] = _cut(usage, DEEPEST)
    if _size(cut) > MOST_BYTES:
        cut = _kept(shape, cut)
    if _size(cut) > MOST_BYTES:
        needed = {str(shape.steps.path.steps[0])} if shape.steps is not None else set()
        cut = {name: value for name, value in cut.items() if name in needed or not isinstance(value, list)}
    return cut


def _cut(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth == 0:
            return None
        fields = list(value.items())[:MOST_FIELDS] if len(value) <= MOST_ITEMS else []
        return {str(name)[:64]: _cut(inner, depth - 1) for name, inner in fields}
    if isinstance(value, list):
        return [_cut(inner, depth - 1) for inner in value[:MOST_FIELDS]] if depth else None
    if isinstance(value, str):
        return value[:64]
    return value if _is_scalar(value) else None


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str, ensure_ascii=False))


def _kept(shape: Shape, usage: dict[str, Any]) -> dict[str, Any]:
    """The numbers and short texts of a usage object that the shape reads, where they stood: nothing else."""
    kept: dict[str, Any] = {}
    for path in shape.read_paths:
        if not path.plain:
            _keep_items(path, usage, kept)
        elif (value := find(usage, path.steps)) is not None and _is_scalar(value):
            place(kept, path.steps, value)
    if shape.steps is not None and (steps := find(usage, shape.steps.path.steps)) is not None:
        place(kept, shape.steps.path.steps, _cut(steps, DEEPEST))
    return kept


def _keep_items(path: Path, usage: dict[str, Any], kept: dict[str, Any]) -> None:
    """Of the items of a list: what tells them apart, and the count."""
    name, select, *rest = path.steps
    items = usage.get(str(name))
    if not isinstance(items, list) or not isinstance(select, Select) or len(rest) != 1:
        return
    fields = {select.field, rest[0]} - {""}
    held = kept.setdefault(str(name), [{} for _ in items[:MOST_FIELDS]])
    for item, reduced in zip(items, held, strict=False):
        if isinstance(item, dict):
            reduced.update({name: item[name] for name in fields if name in item and _is_scalar(item[name])})


def fields_of(payload: Any) -> list[str]:
    """The names of a payload's fields, for the sentence that says it was not recognised."""
    names = payload.keys() if isinstance(payload, dict) else ()
    return sorted(str(name)[:40] for name in list(names)[:20])
