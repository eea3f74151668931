"""Names of providers."""

from __future__ import annotations

from collections import Counter

import pytest

from cost_ops.catalog.providers import CANONICAL_NAMES, FALLBACKS, PROVIDER_NAMES, WRITTEN_AS


def test_no_name_stands_twice() -> None:
    names = [*WRITTEN_AS, *(alias for aliases in WRITTEN_AS.values() for alias in aliases)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_names_are_lower_case_and_trimmed() -> None:
    names = {*WRITTEN_AS, *PROVIDER_NAMES.aliases}
    assert [name for name in names if name != name.strip().lower()] == []


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("OpenAI", "openai"),
        ("bedrock", "aws"),
        ("aws-bedrock", "aws"),
        ("aws.bedrock", "aws"),
        ("amazon", "aws"),
        ("azure-openai", "azure"),
        ("azure_openai", "azure"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("az.ai.inference", "azure"),
        ("vertex", "google"),
        ("vertex_ai", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gemini", "google"),
        ("gcp.gen_ai", "google"),
        ("gemini", "google"),
        ("google-vertex", "google"),
        ("palm", "google"),
        ("mistralai", "mistral"),
        ("mistral_ai", "mistral"),
        ("xai", "x-ai"),
        ("x_ai", "x-ai"),
        ("grok", "x-ai"),
        ("groq", "groq"),
        ("together_ai", "together"),
        (" Replicate ", "replicate"),
        ("my-own-cluster", "my-own-cluster"),
    ],
)
def test_users_and_telemetry_may_write_providers_their_way(written: str, canonical: str) -> None:
    assert PROVIDER_NAMES.canonical(written) == canonical


def test_every_provider_of_genai_prices_has_a_canonical_name(genai_providers) -> None:
    assert {p.id for p in genai_providers} <= CANONICAL_NAMES


def test_fallbacks_are_those_that_genai_prices_declares(genai_providers) -> None:
    declared = {p.id: tuple(p.fallback_model_providers) for p in genai_providers if p.fallback_model_providers}
    assert declared == FALLBACKS


def test_fallbacks_are_canonical() -> None:
    assert {name for names in FALLBACKS.values() for name in names} <= CANONICAL_NAMES
