"""What LangChain says of a call: who bills, for which model, for whom, and the usage in its results.

Nothing that was asked or answered is read, but the types of the items that are billed one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from llm_cost_ops.instrumentation.hosts import provider_at
from llm_cost_ops.instrumentation.skeletons import counts

_PROVIDERS = {
    # what LangChain calls them, where the ledger does not know that name: `ls_provider`, and `_type` of old models
    "anthropic-chat": "anthropic",
    "anthropic-llm": "anthropic",
    "azure-openai-chat": "azure",
    "chat-google-generative-ai": "google",
    "google_anthropic_vertex": "google",
    "google_palm": "google",
    "mistralai-chat": "mistral",
    "openai-chat": "openai",
    "openai-codex": "openai",
}
_MODEL_NAMES = ("model", "model_name", "model_id", "deployment_name", "azure_deployment")
_ADDRESSES = ("openai_api_base", "base_url")
_BELONGS = {
    "project": "project_id",
    "project_id": "project_id",
    "session": "session_id",
    "session_id": "session_id",
    "thread_id": "session_id",
    "team": "team_id",
    "team_id": "team_id",
    "user": "user_id",
    "user_id": "user_id",
}
"""Keys of a run's metadata, and the fields of a record that they are. `thread_id` is LangGraph's."""

_TAGS_OF_LANGCHAIN = ("seq:", "map:", "graph:", "branch:", "condition:", "langsmith:", "langgraph", "__")
_OWN_USAGE = {
    "anthropic": "usage",
    **dict.fromkeys(("azure", "deepseek", "fireworks", "groq", "mistral", "openai"), "token_usage"),
    **dict.fromkeys(("openrouter", "perplexity", "together", "xai"), "token_usage"),
}
"""Where a provider's own usage object stands in `response_metadata`: it says more than LangChain's."""

_CUMULATIVE = {"anthropic"}
"""Whose streams repeat the counts so far: LangChain adds them up, and the last ones are right."""

_ITEMS = {"web_search_call": "web_searches", "file_search_call": "file_searches"}
_SEARCHED = ("search", None)
_NOT_AN_ID = ("lc_", "run-")


class Named(NamedTuple):
    """Who bills, and the model that was asked for."""

    provider: str
    model: Optional[str]


def named(serialized: Any, metadata: Mapping[str, Any], params: Mapping[str, Any], provider: Optional[str]) -> Named:
    """Who bills for a run and which model was asked for, of what LangChain tells when it begins."""
    kwargs = (serialized or {}).get("kwargs") or {}
    model = metadata.get("ls_model_name") or next(
        (where[name] for where in (params, kwargs) for name in _MODEL_NAMES if where.get(name)), None
    )
    said = str(provider or metadata.get("ls_provider") or params.get("_type") or "unknown")
    bills = _PROVIDERS.get(said, said)
    if bills == "openai" and provider is None:
        address = next((kwargs[name] for name in _ADDRESSES if isinstance(kwargs.get(name), str)), "")
        bills = provider_at(urlsplit(address).hostname or "", bills)
    return Named(bills, str(model) if model else None)


def attribution_of(metadata: Mapping[str, Any], tags: Iterable[Any]) -> dict[str, Any]:
    """The fields of a record that a run's metadata and tags say; nothing else of the metadata is taken."""
    fields: dict[str, Any] = {
        field: str(metadata[name]) for name, field in _BELONGS.items() if isinstance(metadata.get(name), (str, int))
    }
    said = dict(_tag(word) for word in tags if isinstance(word, str) and not word.startswith(_TAGS_OF_LANGCHAIN))
    return {**fields, "tags": said} if said else fields


def _tag(word: str) -> tuple[str, str]:
    for mark in (":", "="):
        key, found, value = word.partition(mark)
        if found and key:
            return key, value
    return word, "true"


def usage_of_chunk(chunk: Any, run: Named) -> Optional[Mapping[str, Any]]:
    """The usage in a piece of a stream, where it is worth more than the sum that LangChain makes of the pieces."""
    if run.provider not in _CUMULATIVE:
        return None
    return getattr(getattr(chunk, "message", None), "usage_metadata", None) or None


def paid_calls(
    result: Any, run: Named, fallback_id: str, last_usage: Optional[Mapping[str, Any]] = None
) -> Sequence[Mapping[str, Any]]:
    """The fields of a record for each request that a result came of; none where nothing is told of its usage.

    `last_usage` is what the last piece of a stream told, and holds instead of the sum of the pieces. Several candidates
    of one request repeat its usage: it is taken once. What came from LangChain's cache was not paid.
    """
    if result is None:
        return []
    found: dict[str, Mapping[str, Any]] = {}
    for candidates in result.generations:
        for generation in candidates:
            message = getattr(generation, "message", None)
            call = _of_message(message, run, fallback_id, last_usage) or _of_info(generation, run)
            if call is not None:
                found.setdefault(str(call["response"].get("id", fallback_id)), call)
    if not found and (call := _of_output(getattr(result, "llm_output", None), run, fallback_id)) is not None:
        return [call]
    return list(found.values())


def _of_message(
    message: Any, run: Named, fallback_id: str, last_usage: Optional[Mapping[str, Any]]
) -> Optional[Mapping[str, Any]]:
    """A chat message with the provider's own usage, or LangChain's where it kept no other."""
    usage = last_usage or getattr(message, "usage_metadata", None)
    if not usage or usage.get("total_cost") == 0:
        return None
    told = message.response_metadata
    own_id = told.get("id") or message.id
    is_own = isinstance(own_id, str) and not own_id.startswith(_NOT_AN_ID)
    response_id = own_id if is_own else fallback_id
    model = told.get("model_name") or told.get("model")
    own = told.get(_OWN_USAGE.get(run.provider, ""))
    if isinstance(own, Mapping) and not own.keys().isdisjoint(("input_tokens", "prompt_tokens")):
        tier = told.get("service_tier")
        return _record(run, {"id": response_id, "model": model, "usage": counts(own), "service_tier": tier})
    served = {"model_name": model, "id": response_id, "service_tier": told.get("service_tier")}
    skeleton = {"id": response_id, "usage_metadata": counts(usage), "response_metadata": served}
    return {**_record(run, skeleton), **_counted(message)}


def _of_info(generation: Any, run: Named) -> Optional[Mapping[str, Any]]:
    """A completion whose usage stands beside it."""
    usage = (getattr(generation, "generation_info", None) or {}).get("usage_metadata")
    return _record(run, {"usage_metadata": counts(usage)}) if usage else None


def _of_output(output: Optional[Mapping[str, Any]], run: Named, fallback_id: str) -> Optional[Mapping[str, Any]]:
    """The sum that older models state for all prompts of a request."""
    told = output or {}
    usage = told.get("token_usage") or told.get("usage")
    if not usage:
        return None
    own_id = told.get("id")
    response_id = own_id if isinstance(own_id, str) else fallback_id
    return _record(run, {"id": response_id, "model": told.get("model_name") or run.model, "usage": counts(usage)})


def _record(run: Named, skeleton: Mapping[str, Any]) -> dict[str, Any]:
    return {"provider": run.provider, "response": skeleton}


def _counted(message: Any) -> dict[str, int]:
    """How many items of a message are billed one by one: searches are in no usage object."""
    counted: dict[str, int] = {}
    containers = set()
    for item in _items(message):
        kind = item.get("type")
        if kind == "web_search_call" and (item.get("action") or {}).get("type") not in _SEARCHED:
            continue
        if kind == "server_tool_use" and item.get("name") == "web_search":
            kind = "web_search_call"
        if kind == "code_interpreter_call":
            containers.add(item.get("container_id"))
        if kind in _ITEMS:
            counted[_ITEMS[kind]] = counted.get(_ITEMS[kind], 0) + 1
    return {**counted, "code_sessions": len(containers)} if containers else counted


def _items(message: Any) -> Iterator[Mapping[str, Any]]:
    seen = set()
    content = message.content if isinstance(message.content, list) else []
    for item in [*content, *(message.additional_kwargs.get("tool_outputs") or [])]:
        if isinstance(item, Mapping) and (item.get("id") is None or item["id"] not in seen):
            seen.add(item.get("id"))
            yield item
