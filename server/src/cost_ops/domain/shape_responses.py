"""Responses: where the usage object stands in what was sent; a list of stream events is folded into one response."""

from __future__ import annotations

from typing import Any, NamedTuple

from cost_ops.domain.shape_evidence import INCOMPLETE, own_fields
from cost_ops.domain.shape_items import COUNTED, count_items
from cost_ops.domain.shape_paths import Path, find, find_all, parse_path, place
from cost_ops.domain.shape_plans import Prefixes
from cost_ops.domain.shapes import Envelope, Items, Shape

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
    complete = seen = False
    heads = _heads(shape)
    for n, event in enumerate(events):
        if event.__class__ is not dict or (n and heads.isdisjoint(event)):
            continue
        seen |= _fold_event(shape, event, folded)
        complete |= _completes(shape, event)
    if not seen:
        return None
    if shape.stream is not None and shape.stream.complete and not complete:
        folded[INCOMPLETE] = True
    return folded


def _heads(shape: Shape) -> frozenset[str]:
    """The fields of which an event that matters has one. Ids and the like are read from the first event in any case."""
    envelopes = shape.stream.envelopes if shape.stream is not None else shape.envelopes
    paths = [envelope.path for envelope in envelopes] + [*shape.usage_at]
    paths += [path for path, _ in shape.stream.complete] if shape.stream is not None else []
    paths += shape.read_paths if any(not path.steps for path in shape.usage_at) else ()
    return frozenset(str(path.steps[0]) for path in paths if path.steps)


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
                kept = usage if path.steps and not shape.own_fields_only else own_fields(shape, usage)
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


def wrapped(located: Located, kept: dict[str, Any]) -> dict[str, Any]:
    """Evidence in the envelope that its response came in."""
    if not located.envelope.path.steps:
        return kept
    outer: dict[str, Any] = {}
    place(outer, located.envelope.path.steps, kept)
    return outer


def fields_of(payload: Any) -> list[str]:
    """The names of a payload's fields, for the sentence that says it was not recognised."""
    names = payload.keys() if isinstance(payload, dict) else ()
    return sorted(str(name)[:40] for name in list(names)[:20])
