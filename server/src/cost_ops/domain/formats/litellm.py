"""LiteLLM: rows of its `LiteLLM_SpendLogs` table, and the `StandardLoggingPayload` that it hands to callbacks.

Field names and meanings: `SpendLogsPayload`, `StandardLoggingPayload` and `Usage` of litellm 1.106 (MIT). Its usage
object has OpenAI's form for every provider, and `prompt_tokens` includes tokens read from and written to a cache. Its
`spend` is worked out by LiteLLM, so it is no statement of the provider's: it goes into the metadata, to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_ops.domain.errors import Problem
from cost_ops.domain.formats.identities import ledger_key, provider_response_id
from cost_ops.domain.formats.models import maker, served
from cost_ops.domain.formats.reading import Format, Told, each, present, usage_record
from cost_ops.domain.formats.values import (
    amount,
    elapsed_ms,
    flag,
    instant,
    is_count,
    labels,
    mapping,
    nested,
    text,
    whole,
    words,
)
from cost_ops.domain.money import format_decimal
from cost_ops.domain.records_file import Found, Item
from cost_ops.domain.text import split_tag

GATEWAY = "litellm"
"""Who served an answer that came out of LiteLLM's own cache: no provider was called, and none is paid."""

_DETAILS = {
    "input_audio_tokens": ("prompt_tokens_details", "audio_tokens"),
    "input_image_tokens": ("prompt_tokens_details", "image_tokens"),
    "input_video_tokens": ("prompt_tokens_details", "video_tokens"),
    "reasoning_tokens": ("completion_tokens_details", "reasoning_tokens"),
    "output_audio_tokens": ("completion_tokens_details", "audio_tokens"),
    "output_image_tokens": ("completion_tokens_details", "image_tokens"),
    "output_video_tokens": ("completion_tokens_details", "video_tokens"),
}
_MODALITIES = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_READS = frozenset({"get_responses", "delete_responses", "cancel_responses", "list_input_items"})
"""Calls that repeat the usage of the response that they read. A background response is paid when it is read."""

_BATCHES = frozenset({"retrieve_batch", "create_batch"})
_CACHE_READ = (("prompt_tokens_details", "cached_tokens"), ("cache_read_input_tokens",))
_CACHE_WRITTEN = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)
_WRITTEN_1H = ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens")
_SEARCHES = (("server_tool_use", "web_search_requests"), ("prompt_tokens_details", "web_search_requests"))


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per row or payload; failed calls without usage are skipped."""
    return each(items, lambda item, row: _record(item.place, row, told))


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value has the columns of spend logs, or the fields of a callback payload."""
    return any("call_type" in v and ("spend" in v or "response_cost" in v) and "startTime" in v for v in values)


def _record(place: int, row: Mapping[str, Any], told: Told) -> Found:
    metadata = mapping(row.get("metadata"))
    usage = _usage(row, metadata)
    hit = flag(row.get("cache_hit"))
    if not hit and not any(is_count(count) and count for count in usage.values()):
        return _without_counts(place, row, metadata)
    call_type = (text(row.get("call_type")) or "").removeprefix("a")
    if call_type in _READS and not _spend(row):
        return Found(place, {}, skipped="reads a stored response")
    host = served(text(row.get("model")) or told.model or "", text(row.get("custom_llm_provider")))
    start, end = instant(row.get("startTime")), instant(row.get("endTime"))
    key = text(row.get("request_id")) or text(row.get("id"))
    fields = {
        "provider": host.provider or told.provider or maker(host.model_id),
        "model_id": host.model_id or None,
        "region": host.region,
        "requested_model_id": text(row.get("model_group")),
        "timestamp": start,
        "latency_ms": elapsed_ms(start, end),
        "idempotency_key": ledger_key("litellm", key),
        "response_id": None if hit else _response_id(row),
        "user_id": text(row.get("end_user")) or text(row.get("user")) or text(metadata.get("user_api_key_user_id")),
        "team_id": text(row.get("team_id")) or text(metadata.get("user_api_key_team_id")),
        "project_id": text(metadata.get("user_api_key_project_id")),
        "session_id": text(row.get("session_id")) or text(row.get("trace_id")),
        "service_tier": text(nested(mapping(row.get("response")), "service_tier")),
        "processing": "batch" if call_type in _BATCHES else None,
        "tags": _tags(row, metadata),
        "metadata": _kept(row, metadata),
    }
    if hit:
        fields |= _from_cache(fields, usage)
    else:
        fields |= usage
    return usage_record(place, fields)


def _without_counts(place: int, row: Mapping[str, Any], metadata: Mapping[str, Any]) -> Found:
    """A row that counts nothing: a failed call, or one that is paid by something else than tokens."""
    if spend := _spend(row):
        cost = format_decimal(spend)
        message = f"nothing is counted, though LiteLLM says that it cost {cost}: send it with its images or seconds"
        return Found(place, {}, [Problem("usage", "nothing_used", message)])
    failed = "failure" in (row.get("status"), metadata.get("status"))
    return Found(place, {}, skipped="failed without usage" if failed else "without usage")


def _usage(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a row: of its usage object where it has one, else of its columns."""
    stated = mapping(metadata.get("usage_object")) or mapping(nested(mapping(row.get("response")), "usage"))
    if "prompt_tokens" not in stated and "completion_tokens" not in stated:
        stated = {**mapping(metadata.get("additional_usage_values")), **row}
    counts = {
        "input_tokens": whole(stated.get("prompt_tokens")),
        "output_tokens": whole(stated.get("completion_tokens")),
        "cached_tokens": _first(stated, _CACHE_READ),
        "cache_write_tokens": _first(stated, _CACHE_WRITTEN),
        "web_searches": _first(stated, _SEARCHES),
        **{name: whole(nested(stated, *path)) for name, path in _DETAILS.items()},
    }
    return _counted(counts, whole(nested(stated, *_WRITTEN_1H)), whole(stated.get("total_tokens")))


def _counted(counts: dict[str, Any], written_1h: Any, total: Any) -> dict[str, Any]:
    """The counts with the cache writes split by lifetime, and the convention where they prove another one."""
    written = counts["cache_write_tokens"]
    if is_count(written_1h) and is_count(written) and 0 < written_1h <= written:
        counts["cache_write_tokens"], counts["cache_write_1h_tokens"] = written - written_1h, written_1h
    found = {name: count for name, count in counts.items() if count not in (None, 0)}
    if not found:
        return {"total_tokens": total} if total else {}
    found.setdefault("input_tokens", 0)
    found.setdefault("output_tokens", 0)
    cached = _sum(found, ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"))
    if is_count(found["input_tokens"]) and cached > found["input_tokens"]:
        # Early versions left the cached tokens of Anthropic out of `prompt_tokens`.
        found["counting"], found["estimated"] = "exclusive", True
    elif is_count(found["input_tokens"]) and cached + _sum(found, _MODALITIES) > found["input_tokens"]:
        # Images and audio that were read from a cache count as both, and nothing tells how many did.
        found = {name: count for name, count in found.items() if name not in _MODALITIES} | {"estimated": True}
    return found


def _sum(counts: Mapping[str, Any], names: Sequence[str]) -> int:
    counted: list[int] = [counts[name] for name in names if is_count(counts.get(name))]
    return sum(counted)


def _first(stated: Mapping[str, Any], paths: Sequence[tuple[str, ...]]) -> Any:
    """The first count that is not zero; the same number often stands in several places."""
    return next((count for path in paths if (count := whole(nested(stated, *path)))), None)


def _from_cache(fields: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, Any]:
    """An answer out of LiteLLM's cache: a request that cost nothing, and what it would have used."""
    saved = {f"litellm_{name}": count for name, count in usage.items() if name in ("input_tokens", "output_tokens")}
    return {
        "provider": GATEWAY,
        "requests": 1,
        "reported_cost": "0",
        "tags": {**(fields["tags"] or {}), "cache_hit": "true"},
        "metadata": {**fields["metadata"], **saved},
    }


def _response_id(row: Mapping[str, Any]) -> str | None:
    """The provider's response id, which is also a spend log's own unless the provider gave none."""
    stated = text(nested(mapping(row.get("response")), "id")) or text(row.get("request_id")) or text(row.get("id"))
    return provider_response_id(stated)


def _tags(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    tags = dict(split_tag(word) for word in words(row.get("request_tags")))
    alias = text(metadata.get("user_api_key_alias"))
    return labels(({"litellm_key": alias} if alias else {}) | tags)


def _spend(row: Mapping[str, Any]) -> Decimal:
    """What LiteLLM says that a row cost; 0 where it says nothing."""
    stated = row.get("spend") if row.get("spend") is not None else row.get("response_cost")
    return Decimal(amount(stated) or 0)


def _kept(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    spend = row.get("spend") if row.get("spend") is not None else row.get("response_cost")
    return present(
        {
            "litellm_spend": amount(spend),
            "litellm_saved": amount(row.get("saved_cache_cost")) if flag(row.get("cache_hit")) else None,
            "call_type": text(row.get("call_type")),
            "litellm_key_hash": text(row.get("api_key")) or text(metadata.get("user_api_key_hash")),
        }
    )


FORMAT = Format("litellm", "LiteLLM spend logs", convert, recognises, lists=("data", "logs", "observations"))
