"""Who served a model, from the names that other systems give it."""

import pytest

from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.domain.formats.models import WRITTEN_BY_LITELLM, maker, served


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("gpt-4o", "openai", ("openai", "gpt-4o", None)),
        ("openai/gpt-4o", "openai", ("openai", "gpt-4o", None)),
        ("openai/gpt-4o", None, ("openai", "gpt-4o", None)),
        ("gpt-4o", None, (None, "gpt-4o", None)),
        ("bedrock/us.anthropic.claude-sonnet-4-5", "bedrock", ("aws", "us.anthropic.claude-sonnet-4-5", None)),
        ("bedrock/converse/anthropic.claude-v2", "bedrock", ("aws", "anthropic.claude-v2", None)),
        ("bedrock/eu-central-1/anthropic.claude-v2", None, ("aws", "anthropic.claude-v2", "eu-central-1")),
        ("vertex_ai/gemini-2.5-pro", "vertex_ai", ("google", "gemini-2.5-pro", None)),
        ("gemini/gemini-2.5-pro", "gemini", ("google", "gemini-2.5-pro", None)),
        ("azure/my-deployment", "azure", ("azure", "my-deployment", None)),
        ("openrouter/anthropic/claude-3.5-sonnet", None, ("openrouter", "anthropic/claude-3.5-sonnet", None)),
        ("anthropic/claude-3.5-sonnet", "openrouter", ("openrouter", "anthropic/claude-3.5-sonnet", None)),
        ("together_ai/meta-llama/Llama-3-70b", "together_ai", ("together", "meta-llama/Llama-3-70b", None)),
        ("meta-llama/Llama-3-70b", None, (None, "meta-llama/Llama-3-70b", None)),
        ("my-model", "our_own_host", ("our_own_host", "my-model", None)),
        ("xai/grok-4", "XAI", ("x-ai", "grok-4", None)),
    ],
)
def test_prefixes_are_taken_off_and_providers_named(
    model: str, provider: str | None, expected: tuple[str | None, str, str | None]
) -> None:
    assert tuple(served(model, provider)) == expected


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-opus-4-1-20250805", "anthropic"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("amazon.nova-pro-v1:0", "aws"),
        ("gpt-5-codex", "openai"),
        ("o3", "openai"),
        ("o4-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("gpt-oss-120b", None),
        ("gemini-2.5-flash", "google"),
        ("mistral-large-latest", "mistral"),
        ("mistral-7b-instruct", None),
        ("deepseek-chat", "deepseek"),
        ("grok-4", "x-ai"),
        ("sonar-pro", "perplexity"),
        ("glm-4.6", "zai"),
        ("llama-3-70b", None),
        ("orca-2", None),
    ],
)
def test_families_that_one_provider_serves_are_known_and_open_models_are_not_guessed(
    model: str, provider: str | None
) -> None:
    assert maker(model) == provider


def test_the_names_given_are_the_catalogues() -> None:
    for written, ours in WRITTEN_BY_LITELLM.items():
        assert PROVIDER_NAMES.canonical(ours) == ours
        assert PROVIDER_NAMES.canonical(written) in (ours, written)
