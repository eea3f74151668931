"""What litellm knows of a call: who bills it, which model was asked for, and the counts.

litellm translates every provider's usage into OpenAI's form and loses some: searches, what Cohere bills. Where the
provider's own response is at hand, its own usage is told; streams have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from llm_cost_ops.instrumentation.answers import picked
from llm_cost_ops.instrumentation.measuring import Skeleton

_BILLED_BY = {
    "anthropic_text": "anthropic",
    "azure_anthropic": "azure",
    "bedrock_mantle": "aws",
    "cohere_chat": "cohere",
    "custom_openai": "openai",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "sagemaker": "aws",
    "sagemaker_chat": "aws",
    "sagemaker_nova": "aws",
    "text-completion-codestral": "mistral",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "xai": "x-ai",
}
"""litellm's name of a provider → the price catalogue's; the ledger knows the others as litellm writes them."""

_ROUTES = ("converse/", "converse_like/", "invoke/", "responses/")
"""What stands before a model to say which of a provider's APIs to use."""

_OWN_TELLS_MORE = {"anthropic", "aws", "google"}
_TELL_IN_STREAMS = {"anthropic", "aws", "google"}
"""Whose streams tell their usage without being asked; of others litellm counts itself."""

_OWN = ("id", "model", "type", "usage", "service_tier", "usageMetadata", "modelVersion", "responseId")
_UNIFIED = ("id", "model", "object", "service_tier", "usage")
_BILLED = ("billed_units", "tokens", "cached_tokens")
_PAID = {"completion", "text_completion", "embedding", "responses", "rerank", "anthropic_messages", "generate_content"}


class NotTold(Exception):
    """Nothing tells what a call used. `paid`: it is of a kind that is paid for."""

    def __init__(self, why: str, *, paid: bool) -> None:
        super().__init__(why)
        self.paid = paid


def billed_by(kwargs: Mapping[str, Any]) -> str:
    """Who bills a call."""
    name = str(kwargs.get("custom_llm_provider") or "openai")
    return _BILLED_BY.get(name, name)


def asked_model(kwargs: Mapping[str, Any]) -> Optional[str]:
    """The model that was asked for, as its provider names it."""
    model = kwargs.get("model")
    if not isinstance(model, str):
        return None
    model = model.removeprefix(f"{kwargs.get('custom_llm_provider')}/")
    for route in _ROUTES:
        model = model.removeprefix(route)
    return model


def told(kwargs: Mapping[str, Any], response: Any) -> tuple[Skeleton, Mapping[str, Any]]:
    """The skeleton of a response and further fields of its record. Raises NotTold."""
    streamed = bool(kwargs.get("stream"))
    provider = billed_by(kwargs)
    own = {} if streamed or provider not in _OWN_TELLS_MORE else _own(kwargs.get("original_response"))
    if own:
        return own, {}
    kept = picked(response, _UNIFIED)
    usage = kept.get("usage")
    if not isinstance(usage, dict):
        return _rerank(response, kwargs), {}
    if streamed or provider != "openrouter":
        usage.pop("cost", None)  # litellm's own reckoning, not the provider's
    if streamed and not any(usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")):
        raise NotTold("its stream told no usage: ask with stream_options={'include_usage': True}", paid=True)
    items = [picked(item, ("type",)) for item in getattr(response, "output", None) or ()]
    kept = {**kept, "output": items} if items else kept
    return kept, {} if _is_told(provider, kwargs, streamed=streamed) else {"estimated": True}


def _is_told(provider: str, kwargs: Mapping[str, Any], *, streamed: bool) -> bool:
    """Whether the usage is what is billed: not Cohere's larger `tokens`, nor litellm's own count of a stream."""
    if not streamed:
        return provider != "cohere"
    options = kwargs.get("stream_options") or (kwargs.get("optional_params") or {}).get("stream_options") or {}
    return provider in _TELL_IN_STREAMS or bool(options.get("include_usage"))


def _own(text: Any) -> dict[str, Any]:
    """What a provider's own response tells; nothing where it is not at hand."""
    try:
        body = json.loads(text) if isinstance(text, (str, bytes)) else text
    except ValueError:
        return {}
    if not isinstance(body, Mapping) or not (body.keys() & {"usage", "usageMetadata"}):
        return {}
    kept = picked(body, _OWN)
    queries = [len(_queries(one)) for one in body.get("candidates") or () if isinstance(one, Mapping)]
    if any(queries):
        kept["candidates"] = [{"groundingMetadata": {"webSearchQueries": [""] * max(queries)}}]
    return kept


def _queries(candidate: Mapping[str, Any]) -> list[Any]:
    return (candidate.get("groundingMetadata") or {}).get("webSearchQueries") or []


def _rerank(response: Any, kwargs: Mapping[str, Any]) -> Skeleton:
    meta = picked(picked(response, ("meta",)).get("meta") or {}, _BILLED)
    if not meta:
        kind = str(kwargs.get("call_type") or "").removeprefix("a")
        raise NotTold("litellm knows nothing of its usage", paid=kind in _PAID or f"a{kind}" in _PAID)
    return {**picked(response, ("id",)), "meta": meta}
