"""Who bills, by the address that a client calls: many services speak the API of another."""

from __future__ import annotations

from collections.abc import Mapping

_BY_HOST = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "models.ai.azure.com": "azure",
    "inference.ai.azure.com": "azure",
    "api.anthropic.com": "anthropic",
    "amazonaws.com": "aws",
    "api.aws": "aws",
    "googleapis.com": "google",
    "api.mistral.ai": "mistral",
    "codestral.mistral.ai": "mistral",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "x-ai",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.perplexity.ai": "perplexity",
    "api.cerebras.ai": "cerebras",
    "router.huggingface.co": "huggingface",
    "inference.baseten.co": "baseten",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "api.novita.ai": "novita",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "api.voyageai.com": "voyageai",
    "cloud.databricks.com": "databricks",
    "azuredatabricks.net": "databricks",
    "api.cloudflare.com": "cloudflare",
    "endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "endpoints.ai.cloud.ovh.net": "ovhcloud",
}
"""A host, or the end of its name → the provider, as the price catalogue names it."""

_SAID: dict[str, str] = {}


def say_hosts(providers: Mapping[str, str]) -> None:
    """Take these hosts for these providers, before all others. An empty mapping forgets what was said."""
    _SAID.clear()
    _SAID.update((host.lower(), provider) for host, provider in providers.items())


def provider_at(host: str, otherwise: str) -> str:
    """The provider at a host; `otherwise` where nobody knows it."""
    name = host.lower()
    return _found(name, _SAID) or _found(name, _BY_HOST) or otherwise


def _found(name: str, table: Mapping[str, str]) -> str | None:
    while name:
        if name in table:
            return table[name]
        name = name.partition(".")[2]
    return None
