"""What unpriced usage may cost: a band, and names that have a price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cost_ops.domain.estimates import Band, band, family, similar_names
from cost_ops.domain.money import E10
from cost_ops.domain.prices import Price
from cost_ops.domain.rates import per_million


def model(name: str, input_price: str, output_price: str, provider: str = "openai", currency: str = "USD") -> Price:
    rates = (per_million("input", Decimal(input_price)), per_million("output", Decimal(output_price)))
    return Price(provider, name, currency, rates)


PRICES = [
    model("gpt-4", "30", "60"),
    model("gpt-5-mini", "0.25", "2"),
    model("gpt-5:free", "0", "0"),
    model("o3", "2", "8"),
    model("gpt-5-eur", "1000", "1000", currency="EUR"),
    model("claude-opus-5", "5", "25", "anthropic"),
    model("gpt-*", "900", "900"),
]
MILLION = 1_000_000


def estimate(provider: str, name: str, input_tokens: int = MILLION, output_tokens: int = MILLION) -> Band | None:
    return band(PRICES, provider=provider, model_id=name, input_tokens=input_tokens, output_tokens=output_tokens)


def test_the_band_spans_the_cheapest_and_the_dearest_of_the_family() -> None:
    found = estimate("openai", "gpt-6")
    assert found == Band(2 * E10 + E10 // 4, 90 * E10, "USD", "the gpt models of openai", 2)


def test_without_kin_it_is_taken_from_all_models_of_the_provider() -> None:
    found = estimate("openai", "whatever-1")
    assert found is not None
    assert (found.basis, found.models) == ("all models of openai", 3)


@pytest.mark.parametrize(
    ("name", "basis"),
    [("claude-9", "the claude models of all providers"), ("llama-4", "all models of all providers")],
)
def test_of_an_unknown_provider_all_providers_are_comparable(name: str, basis: str) -> None:
    found = estimate("nobody", name)
    assert found is not None
    assert found.basis == basis


def test_free_models_and_other_currencies_say_nothing_about_what_others_cost() -> None:
    found = estimate("openai", "gpt-6", input_tokens=MILLION, output_tokens=0)
    assert found is not None
    assert (found.lowest_e10, found.highest_e10) == (E10 // 4, 30 * E10)


def test_without_any_price_there_is_no_band() -> None:
    assert band([], provider="openai", model_id="gpt-6", input_tokens=1, output_tokens=1) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("openai/GPT-5.9-mini", "gpt"), ("claude-opus-7", "claude"), ("o3", "o"), ("7b-model", "")],
)
def test_a_family_is_the_letters_that_a_name_begins_with(name: str, expected: str) -> None:
    assert family(name) == expected


def test_names_like_an_unknown_one_are_suggested_from_its_provider_first() -> None:
    assert similar_names(PRICES, provider="openai", model_id="gpt-5-minni")[0] == "gpt-5-mini"
    assert similar_names(PRICES, provider="nobody", model_id="claude-opus5") == ["anthropic/claude-opus-5"]
    assert similar_names(PRICES, provider="openai", model_id="zzzz") == []
