"""The fields of a usage record as sent, and the check of untrusted values that names every fault of type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Context, Decimal
from difflib import get_close_matches
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.money import parse_decimal
from cost_ops.domain.periods import parse_instant
from cost_ops.domain.usage import MAX_TOKENS, FlatCounts

MAX_LATENCY_MS = 2**31 - 1
MAX_REPORTED = Decimal(10_000_000)
_FINEST = Decimal("1E-18")
_EXACT = Context(prec=60)
"""Wide enough for the largest number with the finest decimals."""

TEXT_FIELDS = (
    "organization_id",
    "provider",
    "model_id",
    "idempotency_key",
    "request_id",
    "response_id",
    "requested_model_id",
    "project_id",
    "user_id",
    "team_id",
    "session_id",
    "service_tier",
    "processing",
    "region",
    "counting",
    "currency",
)
TOKEN_FIELDS = (*(f.name for f in fields(FlatCounts)), "prompt_tokens", "completion_tokens")
DECIMAL_COUNTERS = frozenset({"seconds", "search_units"})


@dataclass(slots=True)
class Submitted:
    """The fields of one usage record as sent, types already right; None where not sent."""

    organization_id: str | None = None
    provider: str | None = None
    model_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_video_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    output_video_tokens: int | None = None
    requests: int | None = None
    web_searches: int | None = None
    web_fetches: int | None = None
    file_searches: int | None = None
    code_sessions: int | None = None
    search_units: Decimal | None = None
    pages: int | None = None
    seconds: Decimal | None = None
    characters: int | None = None
    images: int | None = None
    timestamp: datetime | None = None
    counting: str | None = None
    idempotency_key: str | None = None
    request_id: str | None = None
    response_id: str | None = None
    requested_model_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    session_id: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    latency_ms: int | None = None
    reported_cost: Decimal | None = None
    currency: str | None = None
    default_pricing: dict[str, Any] | None = None
    tags: Any = None
    metadata: Any = None
    usage: Any = None
    response: Any = None
    estimated: bool | None = None


FIELD_NAMES = tuple(f.name for f in fields(Submitted))
PAYLOAD_FIELDS = ("usage", "response")
"""A provider's own usage object, or its whole response (or the events of its stream), as returned."""
_AS_SENT = ("tags", "metadata", "default_pricing", *PAYLOAD_FIELDS)


def read_fields(item: Any) -> tuple[Submitted, list[Problem]]:
    """The fields of one record from untrusted values, and every fault of type that was found."""
    problems: list[Problem] = []
    sent = Submitted()
    if not isinstance(item, Mapping):
        return sent, [Problem("", "invalid_type", "a usage record must be a JSON object")]
    for name, value in item.items():
        if value is None:
            continue
        if name in FIELD_NAMES:
            setattr(sent, name, _read(name, value, problems))
        else:
            problems.append(_unknown(str(name)))
    return sent, problems


def _read(name: str, value: Any, problems: list[Problem]) -> Any:
    if name in _AS_SENT:
        return value
    if name in TEXT_FIELDS:
        return _read_as(str, "a text", name, value, problems)
    if name == "estimated":
        return _read_as(bool, "true or false", name, value, problems)
    if name == "timestamp":
        return _read_timestamp(value, problems)
    if name == "reported_cost" or name in DECIMAL_COUNTERS:
        return _read_decimal(name, value, problems)
    return _read_count(name, value, problems)


def _read_as(kind: type, described: str, name: str, value: Any, problems: list[Problem]) -> Any:
    if isinstance(value, kind):
        return value
    problems.append(Problem(name, "invalid_type", f"{name} must be {described}, got {_shown(value)}"))
    return None


def _unknown(name: str) -> Problem:
    near = get_close_matches(name, (*FIELD_NAMES, "model"), n=1, cutoff=0.7)
    hint = f"; did you mean {'model_id' if near[0] == 'model' else near[0]}?" if near else ""
    return Problem(name[:80], "unknown_field", f"{name[:80]!r} is not a field of a usage record{hint}")


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else text[:37] + "..."


def _read_count(name: str, value: Any, problems: list[Problem]) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        problems.append(Problem(name, "invalid_type", f"{name} must be a whole number, got {_shown(value)}"))
        return None
    if not isinstance(value, int):
        problems.append(Problem(name, "not_integer", f"{name} must be a whole number, got {str(value)[:40]}"))
        return None
    if value < 0:
        problems.append(Problem(name, "negative", f"{name} must not be negative, got {value}"))
        return None
    limit = MAX_LATENCY_MS if name == "latency_ms" else MAX_TOKENS
    if value > limit:
        problems.append(Problem(name, "too_large", f"{name} must be at most {limit}, got {str(value)[:40]}"))
        return None
    return value


def _read_decimal(name: str, value: Any, problems: list[Problem]) -> Decimal | None:
    try:
        number = parse_decimal(repr(value) if isinstance(value, float) else value)
    except ValueError as error:
        problems.append(Problem(name, "invalid_type", f"{name} must be a decimal number: {str(error)[:120]}"))
        return None
    limit = MAX_REPORTED if name == "reported_cost" else Decimal(MAX_TOKENS)
    if number < 0 or number > limit:
        reason = "negative" if number < 0 else "too_large"
        problems.append(Problem(name, reason, f"{name} must be between 0 and {limit}, got {str(value)[:40]}"))
        return None
    if number != number.quantize(_FINEST, context=_EXACT):
        problems.append(Problem(name, "too_precise", f"{name} must have at most 18 decimals"))
        return None
    return number


def _read_timestamp(value: Any, problems: list[Problem]) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        problems.append(
            Problem("timestamp", "invalid_type", f"timestamp must be an RFC 3339 text, got {_shown(value)}")
        )
        return None
    try:
        return parse_instant(value, "timestamp")
    except InvalidInput as error:
        problems.extend(error.problems)
        return None
