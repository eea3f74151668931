"""Provider names as data: how users, OpenTelemetry, LiteLLM and SDKs write them, and whose prices stand in for whose.

Canonical names are those of the price catalogue (genai-prices' ids). OpenTelemetry's `gen_ai.provider.name` and the
older `gen_ai.system` values are all here, so a span is priced without configuration.
"""

from __future__ import annotations

from cost_ops.domain.pricebook import ProviderNames

WRITTEN_AS: dict[str, tuple[str, ...]] = {
    "openai": (
        "open-ai",
        "open_ai",
        "openai.chat",
        "openai.responses",
        "openai-chat",
        "openai-responses",
        "text-completion-openai",
    ),
    "anthropic": ("claude", "anthropic.messages"),
    "google": (
        "gemini",
        "gcp.gemini",
        "gcp.gen_ai",
        "gcp.vertex_ai",
        "google-ai",
        "google_ai",
        "google.generative-ai",
        "google.vertex",
        "google-gla",
        "google-genai",
        "google_genai",
        "google-vertex",
        "google-vertex-ai",
        "google_vertexai",
        "google vertex ai",
        "palm",
        "vertex",
        "vertex ai",
        "vertex-ai",
        "vertex_ai",
        "vertexai",
        "vertex_ai_beta",
        "vertex_ai-anthropic_models",
        "vertex_ai-language-models",
    ),
    "azure": (
        "az.ai.inference",
        "az.ai.openai",
        "azure openai",
        "azure-ai",
        "azure-openai",
        "azure.ai.inference",
        "azure.ai.openai",
        "azure_ai",
        "azure_openai",
        "azureopenai",
        "azure_text",
    ),
    "aws": (
        "amazon",
        "amazon bedrock",
        "amazon-bedrock",
        "amazon_bedrock",
        "aws bedrock",
        "aws-bedrock",
        "aws.bedrock",
        "aws_bedrock",
        "bedrock",
        "bedrock_converse",
    ),
    "cohere": ("cohere_chat",),
    "mistral": ("mistral ai", "mistral-ai", "mistral_ai", "mistralai", "codestral"),
    "deepseek": ("deep-seek", "deep_seek", "deepseek-ai"),
    "x-ai": ("grok", "x.ai", "x_ai", "xai", "xai.chat"),
    "groq": ("groq.chat",),
    "openrouter": ("open-router", "open_router", "openrouter.ai"),
    "together": ("together ai", "together-ai", "together.ai", "together_ai", "togetherai"),
    "fireworks": ("fireworks ai", "fireworks-ai", "fireworks.ai", "fireworks_ai"),
    "perplexity": ("perplexity-ai", "perplexity_ai", "pplx"),
    "replicate": ("replicate.com",),
    "huggingface": ("hf", "hugging face", "hugging-face", "hugging_face"),
    "huggingface_cerebras": (),
    "huggingface_fireworks-ai": (),
    "huggingface_groq": (),
    "huggingface_hyperbolic": (),
    "huggingface_nebius": (),
    "huggingface_novita": (),
    "huggingface_nscale": (),
    "huggingface_ovhcloud": (),
    "huggingface_publicai": (),
    "huggingface_sambanova": (),
    "huggingface_together": (),
    "arcee": ("arcee-ai", "arcee_ai"),
    "avian": (),
    "baseten": (),
    "cerebras": (),
    "cloudflare": ("cloudflare-workers-ai", "workers-ai"),
    "cursor": (),
    "databricks": (),
    "doubleword": (),
    "elevenlabs": ("eleven-labs", "eleven_labs"),
    "github-copilot": ("copilot", "github_copilot"),
    "meta": ("meta-llama", "meta_llama"),
    "minimax": (),
    "modal": (),
    "moonshotai": ("kimi", "moonshot", "moonshot-ai", "moonshot_ai"),
    "novita": ("novita-ai", "novita_ai"),
    "openai-decisions": (),
    "ovhcloud": ("ovh",),
    "quicksilverpro": (),
    "typesafe": (),
    "voyageai": ("voyage", "voyage-ai", "voyage_ai"),
    "zai": ("z-ai", "z.ai", "z_ai"),
    "zhipuai": ("zhipu", "zhipu-ai", "zhipu_ai"),
}
"""Canonical name → every other way to write it, in lower case. A name stands once in the whole table."""

FALLBACKS: dict[str, tuple[str, ...]] = {
    "azure": ("openai", "anthropic", "deepseek", "x-ai", "moonshotai"),
    "google": ("anthropic",),
}
"""Whose prices stand in for whose: exactly what genai-prices declares (a test compares them).

AWS has none on purpose: Bedrock's regional endpoints cost 10 % more than Anthropic's own API, and a price that is a
tenth too low is worse than one that is missing. The Claude models of Bedrock have rows of their own.
"""

CANONICAL_NAMES = frozenset(WRITTEN_AS)

PROVIDER_NAMES = ProviderNames(
    aliases={alias: name for name, aliases in WRITTEN_AS.items() for alias in aliases},
    fallbacks=FALLBACKS,
    known=CANONICAL_NAMES,
)
"""How the installation reads provider names; give it to the price book."""
