"""Attribute names as data: what instrumentations of model calls write, by what it means here.

Where several names mean the same, the first that a span has is taken. Sources: OpenTelemetry's GenAI conventions
(semantic-conventions-genai, `model/gen-ai/registry.yaml`, and its deprecated names), OpenLLMetry (`gen_ai.*` and
`llm.*` of Traceloop), OpenInference (`spec/semantic_conventions.md`), Vercel's AI SDK (`ai.*`), Pydantic AI and Logfire
(`gen_ai.usage.details.*`), Sentry and Strands (their own spellings of cached tokens).
"""

from __future__ import annotations

from collections.abc import Mapping

COUNTS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens",
        "llm.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "llm.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "input_audio_tokens": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "input_image_tokens": ("gen_ai.usage.image.input_tokens",),
    "input_video_tokens": ("gen_ai.usage.video.input_tokens",),
    "output_audio_tokens": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "output_image_tokens": ("gen_ai.usage.image.output_tokens",),
    "output_video_tokens": ("gen_ai.usage.video.output_tokens",),
}
"""Field of a usage record → attributes that hold it."""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "response_model": ("gen_ai.response.model", "ai.response.model", "llm.response.model"),
    "request_model": (
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "ai.model.id",
        "llm.request.model",
    ),
    "response_id": ("gen_ai.response.id", "ai.response.id"),
    "response_tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "request_tier": ("openai.request.service_tier", "gen_ai.openai.request.service_tier"),
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
        "langsmith.trace.session_id",
        "ai.telemetry.metadata.sessionId",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
    ),
    "organization_id": ("cost_ops.organization_id",),
    "project_id": ("cost_ops.project_id",),
    "team_id": ("cost_ops.team_id",),
    "region": ("aws.region", "cloud.region"),
    "host": ("server.address",),
    "service": ("service.name",),
    "env": ("deployment.environment.name", "deployment.environment"),
    "metadata": ("metadata",),
    "operation": ("gen_ai.operation.name",),
}
"""What a text attribute is taken for → attributes that hold it."""

TAG_PREFIX = "cost_ops.tag."
TAG_LIST = "tag.tags"

CALL_KINDS: Mapping[str, frozenset[str]] = {
    "openinference.span.kind": frozenset({"llm", "embedding", "reranker"}),
    "langsmith.span.kind": frozenset({"llm", "embedding"}),
    "traceloop.span.kind": frozenset(),
}
"""Attribute → its values, in lower case, on spans that are calls. Spans with another one repeat the sums of calls."""

NOT_CALLS: Mapping[str, frozenset[str]] = {
    "gen_ai.operation.name": frozenset(
        {
            "create_agent",
            "create_memory",
            "create_memory_store",
            "delete_memory",
            "delete_memory_store",
            "execute_tool",
            "fetch_response",
            "invoke_agent",
            "invoke_workflow",
            "plan",
            "retrieval",
            "retrieve_response",
            "search_memory",
            "update_memory",
            "upsert_memory",
        }
    ),
    "logfire.span_type": frozenset({"pending_span"}),
}
"""Attribute → its values on spans that are no calls, that group calls, or that look a stored answer up."""

CALL_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "ai.operationId": (".dogenerate", ".dostream", ".doembed", ".dorerank"),
}
"""Attribute → how its value ends, in lower case, on spans that are calls: the AI SDK's outer spans repeat the sums."""

OPERATION_REQUIRED = frozenset({"pydantic-ai"})
"""Scopes whose spans without an operation are older forms of agent runs, which repeat the sums of their calls."""

EMBEDDINGS = frozenset({"embeddings", "embedding"})

PLACES: Mapping[str, tuple[str, int]] = {
    name: (field, rank)
    for table in (COUNTS, TEXTS)
    for field, names in table.items()
    for rank, name in enumerate(names)
}
"""Attribute → what it is taken for, and how many other names come before it."""

KNOWN = frozenset({*PLACES, *CALL_KINDS, *NOT_CALLS, *CALL_ENDINGS, TAG_LIST})
"""Every attribute that is read, but for tags. The others, prompts among them, need not be looked at."""
