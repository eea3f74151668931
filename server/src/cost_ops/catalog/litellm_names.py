"""LiteLLM's names of models → provider and model id as we know them.

LiteLLM writes `provider/model`, and for regions `azure/eu/gpt-5` or `bedrock/eu-central-1/anthropic.claude-v2`. What is
left of a regional name stays in the id, `eu/gpt-5`: it is another price, and callers of LiteLLM send that very name.
"""

from __future__ import annotations

from typing import NamedTuple

from cost_ops.catalog.providers import PROVIDER_NAMES

_MORE_PROVIDERS = {
    "amazon_nova": "amazon-nova",
    "fireworks_ai-embedding-models": "fireworks",
    "meta_llama": "meta",
    "text-completion-codestral": "mistral",
}
"""Providers as only LiteLLM writes them, beside those that usage may name."""

_PREFIXES = ("bedrock/", "azure/", "azure_ai/", "azure_text/")
_VERTEX = "vertex_ai-"
_COMMITTED = "-month-commitment"
_SIZES = frozenset({"low", "medium", "high", "standard", "hd", "max-x-max"})


class Named(NamedTuple):
    """A model. `preference` orders names of one model in the file: the lowest speaks for it."""

    provider: str
    model_id: str
    preference: int


def read_name(key: str, litellm_provider: str) -> Named | str:
    """The model that an entry is of; a text where it is left out: why."""
    if _COMMITTED in key:
        return "a commitment of capacity is not a price of usage"
    parts = key.split("/")
    if len(parts) > 1 and any("-x-" in part or part in _SIZES for part in parts[:-1]):
        return "the images meter does not tell sizes and qualities apart"
    if "*" in key:
        return "a pattern is not a model"
    vertex = litellm_provider.startswith((_VERTEX, "vertex_ai"))
    provider = "google" if vertex else _MORE_PROVIDERS.get(litellm_provider)
    provider = provider or PROVIDER_NAMES.canonical(litellm_provider)
    model_id = key
    for prefix in (f"{litellm_provider}/", "vertex_ai/", *_PREFIXES):
        if model_id.startswith(prefix):
            model_id = model_id.removeprefix(prefix)
            break
    return Named(provider, model_id, (2 if vertex else 0) + ("/" in key))
