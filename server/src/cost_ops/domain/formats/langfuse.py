"""Langfuse: exported observations, from its API, its user interface or its scheduled export.

Only generations and embeddings use a model. Keys of `usageDetails` are buckets that exclude each other, and every key
with `input` in its name is input, every one with `output` output: Langfuse's documentation of token and cost tracking,
and its maintainers in langfuse/langfuse issue 10592. A sender that counted the cache twice shows where the stated total
is input + output alone. `costDetails` is worked out by Langfuse or by the sender, so it goes into the metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_ops.domain.formats.identities import ledger_key
from cost_ops.domain.formats.models import maker, served
from cost_ops.domain.formats.reading import Format, Told, each, present, usage_record
from cost_ops.domain.formats.values import (
    amount,
    elapsed_ms,
    instant,
    is_count,
    label,
    labels,
    mapping,
    text,
    whole,
    words,
)
from cost_ops.domain.records_file import Found, Item
from cost_ops.domain.text import split_tag

_COUNTED_TYPES = frozenset({"GENERATION", "EMBEDDING"})
_TYPES = _COUNTED_TYPES | {"SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL"}

_BUCKETS: dict[str, str] = {
    "input_cached_tokens": "cached_tokens",
    "input_cache_read": "cached_tokens",
    "input_cache_read_tokens": "cached_tokens",
    "cache_read_input_tokens": "cached_tokens",
    "cached_tokens": "cached_tokens",
    "input_cache_creation": "cache_write_tokens",
    "input_cache_creation_5m": "cache_write_tokens",
    "input_cache_creation_tokens": "cache_write_tokens",
    "input_cache_write": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "input_cache_creation_1h": "cache_write_1h_tokens",
    "ephemeral_5m_input_tokens": "cache_write_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "input_audio": "input_audio_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "input_image_tokens": "input_image_tokens",
    "input_video_tokens": "input_video_tokens",
    "output_reasoning": "reasoning_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "output_audio": "output_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "output_image_tokens": "output_image_tokens",
    "output_video_tokens": "output_video_tokens",
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
}
_TOTALS = frozenset({"total", "total_tokens"})
_UNITS = {
    "CHARACTERS": ("characters", Decimal(1)),
    "IMAGES": ("images", Decimal(1)),
    "REQUESTS": ("requests", Decimal(1)),
    "SECONDS": ("seconds", Decimal(1)),
    "MILLISECONDS": ("seconds", Decimal("0.001")),
}
_OLD_NAMES = {
    "input": ("promptTokens", "inputUsage", "prompt_tokens", "input_usage"),
    "output": ("completionTokens", "outputUsage", "completion_tokens", "output_usage"),
    "total": ("totalTokens", "totalUsage", "total_tokens", "total_usage"),
}


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per generation or embedding; other observations are skipped."""
    return each(items, lambda item, row: _record(item.place, row, told))


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value is an observation: of a trace, of a known type, with Langfuse's times."""
    return any(_get(v, "traceId") is not None and "type" in v and _get(v, "startTime") is not None for v in values)


def _get(row: Mapping[str, Any], name: str) -> Any:
    """A field by its name in the API, or in snake case as scheduled exports have it."""
    if name in row:
        return row[name]
    return row.get("".join(f"_{c.lower()}" if c.isupper() else c for c in name))


def _record(place: int, row: Mapping[str, Any], told: Told) -> Found:
    kind = (text(row.get("type")) or "GENERATION").upper()
    if kind not in _COUNTED_TYPES:
        return Found(
            place, {}, skipped="not a call of a model" if kind in _TYPES else f"of the unknown type {kind[:40]}"
        )
    usage = _usage(row)
    if not usage:
        return Found(place, {}, skipped="without usage")
    host = served(text(_get(row, "providedModelName")) or text(row.get("model")) or told.model or "")
    start = instant(_get(row, "startTime"))
    note = usage.pop("note", None)
    fields = {
        "provider": host.provider or told.provider or maker(host.model_id),
        "model_id": host.model_id or None,
        "region": host.region,
        "timestamp": start,
        "latency_ms": elapsed_ms(start, instant(_get(row, "endTime"))),
        "idempotency_key": ledger_key("langfuse", text(row.get("id"))),
        "user_id": text(_get(row, "userId")),
        "session_id": text(_get(row, "sessionId")),
        "project_id": text(_get(row, "projectId")),
        "tags": _tags(row),
        "metadata": present(
            {
                "langfuse_cost": _cost(row),
                "trace_id": text(_get(row, "traceId")),
                "name": label(row.get("name")),
                "counting_note": note,
            }
        ),
        **usage,
    }
    return usage_record(place, fields)


def _usage(row: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of an observation as fields; empty where it has none."""
    details = {name: whole(count) for name, count in mapping(_get(row, "usageDetails")).items()}
    details = {name: count for name, count in details.items() if count}
    if not details:
        return _old_usage(row)
    counts: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0}
    unplaced = []
    for name, count in details.items():
        if name in _TOTALS:
            continue
        field = _BUCKETS.get(name) or _side(name)
        if field is None:
            unplaced.append(name)
        elif not is_count(count):
            counts[field] = count
        elif is_count(counts.get(field, 0)):
            counts[field] = counts.get(field, 0) + count
    return _counted(counts, details, unplaced)


def _side(name: str) -> str | None:
    """Langfuse's own rule for names that it does not know."""
    if "input" in name or "prompt" in name:
        return "input_tokens"
    return "output_tokens" if "output" in name or "completion" in name or "candidates" in name else None


def _counted(counts: dict[str, Any], details: Mapping[str, Any], unplaced: Sequence[str]) -> dict[str, Any]:
    """The counts with the convention that they were written in; `note` says where they do not keep to Langfuse's."""
    total = next((details[name] for name in _TOTALS if name in details), None)
    plain = all(map(is_count, counts.values()))
    if not any(counts.values()):
        return {"total_tokens": total} if total else {}
    if plain and total == counts["input_tokens"] + counts["output_tokens"] != sum(counts.values()):
        note = "the total is input + output: cached or reasoning tokens were taken as inside them"
        return counts | {"counting": "inclusive", "estimated": True, "note": note}
    if unplaced:
        names = ", ".join(sorted(unplaced)[:10])
        return counts | {"counting": "exclusive", "estimated": True, "note": f"neither input nor output: {names[:200]}"}
    return counts | {"counting": "exclusive"}


def _old_usage(row: Mapping[str, Any]) -> dict[str, Any]:
    """`usage` with its unit, or the columns beside it, as versions before usage details had them."""
    stated = mapping(row.get("usage"))
    # In an observation itself `input` and `output` are what was said, not how many tokens it was.
    counts = {side: _old_count(stated, (side, *names)) or _old_count(row, names) for side, names in _OLD_NAMES.items()}
    unit = _UNITS.get((text(stated.get("unit")) or "TOKENS").upper())
    if unit is not None:
        quantity = counts["total"] or sum(c for s, c in counts.items() if s != "total" and is_count(c))
        return {unit[0]: whole(quantity * unit[1])} if is_count(quantity) and quantity else {}
    if counts["input"] or counts["output"]:
        return {"input_tokens": counts["input"] or 0, "output_tokens": counts["output"] or 0}
    return {"total_tokens": counts["total"]} if counts["total"] else {}


def _old_count(stated: Mapping[str, Any], names: Sequence[str]) -> Any:
    values = (whole(stated.get(name)) for name in names)
    return next((v for v in values if v is not None and not isinstance(v, Mapping | list)), None)


def _cost(row: Mapping[str, Any]) -> str | None:
    stated = mapping(_get(row, "costDetails")).get("total")
    candidates = (stated, _get(row, "totalCost"), _get(row, "calculatedTotalCost"))
    return next((found for value in candidates if (found := amount(value)) is not None), None)


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    tags = dict(split_tag(word) for word in words(row.get("tags")))
    environment = text(row.get("environment"))
    return labels(({"env": environment} if environment else {}) | tags)


FORMAT = Format("langfuse", "Langfuse observations", convert, recognises, lists=("data", "logs", "observations"))
