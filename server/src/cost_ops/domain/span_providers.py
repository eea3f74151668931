"""Who was called, from a span: the host that answered, else the provider that is named, else what the model gives away.

Instrumentations name the client library's provider, and many providers speak OpenAI's protocol; the address says who
sends the bill (OpenTelemetry's note on `gen_ai.provider.name` points to `server.address` for that).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Host(NamedTuple):
    """What an address says: who answers there, and in which region."""

    provider: str | None
    region: str | None


_HOSTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?:https?://)?(?:{pattern})(?::\d+)?/?\Z", re.IGNORECASE), provider)
    for pattern, provider in (
        (r"(?:[a-z]{2}\.)?api\.openai\.com", "openai"),
        (r"[a-z0-9-]+\.openai\.azure\.com", "azure"),
        (r"[a-z0-9-]+\.(?:services\.ai|cognitiveservices|inference\.ai)\.azure\.com", "azure"),
        (r"[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.models\.ai\.azure\.com", "azure"),
        (r"api\.anthropic\.com", "anthropic"),
        (r"generativelanguage\.googleapis\.com", "google"),
        (r"(?:(?P<region>[a-z0-9-]+)-)?aiplatform\.googleapis\.com", "google"),
        (r"bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", "aws"),
        (r"api\.mistral\.ai|codestral\.mistral\.ai", "mistral"),
        (r"api\.deepseek\.com", "deepseek"),
        (r"api\.groq\.com", "groq"),
        (r"(?:[a-z0-9-]+\.)?api\.x\.ai", "x-ai"),
        (r"openrouter\.ai", "openrouter"),
        (r"api\.together\.(?:xyz|ai)", "together"),
        (r"api\.fireworks\.ai", "fireworks"),
        (r"api\.perplexity\.ai", "perplexity"),
        (r"api\.cohere\.(?:com|ai)", "cohere"),
        (r"api\.cerebras\.ai", "cerebras"),
        (r"api\.moonshot\.(?:ai|cn)", "moonshotai"),
    )
)
_NOWHERE = Host(None, None)

FRAMEWORKS = frozenset(
    {
        "agno",
        "autogen",
        "crewai",
        "gcp.vertex.agent",
        "haystack",
        "langchain",
        "langgraph",
        "litellm",
        "llama_index",
        "llamaindex",
        "mcp",
        "microsoft.agent_framework",
        "semantic_kernel",
        "strands-agents",
        "vercel",
        "_other",
        "unknown",
    }
)
"""What stands in a provider's place where an instrumentation only knows the framework that called."""

_WRITTEN_AS = {"vertex.anthropic": "google", "google.vertex.anthropic": "google"}
"""Names of the AI SDK that no table of provider names has."""

_INTERFACE = re.compile(
    r"\.(?:chat|completion|embedding|image|messages|responses|speech|text-embedding|transcription)\Z"
)
"""The part of a provider's interface that the AI SDK writes behind its name."""

_MAKERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), provider)
    for pattern, provider in (
        (
            r"(?:(?:us|us-gov|eu|apac|jp|au|ca|global)\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral)\.",
            "aws",
        ),
        (r"(?:gpt-|chatgpt-|o[1-9](?:-|\Z)|text-embedding-)", "openai"),
        (r"claude-", "anthropic"),
        (r"(?:models/)?gemini-", "google"),
        (r"(?:mistral|ministral|magistral|codestral|pixtral)-", "mistral"),
        (r"deepseek-", "deepseek"),
        (r"grok-", "x-ai"),
        (r"command-", "cohere"),
    )
)


@lru_cache(maxsize=1024)
def host_of(address: str) -> Host:
    """Whose an address is; a host that is not known says nothing."""
    for pattern, provider in _HOSTS:
        if found := pattern.match(address):
            return Host(provider, found.groupdict().get("region"))
    return _NOWHERE


@lru_cache(maxsize=1024)
def plain_provider(name: str) -> str:
    """A provider's name without the interface that the AI SDK writes behind it.

    >>> plain_provider("mistral.chat"), plain_provider("gcp.vertex_ai")
    ('mistral', 'gcp.vertex_ai')
    """
    plain = _INTERFACE.sub("", name)
    return _WRITTEN_AS.get(plain.lower(), plain)


@lru_cache(maxsize=1024)
def maker_of(model_id: str) -> str | None:
    """Who offers a model of this name first of all; None where the name does not say."""
    return next((provider for pattern, provider in _MAKERS if pattern.match(model_id)), None)
