"""openai: chat, Responses, embeddings, images and transcriptions, of OpenAI, of Azure, and of all who speak its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import stainless
from llm_cost_ops.instrumentation.active import named_provider
from llm_cost_ops.instrumentation.hosts import provider_at
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.tracking import Tracker

_PAID = frozenset(
    {
        "completions",
        "chat/completions",
        "responses",
        "responses/compact",
        "embeddings",
        "images/generations",
        "images/edits",
        "images/variations",
        "audio/transcriptions",
        "audio/translations",
        "audio/speech",
    }
)
"""What is asked for, as a path ends. All else is free, or is not paid for by the call."""

_BY_CLASS = {"Azure": "azure", "Bedrock": "aws"}
_REFUSED = (400, 422)
_REFUSING: set[str] = set()
"""Addresses that refuse to be asked for a stream's usage."""


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    import openai

    if not hasattr(openai, "OpenAI"):
        from llm_cost_ops.instrumentation import openai_legacy

        return openai_legacy.install()
    return stainless.install("openai", begin)


def begin(tracker: Tracker, client: Any, options: Any) -> Optional[stainless.Call]:
    """A call has begun; None where it is not paid for."""
    path = options.url.partition("?")[0].rstrip("/").split("/")
    asked: Mapping[str, Any] = options.json_data if isinstance(options.json_data, Mapping) else {}
    if options.method.lower() == "get":
        if len(path) < 2 or path[-2] != "responses":
            return None
    elif path[-1] not in _PAID and "/".join(path[-2:]) not in _PAID:
        return None
    model = asked.get("model")
    fetches = options.method.lower() == "get"
    asked_model = model if isinstance(model, str) else None
    call = stainless.Call(Measured(tracker, provider_of(client), asked_model, pays=not fetches))
    call.background = fetches
    if path[-1] == "completions" and asked.get("stream") is True:
        _ask_for_usage(call, client, options, asked)
    return call


def provider_of(client: Any) -> str:
    """Who bills the calls of a client."""
    said = named_provider(client)
    if said is not None:
        return said
    kind = type(client).__name__
    return next((name for word, name in _BY_CLASS.items() if word in kind), None) or provider_at(
        client.base_url.host, "openai"
    )


def _ask_for_usage(call: stainless.Call, client: Any, options: Any, asked: Mapping[str, Any]) -> None:
    """A stream of chat says what it used only if it is asked to, in a last chunk that nobody else expects."""
    more = getattr(options, "extra_json", None) or {}
    wanted = more.get("stream_options", asked.get("stream_options"))
    if "stream_options" in more or (_REFUSING and str(client.base_url) in _REFUSING):
        return
    wanted = dict(wanted) if isinstance(wanted, Mapping) else {}
    if "include_usage" in wanted:
        return
    before = options.json_data
    options.json_data = {**asked, "stream_options": {**wanted, "include_usage": True}}
    call.hide_usage = True

    def taken_back(error: BaseException) -> bool:
        if getattr(error, "status_code", None) not in _REFUSED or not _is_about_us(error):
            return False
        _REFUSING.add(str(client.base_url))
        options.json_data, call.hide_usage = before, False
        return True

    call.taken_back = taken_back


def _is_about_us(error: BaseException) -> bool:
    text = str(error)
    return "stream_options" in text or "include_usage" in text
