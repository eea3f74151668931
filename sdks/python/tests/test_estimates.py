"""What a call would cost: exact for exact counts, marked where it is guessed, and nothing is recorded."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, estimates
from llm_cost_ops.exceptions import NotFoundError, SettingsError

MESSAGES = [
    {"role": "system", "content": "a" * 40},
    {"role": "user", "content": [{"type": "text", "text": "b" * 41}, {"type": "image_url", "image_url": {"url": "x"}}]},
]


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with ledger.client() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where tiktoken is not installed."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    monkeypatch.setattr(estimates, "_ENCODERS", {})


def test_exact_counts_cost_what_the_call_will(ledger: Ledger, client: CostOpsClient) -> None:
    found = client.estimate("gpt-4o", 1000, max_output_tokens=100)
    assert (found.cost, found.currency, found.estimated) == (Decimal("0.0035"), "USD", False)
    assert [(line.meter, line.cost) for line in found.lines] == [
        ("input", Decimal("0.0025")),
        ("output", Decimal("0.001")),
    ]
    cached = client.estimate("gpt-4o", {"input_tokens": 1000, "cached_tokens": 900}, max_output_tokens=100)
    assert cached.cost == Decimal("0.002375")
    assert ledger.totals()[0] == 0
    sent = client.usage.submit(
        provider="openai", model_id="gpt-4o", input_tokens=1000, cached_tokens=900, output_tokens=100
    )
    assert sent.estimated_cost == cached.cost


def test_texts_are_guessed_and_what_is_no_text_is_named(client: CostOpsClient) -> None:
    found = client.estimate("gpt-4o", MESSAGES, max_output_tokens=100)
    assert (found.input_tokens, found.estimated, found.not_counted) == (4 + 10 + 4 + 11, True, ("image_url",))
    assert "input tokens are guessed from the text; without image_url" in str(found)
    alone = str(client.estimate("gpt-4o", "c" * 400))
    assert "for 100 tokens in with openai/gpt-4o (" in alone
    assert "without output: say max_output_tokens" in alone


def test_messages_of_other_clients_are_understood_too(client: CostOpsClient) -> None:
    google = [{"role": "user", "parts": [{"text": "d" * 40}]}]
    assert client.estimate("gemini-2.5-flash", google).input_tokens == 14
    objects = [SimpleNamespace(role="user", content="e" * 40)]
    assert client.estimate("claude-sonnet-4-5", objects).input_tokens == 14


def test_tiktoken_counts_where_it_is_installed(client: CostOpsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def encoding_for_model(model: str) -> Any:
        return SimpleNamespace(encode=lambda text, disallowed_special: text.split())

    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(encoding_for_model=encoding_for_model))
    found = client.estimate("gpt-4o", "one two three")
    assert (found.input_tokens, found.estimated) == (3, True)


def test_tiktoken_that_cannot_fetch_its_words_is_done_without(
    client: CostOpsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encoding_for_model(model: str) -> Any:
        raise OSError("no network")

    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(encoding_for_model=encoding_for_model))
    assert client.estimate("gpt-4o", "f" * 8).input_tokens == 2


@pytest.mark.parametrize(
    ("model", "provider", "model_id"),
    [
        ("gpt-4o", "openai", "gpt-4o"),
        ("o3-mini", "openai", "o3-mini"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("mistral-large-latest", "mistral", "mistral-large-latest"),
        ("grok-4", "x-ai", "grok-4"),
        ("groq/llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile"),
    ],
)
def test_who_serves_a_model_is_told_by_its_name(model: str, provider: str, model_id: str) -> None:
    assert estimates.provider_of(model) == (provider, model_id)


def test_what_cannot_be_told_is_asked_for(client: CostOpsClient) -> None:
    with pytest.raises(SettingsError, match=r"say provider=…"):
        client.estimate("llama-3", 100)
    with pytest.raises(NotFoundError, match="No pricing found for model: gpt-unheard-of"):
        client.estimate("gpt-unheard-of", 100)
    with pytest.raises(SettingsError, match="give a number of tokens"):
        client.estimate("gpt-4o", None)
    assert client.estimate("gpt-4o", 1000, provider="azure").provider == "azure"


def test_it_shows_itself_in_a_notebook(client: CostOpsClient) -> None:
    html = client.estimate("gpt-4o", 1000, max_output_tokens=100)._repr_html_()
    assert (
        re.sub("<[^>]+>", " ", html).split()[-10:]
        == ["input", "1,000", "2.5", "/", "1,000,000", "0.0025", "output", "100", "10", "/", "1,000,000", "0.001"][-10:]
    )
    assert "0.0035 USD for 1,000 tokens in, up to 100 out" in html
