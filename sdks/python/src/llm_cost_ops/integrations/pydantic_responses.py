"""What a response of Pydantic AI tells of a call of a model, as a usage record: counts and names, no content."""

from __future__ import annotations

from typing import Any, Optional

from llm_cost_ops.exceptions import CostOpsError

_PROVIDERS = {
    "google-gla": "google",
    "google-vertex": "google",
    "google-cloud": "google",
    "bedrock": "aws",
    "openai-codex": "openai",
}
"""Their names of who bills → the ledger's; others are the same."""
_NOBODY = {"test", "function"}
"""Models of tests, which nobody bills."""
_WRITES_LAST_DIFFERENTLY = {"anthropic", "aws"}
"""Who has two prices of cache writes, by their lifetime, which is not told here."""
_SHORTEST_ID = 16
"""Shorter ids are not unique."""


class NoUsageTold(CostOpsError):
    """A call ended, and nothing is known of its tokens: what it cost is not known."""


def record_of(response: Any, model: Any, provider: Optional[str], *, streamed: bool) -> Optional[dict[str, Any]]:
    """The fields of a usage record; None for a model that nobody bills. Raises NoUsageTold where counts are not told.

    `input_tokens` includes what was read from caches and written to them, for every provider, as the ledger's does.
    """
    by = str(response.provider_name or model.system)
    if by in _NOBODY:
        return None
    by = provider or _PROVIDERS.get(by, by)
    served = response.model_name or model.model_name
    counts = _counts(response.usage)
    if not counts.get("input_tokens") and not counts.get("output_tokens"):
        raise NoUsageTold(f"{by} said nothing of the usage of {served}, or the stream was left before it did")
    record: dict[str, Any] = {"provider": by, "model_id": served, **counts}
    if model.model_name != served:
        record["requested_model_id"] = model.model_name
    if len(response.provider_response_id or "") >= _SHORTEST_ID:
        record["response_id"] = response.provider_response_id
    tier = (response.provider_details or {}).get("service_tier")
    if isinstance(tier, str) and tier != "auto":
        record["service_tier"] = tier
    unknown_lifetime = by in _WRITES_LAST_DIFFERENTLY and "cache_write_tokens" in counts
    if unknown_lifetime or (streamed and response.finish_reason is None):
        record["estimated"] = True
    return record


def _counts(usage: Any) -> dict[str, int]:
    details = usage.details or {}
    told = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "output_audio_tokens": getattr(usage, "output_audio_tokens", 0),
        "reasoning_tokens": details.get("reasoning_tokens"),
        "web_searches": getattr(usage, "web_searches", None) or details.get("web_search_requests"),
    }
    always = {"input_tokens", "output_tokens"}
    return {name: int(count) for name, count in told.items() if count or (name in always and count is not None)}
