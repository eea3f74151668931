"""What a span of the OpenAI Agents SDK tells of a call of a model, as a usage record: counts and names, no content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from llm_cost_ops.exceptions import CostOpsError
from llm_cost_ops.instrumentation.hosts import provider_at
from llm_cost_ops.instrumentation.litellm_answers import asked_model, billed_by
from llm_cost_ops.instrumentation.skeletons import skeleton


class NoUsageTold(CostOpsError):
    """A call ended, and its span says nothing of its tokens: what it cost is not known."""


def record_of(span: Any, provider: Optional[str]) -> Optional[dict[str, Any]]:
    """The fields of a usage record; None where there was no answer. Raises NoUsageTold where counts are not told."""
    data = span.span_data
    response = getattr(data, "response", None)
    if response is not None and getattr(response, "usage", None) is not None:
        return {"provider": provider or "openai", "response": skeleton(response)}
    usage = _told(data.usage)
    if usage is None:
        if span.error is not None or (data.usage is None and response is None):
            return None
        raise NoUsageTold(
            f"a {data.type} span has no usage: ask for it in a stream with ModelSettings(include_usage=True)"
        )
    if data.type == "response":
        raise NoUsageTold("a response span without its data names no model: instrument() tells of such calls")
    by, model = _provider_and_model(data)
    return {"provider": provider or by, "model_id": model, "usage": usage}


def _told(usage: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """The counts; None where they are not known, which the SDK writes as zeros."""
    if not usage or not (usage.get("input_tokens") or usage.get("output_tokens")):
        return None
    return {name: value for name, value in usage.items() if name != "requests"}


def _provider_and_model(data: Any) -> tuple[str, str]:
    settings = data.model_config or {}
    model = str(data.model)
    if settings.get("model_impl") == "litellm" and "/" in model:
        about = {"custom_llm_provider": model.partition("/")[0], "model": model}
        return billed_by(about), asked_model(about) or model
    host = urlsplit(str(settings.get("base_url") or "")).hostname or ""
    return provider_at(host, "openai"), model
