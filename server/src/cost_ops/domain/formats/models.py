"""Who served a model, from the ways in which other systems write it: data, and two functions that read it."""

from __future__ import annotations

import re
from typing import NamedTuple

WRITTEN_BY_LITELLM: dict[str, str] = {
    "ai21": "ai21",
    "anthropic": "anthropic",
    "anthropic_text": "anthropic",
    "azure": "azure",
    "azure_ai": "azure",
    "azure_text": "azure",
    "baseten": "baseten",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "codestral": "mistral",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "dashscope": "dashscope",
    "databricks": "databricks",
    "deepgram": "deepgram",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "elevenlabs": "elevenlabs",
    "fireworks_ai": "fireworks",
    "friendliai": "friendliai",
    "gemini": "google",
    "github_copilot": "github-copilot",
    "groq": "groq",
    "hosted_vllm": "vllm",
    "huggingface": "huggingface",
    "hyperbolic": "hyperbolic",
    "lambda_ai": "lambda_ai",
    "lm_studio": "lm_studio",
    "meta_llama": "meta",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "nebius": "nebius",
    "novita": "novita",
    "nvidia_nim": "nvidia_nim",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "palm": "google",
    "perplexity": "perplexity",
    "replicate": "replicate",
    "sagemaker": "sagemaker",
    "sagemaker_chat": "sagemaker",
    "sambanova": "sambanova",
    "text-completion-codestral": "mistral",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "vertex_ai-anthropic_models": "google",
    "vertex_ai-language-models": "google",
    "volcengine": "volcengine",
    "voyage": "voyageai",
    "watsonx": "watsonx",
    "watsonx_text": "watsonx",
    "xai": "x-ai",
    "zai": "zai",
}
"""LiteLLM's provider names (`LlmProviders` in litellm/types/utils.py of 1.106), ours beside them.

They are also the prefixes of its model names, and Langfuse and OpenRouter users write models the same way.
"""

_FAMILIES = (
    (r"((us|eu|apac|jp|au|ca|global|us-gov)\.)?(amazon|anthropic|cohere|meta|mistral|deepseek|ai21|writer)\.", "aws"),
    (r"claude", "anthropic"),
    (
        r"(gpt-(?!oss|j|neo)|chatgpt-|o\d(-|$)|codex-|text-embedding-(3|ada)|dall-e|whisper-|tts-|davinci|babbage)",
        "openai",
    ),
    (r"(gemini|text-bison|chat-bison)", "google"),
    (r"(mistral-(large|medium|small|embed|ocr|saba)|codestral|magistral|ministral|pixtral-large|devstral)", "mistral"),
    (r"(command-|command$|embed-(english|multilingual)|rerank-)", "cohere"),
    (r"deepseek-(chat|reasoner|v\d)", "deepseek"),
    (r"grok-", "x-ai"),
    (r"sonar($|-)", "perplexity"),
    (r"glm-", "zai"),
    (r"kimi-", "moonshotai"),
    (r"minimax-", "minimax"),
    (r"voyage-", "voyageai"),
)
_FAMILY = tuple((re.compile(pattern, re.IGNORECASE), provider) for pattern, provider in _FAMILIES)
_BEDROCK_WAYS = re.compile(r"(converse|converse_like|invoke)/")
_REGION = re.compile(r"([a-z]{2}(?:-gov)?-[a-z]+-\d)/")


class Served(NamedTuple):
    """A model as its provider calls it. `provider` is None where the name does not tell."""

    provider: str | None
    model_id: str
    region: str | None = None


def served(model: str, provider: str | None = None) -> Served:
    """A model's own name without the prefixes that LiteLLM puts before it, and who served it.

    `provider` is LiteLLM's name where it is known; then only its own prefix is taken off, since a router's models have
    prefixes that belong to them.

    >>> served("bedrock/us-west-2/anthropic.claude-v2")
    Served(provider='aws', model_id='anthropic.claude-v2', region='us-west-2')
    >>> served("anthropic/claude-3.5-sonnet", "openrouter")
    Served(provider='openrouter', model_id='anthropic/claude-3.5-sonnet', region=None)
    """
    stated = provider.strip().lower() if provider else None
    known = WRITTEN_BY_LITELLM.get(stated, stated) if stated else None
    prefix, slash, rest = model.partition("/")
    named = WRITTEN_BY_LITELLM.get(prefix.lower()) if slash and rest else None
    if named is None or (known is not None and known != named):
        return Served(known, model)
    rest = _BEDROCK_WAYS.sub("", rest, count=1) if named == WRITTEN_BY_LITELLM["bedrock"] else rest
    region = _REGION.match(rest)
    return Served(named, rest[region.end() :], region[1]) if region else Served(named, rest)


def maker(model: str) -> str | None:
    """The provider whose own API usually serves a model of this name: a guess, for logs that name nobody.

    Open models, which many hosts serve, have none.
    """
    return next((provider for pattern, provider in _FAMILY if pattern.match(model)), None)
