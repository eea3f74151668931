"""Names of models: that ours find what genai-prices finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    Provider,
)

from cost_ops.catalog.genai_matching import patterns_of
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import Alias
from tests.catalog.moments import TODAY


def test_match_clauses_keep_their_meaning_as_aliases() -> None:
    clauses: list[Any] = [
        ClauseEquals("GPT-4"),
        ClauseStartsWith("gpt-4-"),
        ClauseEndsWith("-mini"),
        ClauseContains("4o"),
        ClauseRegex(r"^gpt-\d$"),
        ClauseOr([ClauseEquals("a"), ClauseAnd([ClauseStartsWith("gpt"), ClauseEndsWith("mini")])]),
        ClauseAnd([ClauseContains("4"), ClauseOr([ClauseEquals("gpt-4"), ClauseRegex("o$")])]),
        ClauseAnd([ClauseStartsWith("gpt-4"), ClauseRegex("^(?!.*-tts)")]),
    ]
    names = ["gpt-4", "gpt-4-32k", "gpt-4o-mini", "gpt-4o", "a", "b", "gpt-4-tts", "x-gpt-4", "gpt-9"]
    for clause in clauses:
        aliases = [Alias("p", kind, pattern, "m") for kind, pattern in patterns_of(clause)]
        for name in names:
            assert any(a.matches(name) for a in aliases) == clause.is_match(name), (clause, name)


def _probes(provider: Provider) -> Iterator[str]:
    """Names that a provider's models could be asked by: ids, patterns, and patterns with something around them."""
    for model in provider.models:
        yield from (model.id, model.id.lower(), model.id.upper())
        for kind, pattern in patterns_of(model.match):
            if kind == "regex":
                continue
            yield pattern
            if kind in ("starts_with", "contains"):
                yield from (f"{pattern}-x", f"{pattern}-20990101", f"{pattern}-latest", f"{pattern}-mini")
            if kind in ("ends_with", "contains"):
                yield from (f"x-{pattern}", f"us.{pattern}", f"models/{pattern}")


def test_every_name_finds_the_model_that_genai_prices_finds(catalogue, book, genai_providers) -> None:
    """9,000 names. The one difference: an id that its own model's clause does not match still finds that model."""
    left_out = {(item.provider, item.model_id) for item in catalogue.left_out if item.what == "price"}
    retired = {(p.provider, p.model_id) for p in catalogue.prices if not p.source.startswith("genai-prices")}
    snapshot, now = get_snapshot(), to_us(TODAY)
    for provider in genai_providers:
        for name in set(_probes(provider)):
            found = book.find("org-1", provider.id, name, now)
            ours = found.price.model_id if found else None
            try:
                theirs = snapshot.find_provider_model(name, provider, None, None)[1].id
            except LookupError:
                theirs = None
            if theirs != ours and (provider.id, theirs) not in left_out and (provider.id, ours) not in retired:
                assert theirs is None, (provider.id, name, theirs, ours)
                assert ours is not None
                assert name.lower() == ours.lower()


FAQ_MODELS = [
    ("openai", "gpt-4", "gpt-4"),
    ("openai", "GPT-4", "gpt-4"),
    ("openai", "gpt-4-0314", "gpt-4"),
    ("openai", "gpt-4-32k-0314", "gpt-4-32k"),
    ("openai", "gpt-4-turbo", "gpt-4-turbo"),
    ("openai", "gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
    ("openai", "gpt-3.5-turbo", "gpt-3.5-turbo"),
    ("openai", "gpt-3.5-turbo-0301", "gpt-3.5-0301"),
    ("openai", "text-davinci-003", "text-davinci-003"),
    ("openai", "o1", "o1"),
    ("openai", "gpt-5.2-20251211", "gpt-5.2"),
    ("anthropic", "claude-3-opus-20240229", "claude-3-opus-latest"),
    ("anthropic", "claude-3-sonnet-20240229", "claude-3-sonnet"),
    ("anthropic", "claude-3-haiku-20240307", "claude-3-haiku"),
    ("anthropic", "claude-2.1", "claude-2"),
    ("anthropic", "claude-instant-1.2", "claude-instant-1"),
    ("anthropic", "claude-1.3", "claude-v1"),
    ("google", "gemini-1.5-pro", "gemini-1.5-pro"),
    ("google", "gemini-1.5-pro-002", "gemini-1.5-pro"),
    ("google", "text-bison@001", "text-bison"),
    ("google", "text-bison-32k@002", "text-bison"),
    ("google", "chat-bison@001", "chat-bison"),
    ("google", "code-bison", "code-bison"),
    ("google", "claude-3-opus@20240229", "claude-3-opus"),
    ("azure", "gpt-4-turbo", "gpt-4-turbo"),
    ("azure", "gpt-35-turbo", "gpt-3.5-turbo"),
    ("azure", "gpt-35-turbo-0301", "gpt-3.5-0301"),
    ("aws", "anthropic.claude-3-opus-20240229-v1:0", "regional.anthropic.claude-3-opus-20240229-v1:0"),
    ("aws", "anthropic.claude-v2:1", "anthropic.claude-v2"),
    ("aws", "amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ("cohere", "command-r-plus", "command-r-plus"),
    ("mistral", "mistral-large-latest", "mistral-large"),
    ("mistral", "open-mistral-7b", "mistral-7b"),
]


@pytest.mark.parametrize(("provider", "name", "model"), FAQ_MODELS)
def test_models_that_the_faq_names_have_a_price_today_and_ten_years_back(book, provider, name, model) -> None:
    for at in (TODAY, TODAY.replace(year=TODAY.year - 10)):
        found = book.find("org-1", provider, name, to_us(at))
        assert found is not None
        assert found.price.model_id == model
