"""Spans of model calls as usage: attributes in, the fields of a usage record out, or None for what is no billed call.

Only spans that are a call themselves count; those that group calls repeat their sums.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import from_us
from cost_ops.domain.span_counting import Counted, counted
from cost_ops.domain.span_emitters import counts_exclusively
from cost_ops.domain.span_names import (
    CALL_ENDINGS,
    CALL_KINDS,
    COUNTS,
    EMBEDDINGS,
    NOT_CALLS,
    OPERATION_REQUIRED,
    PLACES,
    TAG_LIST,
    TAG_PREFIX,
)
from cost_ops.domain.span_providers import FRAMEWORKS, host_of, maker_of, plain_provider
from cost_ops.domain.submitted import MAX_LATENCY_MS
from cost_ops.domain.text import split_tag, text_fault

SHORTEST_RESPONSE_ID = 16
"""Characters from which a response's id is taken for unique: local servers give short ones again and again (Ollama's
are `chatcmpl-` and a number below 1000), and calls that share an id would count once.
"""

_TRACE_ID, _SPAN_ID = re.compile("(?!0{32})[0-9a-f]{32}"), re.compile("(?!0{16})[0-9a-f]{16}")
_NOISE = "ls_"
"""What LangChain adds to everybody's metadata: provider, model and kind once more."""

_TAGS = {"service": "service", "env": "env"}


class Resource(NamedTuple):
    """What the sender says of itself once for all its spans."""

    organization_id: str | None = None
    project_id: str | None = None
    team_id: str | None = None
    tags: Mapping[str, str] = {}


class Span(NamedTuple):
    """One span. Ids are lower-case hex, times nanoseconds since 1970 (0: not said); `attributes` may leave out all that
    is not in `span_names.KNOWN` and no tag.
    """

    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    scope_name: str = ""
    scope_version: str = ""
    resource: Resource = Resource()


class _Found(NamedTuple):
    """An attribute that was taken: how many names would have come before it, its name, its value."""

    rank: int
    name: str
    value: Any


_Fields = Mapping[str, _Found]


def read_resource(attributes: Mapping[str, Any]) -> Resource:
    """The part of a resource's attributes that says whose the usage is and how it is tagged."""
    found = _found(attributes)
    tags = _tags_of(attributes)
    for field, key in _TAGS.items():
        if (value := _text(found, field)) is not None:
            tags.setdefault(key, value)
    return Resource(_text(found, "organization_id"), _text(found, "project_id"), _text(found, "team_id"), tags)


def usage_of(span: Span) -> dict[str, Any] | None:
    """The usage record that a span describes, as `POST /api/v1/usage` has it; None where it is no billed call.

    Raises InvalidInput with every fault of a span that is one.
    """
    attributes = span.attributes
    if not _is_call(attributes, span.scope_name):
        return None
    found = _found(attributes)
    problems: list[Problem] = []
    counts = {field: count for field in COUNTS.keys() & found.keys() if (count := _count(found[field], problems))}
    if not counts and not problems:
        return None
    usage = _whose(span, found)
    usage["idempotency_key"] = _key(span, problems)
    _name_model(usage, found, problems)
    if problems:
        raise InvalidInput(problems)
    provider = _text(found, "provider") or ""
    exclusive = counts_exclusively(span.scope_name, span.scope_version, provider, attributes)
    embedding = (_text(found, "operation") or "") in EMBEDDINGS
    return _with_counts(usage, counted(counts, exclusive=exclusive, embedding=embedding))


def _is_call(attributes: Mapping[str, Any], scope: str) -> bool:
    """Whether a span is a call, as far as its kind says: most instrumentations have one attribute for that."""
    for name, kinds in CALL_KINDS.items():
        if name in attributes and _lower(attributes[name]) not in kinds:
            return False
    for name, kinds in NOT_CALLS.items():
        if name in attributes and _lower(attributes[name]) in kinds:
            return False
    for name, endings in CALL_ENDINGS.items():
        if name in attributes and not _lower(attributes[name]).endswith(endings):
            return False
    return scope not in OPERATION_REQUIRED or "gen_ai.operation.name" in attributes


def _lower(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""


def _found(attributes: Mapping[str, Any]) -> dict[str, _Found]:
    """Field → the attribute that is taken for it. Empty values and the names of frameworks give way to later ones."""
    found: dict[str, _Found] = {}
    for name, value in attributes.items():
        place = PLACES.get(name)
        if place is None or value is None or value == "":
            continue
        field, rank = place
        if field == "provider" and _lower(value) in FRAMEWORKS:
            continue
        held = found.get(field)
        if held is None or rank < held.rank:
            found[field] = _Found(rank, name, value)
    return found


def _count(found: _Found, problems: list[Problem]) -> int | None:
    """A token count: a whole number, however it is written. How large it may be is the record's own rule."""
    value = found.value
    if value.__class__ is int and value >= 0:
        return int(value)
    whole = isinstance(value, float) and value.is_integer()
    if whole or (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        shown = str(value)[:40] if isinstance(value, str | float | bool) else "something else"
        problems.append(Problem(found.name, "not_integer", f"{found.name} must be a whole number, got {shown!r}"))
        return None
    if value < 0:
        problems.append(Problem(found.name, "negative", f"{found.name} must not be negative, got {value}"))
        return None
    return value


def _text(found: _Fields, field: str) -> str | None:
    """A text attribute; numbers are written out, because ids are often kept as such."""
    held = found.get(field)
    if held is None:
        return None
    value = held.value
    if value.__class__ is str:
        return value.strip() or None
    return str(value) if value.__class__ is int else None


def _whose(span: Span, found: _Fields) -> dict[str, Any]:
    """Everything but counts and names: whose usage it is, when it was, how it is tagged."""
    resource = span.resource
    usage: dict[str, Any] = {
        "organization_id": resource.organization_id,
        "project_id": _text(found, "project_id") or resource.project_id,
        "team_id": _text(found, "team_id") or resource.team_id,
        "session_id": _text(found, "session_id"),
        "user_id": _text(found, "user_id"),
        "service_tier": _text(found, "response_tier") or _text(found, "request_tier"),
    }
    started = span.start_ns or span.end_ns
    if started:
        usage["timestamp"] = from_us(started // 1000)
    latency_ms = (span.end_ns - span.start_ns) // 1_000_000
    if span.start_ns and 0 <= latency_ms <= MAX_LATENCY_MS:
        usage["latency_ms"] = latency_ms
    usage["tags"] = {**resource.tags, **_tags_of(span.attributes)} or None
    usage["metadata"] = _metadata(_text(found, "metadata"))
    return usage


def _key(span: Span, problems: list[Problem]) -> str:
    for name, pattern in (("trace_id", _TRACE_ID), ("span_id", _SPAN_ID)):
        value = getattr(span, name)
        if not pattern.fullmatch(value):
            digits = 32 if name == "trace_id" else 16
            message = f"{name} must be {digits // 2} bytes that are not all zero, got {value[:40]!r}"
            problems.append(Problem(name, "invalid_value", message))
    return f"otel:{span.trace_id}:{span.span_id}"


def _name_model(usage: dict[str, Any], found: _Fields, problems: list[Problem]) -> None:
    """Who was called, and which model answered."""
    asked, answered = _text(found, "request_model"), _text(found, "response_model")
    model = answered or asked
    if model is None:
        message = "the span states tokens but no model: gen_ai.response.model or gen_ai.request.model is needed"
        problems.append(Problem("gen_ai.response.model", "missing_required_field", message))
    usage["model_id"] = model
    usage["requested_model_id"] = asked if asked != model else None
    response_id = _text(found, "response_id")
    usage["response_id"] = response_id if response_id and len(response_id) >= SHORTEST_RESPONSE_ID else None
    host = host_of(_text(found, "host") or "")
    usage["region"] = _text(found, "region") or host.region
    stated = _text(found, "provider")
    provider = host.provider or (plain_provider(stated) if stated else None)
    if provider is None and model is not None and (provider := maker_of(model)) is not None:
        usage["estimated"] = True
        usage["metadata"] = {
            **(usage["metadata"] or {}),
            "provider_note": "no provider is named; this one offers models of that name",
        }
    if provider is None:
        message = "the span states tokens but no provider: gen_ai.provider.name is needed"
        problems.append(Problem("gen_ai.provider.name", "missing_required_field", message))
    usage["provider"] = provider


def _with_counts(usage: dict[str, Any], counts: Counted) -> dict[str, Any]:
    usage.update(counts.fields)
    if counts.estimated:
        usage["estimated"] = True
    if counts.notes:
        usage["metadata"] = {**(usage["metadata"] or {}), "counting_note": "; ".join(counts.notes)}
    return {name: value for name, value in usage.items() if value is not None}


def _tags_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    words = attributes.get(TAG_LIST)
    if isinstance(words, list):
        tags.update(split_tag(word) for word in words if isinstance(word, str) and word)
    for name, value in attributes.items():
        if name.startswith(TAG_PREFIX):
            tags[name[len(TAG_PREFIX) :]] = value
    return tags


def _metadata(text: str | None) -> dict[str, Any] | None:
    """The plain values of a span's JSON metadata; what is no object is left out: it decides no amount."""
    if text is None or len(text) > 2048:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    plain = {k: v for k, v in value.items() if not (k.startswith(_NOISE) or text_fault(k)) and _is_plain(v)}
    return plain or None


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return text_fault(value, 2048) is None
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63)
