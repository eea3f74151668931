"""Channels as documents: reading what they have in common, whatever their kind, with every problem named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from cost_ops.domain.delivering import default_events
from cost_ops.domain.errors import Problem
from cost_ops.domain.money import parse_decimal
from cost_ops.domain.notifications import EVENTS, Channel, ChannelKind, Escalation, Routing, Severity
from cost_ops.domain.text import text_fault

COMMON_FIELDS = ("name", "events", "routing", "enabled")
ROUTING_FIELDS = ("budgets", "min_threshold", "severity", "escalation")
MAX_BUDGETS = 100
MAX_NAME = 100
MAX_CHANNELS = 100
_MOST_THRESHOLD = 10


class Common(NamedTuple):
    """What all channels have. `name` is empty and `enabled` None where nothing was said."""

    name: str
    events: tuple[str, ...]
    routing: Routing
    enabled: bool | None


def read_common(document: Mapping[str, Any], own_fields: Sequence[str], problems: list[Problem]) -> Common:
    """The common part of a channel's document; problems are added to `problems`, unknown fields too."""
    known = (*COMMON_FIELDS, *own_fields)
    for field in map(str, document):
        if field not in known:
            message = f"{field[:60]!r} is not a field of this channel; known are {', '.join(known)}"
            problems.append(Problem(field[:60], "unknown_field", message))
    enabled = document.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        problems.append(Problem("enabled", "invalid_type", "enabled must be true or false"))
    return Common(
        _name(document.get("name"), problems),
        _events(document.get("events"), problems),
        read_routing(document.get("routing"), problems),
        enabled if isinstance(enabled, bool) else None,
    )


def _name(given: Any, problems: list[Problem]) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or not given.strip():
        problems.append(Problem("name", "invalid_value", "name must be a text that is not empty"))
        return ""
    if fault := text_fault(given, MAX_NAME):
        problems.append(Problem("name", fault[0], f"name {fault[1]}"))
    return given.strip()


def _events(given: Any, problems: list[Problem]) -> tuple[str, ...]:
    if given is None:
        return ()
    names = _texts("events", given, problems, most=len(EVENTS))
    for name in names:
        if name not in EVENTS:
            message = f"{name[:60]!r} is no event; known are {', '.join(EVENTS)}"
            problems.append(Problem("events", "unknown_event", message))
    return tuple(dict.fromkeys(names))


def read_routing(given: Any, problems: list[Problem]) -> Routing:
    """What limits a channel's events; nothing said lets all through."""
    if given is None:
        return Routing()
    if not isinstance(given, Mapping):
        message = f"routing must be an object with any of {', '.join(ROUTING_FIELDS)}"
        problems.append(Problem("routing", "invalid_type", message))
        return Routing()
    for field in map(str, given):
        if field not in ROUTING_FIELDS:
            message = f"routing has no {field[:60]!r}; known are {', '.join(ROUTING_FIELDS)}"
            problems.append(Problem(f"routing.{field[:60]}", "unknown_field", message))
    budgets = given.get("budgets")
    return Routing(
        () if budgets is None else _texts("routing.budgets", budgets, problems, most=MAX_BUDGETS),
        _threshold(given.get("min_threshold"), problems),
        _choice(Severity, "severity", given.get("severity"), problems),
        _choice(Escalation, "escalation", given.get("escalation"), problems) or Escalation.BOTH,
    )


def _threshold(given: Any, problems: list[Problem]) -> Decimal | None:
    if given is None:
        return None
    try:
        least = parse_decimal(given)
    except ValueError:
        least = Decimal(-1)
    if not 0 < least <= _MOST_THRESHOLD:
        message = f"routing.min_threshold must be a number such as 0.9 (90 %), got {str(given)[:40]!r}"
        problems.append(Problem("routing.min_threshold", "out_of_range", message))
        return None
    return least


def _choice(choices: Any, name: str, given: Any, problems: list[Problem]) -> Any:
    if given is None:
        return None
    if given not in tuple(choices):
        message = f"routing.{name} must be one of {', '.join(choices)}, got {str(given)[:40]!r}"
        problems.append(Problem(f"routing.{name}", "invalid_value", message))
        return None
    return choices(given)


def _texts(field: str, given: Any, problems: list[Problem], *, most: int) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        problems.append(Problem(field, "invalid_type", f"{field} must be a list of texts"))
        return ()
    if len(given) > most:
        problems.append(Problem(field, "too_many", f"{field} has {len(given)} entries; the limit is {most}"))
        return ()
    for text in given:
        if fault := text_fault(text):
            problems.append(Problem(field, fault[0], f"a text in {field} {fault[1]}"))
    return tuple(given)


def channel_json(channel: Channel) -> dict[str, Any]:
    """A channel for people and the audit trail: everything but its secret."""
    return {
        "kind": channel.kind.value,
        "name": channel.name,
        "events": list(events_of(channel)),
        "routing": routing_json(channel.routing),
        "enabled": channel.enabled,
        **channel.config,
    }


def events_of(channel: Channel) -> tuple[str, ...]:
    """What a channel is told, said out."""
    return channel.events or default_events(ChannelKind(channel.kind))


def routing_json(routing: Routing) -> dict[str, Any]:
    """Routing as the document that `read_routing` reads."""
    return {
        "budgets": list(routing.budgets),
        "min_threshold": routing.min_threshold,
        "severity": None if routing.severity is None else routing.severity.value,
        "escalation": routing.escalation.value,
    }
