"""Responses as each provider API returns them, about a kilobyte each, with counts that are known beforehand.

Field names and what each count includes: the providers' SDK types and documentation, as docs/reference/usage-shapes.md
names them. `Counts` is the truth; each function here says it the way its provider would.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_TEXT = (
    "The quarterly report shows that revenue grew by eleven percent while the cost of delivery fell for the third time "
    "in a row. Most of the growth came from customers who joined in spring; the older ones bought about as much as "
    "before. Returns are lower than a year ago, and so is the number of open complaints. Two regions stand out: the "
    "north, where the new warehouse halved the time to deliver, and the coast, where a competitor left the market. "
    "What remains to be explained is the drop in July, which the figures by week suggest was caused by the holidays."
)


class Counts(NamedTuple):
    """Disjoint token counts of a call. `written` lives for the provider's usual time, `written_1h` for an hour."""

    fresh: int
    cached: int
    written: int
    written_1h: int
    tool: int
    output: int
    reasoning: int


def openai_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Cached and written tokens inside `prompt_tokens`, reasoning inside `completion_tokens`."""
    usage = _inclusive(counts)
    usage["prompt_tokens_details"] |= {"audio_tokens": 0, "cache_write_tokens": counts.written}
    usage["completion_tokens_details"] |= {
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    return _chat(model, f"chatcmpl-{name}", usage) | {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"}


def azure_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As OpenAI's, with what the content filter found."""
    response = _chat(model, f"chatcmpl-{name}", _inclusive(counts))
    filtered = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}
    response["choices"][0]["content_filter_results"] = filtered
    return response | {"system_fingerprint": "fp_44709d6fcb"}


def mistral_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As OpenAI's."""
    return _chat(model, name, _inclusive(counts))


def deepseek_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As OpenAI's, hits and misses of the cache beside it."""
    usage = _inclusive(counts)
    usage |= {
        "prompt_cache_hit_tokens": counts.cached,
        "prompt_cache_miss_tokens": counts.fresh,
    }
    return _chat(model, name, usage)


def deepseek_before(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As DeepSeek answered before it took over `prompt_tokens_details`, and as copies of its API still do."""
    response = deepseek_chat(counts, model, name)
    del response["usage"]["prompt_tokens_details"]
    return response


def groq_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As OpenAI's, with the times that it took."""
    usage = {"queue_time": 0.0371, "prompt_time": 0.0125, "completion_time": 0.2412, "total_time": 0.2537}
    response = _chat(model, f"chatcmpl-{name}", usage | _inclusive(counts))
    return response | {"service_tier": "on_demand", "x_groq": {"id": f"req_{name}"}}


def xai_chat(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Reasoning stands beside `completion_tokens` here."""
    usage = _inclusive(counts)
    usage["completion_tokens"] = counts.output
    usage["num_sources_used"] = 0
    return _chat(model, name, usage)


def openai_responses(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Cached and written tokens inside `input_tokens`, reasoning inside `output_tokens`."""
    response = _responses(counts, model, name)
    details = response["usage"]["input_tokens_details"]
    details["cache_write_tokens"] = counts.written
    details["cache_write_tokens_details"] = {"ttl_30m_tokens": counts.written, "ttl_12h_tokens": 0}
    return response | {"service_tier": "default"}


def xai_responses(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As OpenAI's: reasoning inside `output_tokens`, the opposite of xAI's own chat API."""
    return _responses(counts, model, name)


def anthropic_messages(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """`input_tokens` are those that touched no cache; there is no total."""
    return {
        "id": f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": counts.fresh,
            "cache_creation_input_tokens": counts.written + counts.written_1h,
            "cache_read_input_tokens": counts.cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": counts.written,
                "ephemeral_1h_input_tokens": counts.written_1h,
            },
            "output_tokens": counts.output + counts.reasoning,
            "output_tokens_details": {"thinking_tokens": counts.reasoning},
            "service_tier": "standard",
        },
    }


def anthropic_compacted(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """A compaction ran before the message: `iterations` has both, the totals only the message."""
    response = anthropic_messages(counts, model, name)
    usage = response["usage"]
    compaction = {"input_tokens": counts.fresh // 3, "output_tokens": counts.output // 4}
    message = {name: usage[name] - compaction.get(name, 0) for name in ("input_tokens", "output_tokens")}
    usage |= message
    caches = ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation")
    usage["iterations"] = [
        {"type": "compaction", **compaction, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
        {"type": "message", **message, **{name: usage[name] for name in caches}},
    ]
    return response


def vertex_claude(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Anthropic's own body, the model named as Anthropic names it."""
    return anthropic_messages(counts, model.replace("@", "-"), f"vrtx_{name}")


def bedrock_claude(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Anthropic's own body, which names the model as Anthropic does, not as it was asked for on Bedrock."""
    served = model.partition("anthropic.")[2].removesuffix("-v1:0")
    response = anthropic_messages(counts, served, f"bdrk_{name}")
    del response["usage"]["service_tier"]
    return response


def bedrock_converse(counts: Counts, _model: str, name: str) -> dict[str, Any]:
    """`inputTokens` without the cache, `totalTokens` with it; no model, no reasoning."""
    written = counts.written + counts.written_1h
    prompt = counts.fresh + counts.cached + written
    lifetimes = [{"ttl": "5m", "inputTokens": counts.written}, {"ttl": "1h", "inputTokens": counts.written_1h}]
    usage = {
        "inputTokens": counts.fresh,
        "outputTokens": counts.output + counts.reasoning,
        "totalTokens": prompt + counts.output + counts.reasoning,
        "cacheReadInputTokens": counts.cached,
        "cacheWriteInputTokens": written,
    }
    return {
        "ResponseMetadata": {"RequestId": name, "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": _TEXT}]}},
        "stopReason": "end_turn",
        "usage": usage | ({"cacheDetails": [ttl for ttl in lifetimes if ttl["inputTokens"]]} if written else {}),
        "metrics": {"latencyMs": 2417},
    }


def google_generate(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """Thinking and the prompts of tools stand beside the prompt and the candidates."""
    prompt = counts.fresh + counts.cached
    usage: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": counts.output,
        "totalTokenCount": prompt + counts.tool + counts.output + counts.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if counts.cached:
        usage["cachedContentTokenCount"] = counts.cached
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": counts.cached}]
    if counts.tool:
        usage["toolUsePromptTokenCount"] = counts.tool
        usage["toolUsePromptTokensDetails"] = [{"modality": "TEXT", "tokenCount": counts.tool}]
    if counts.reasoning:
        usage["thoughtsTokenCount"] = counts.reasoning
    return {
        "candidates": [
            {"content": {"parts": [{"text": _TEXT}], "role": "model"}, "finishReason": "STOP", "index": 0},
        ],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": name,
    }


def vertex_generate(counts: Counts, model: str, name: str) -> dict[str, Any]:
    """As the Gemini API's, with the kind of traffic and the candidates by modality."""
    response = google_generate(counts, model, name)
    response["usageMetadata"] |= {
        "trafficType": "ON_DEMAND",
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": counts.output}],
    }
    return response


def cohere_chat(counts: Counts, _model: str, name: str) -> dict[str, Any]:
    """`billed_units` are billed; `tokens` are more, as the model's own preamble is among them. Numbers are floats."""
    return {
        "id": name,
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": _TEXT}]},
        "usage": {
            "billed_units": {"input_tokens": float(counts.fresh), "output_tokens": float(counts.output)},
            "tokens": {"input_tokens": float(counts.fresh + 495), "output_tokens": float(counts.output + 2)},
        },
    }


def _inclusive(counts: Counts) -> dict[str, Any]:
    prompt = counts.fresh + counts.cached + counts.written
    completion = counts.output + counts.reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    }


def _chat(model: str, name: str, usage: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": _TEXT, "refusal": None, "annotations": []}
    return {
        "id": name,
        "object": "chat.completion",
        "created": 1_795_176_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    }


def _responses(counts: Counts, model: str, name: str) -> dict[str, Any]:
    prompt = counts.fresh + counts.cached + counts.written
    completion = counts.output + counts.reasoning
    content = [{"type": "output_text", "text": _TEXT, "annotations": []}]
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": 1_795_176_000,
        "status": "completed",
        "model": model,
        "output": [
            {"type": "message", "id": f"msg_{name}", "status": "completed", "role": "assistant", "content": content}
        ],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": counts.cached},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": counts.reasoning},
            "total_tokens": prompt + completion,
        },
    }
