"""models.dev's price file: costs per million tokens, larger contexts, modes, providers' names."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.models_dev import is_models_dev, read_models_dev
from cost_ops.domain.errors import InvalidInput

FIXTURE = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices" / "models-dev.json"


def read(provider: str = "openai", **models: Any) -> CatalogueData:
    content = {provider: {"id": provider, "doc": "https://example.com/models", "models": models}}
    return read_models_dev(json.loads(json.dumps(content), parse_float=Decimal), "test")


def rates(data: CatalogueData) -> list[tuple[str, dict[str, Any], str]]:
    return [(r.meter, r.when.to_json(), str(r.price)) for price in data.prices for r in price.rates]


def test_the_fixture_is_recognised_and_read_in_full() -> None:
    content = json.loads(FIXTURE.read_text(), parse_float=Decimal)
    assert is_models_dev(content)
    data = read_models_dev(content, "models-dev.json")
    assert [(p.provider, p.model_id) for p in data.prices] == [
        ("anthropic", "claude-sonnet-4-5"),
        ("deepseek", "deepseek-chat"),
        ("google", "gemini-2.5-pro"),
        ("mistral", "mistral-large-latest"),
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-mini"),
    ]
    assert data.left_out_counts() == {"price": 1}


def test_costs_are_per_million_tokens_by_meter() -> None:
    cost = {"input": 1, "output": 2, "reasoning": 3, "cache_read": 0.1, "cache_write": 1.25, "input_audio": 4}
    assert {meter: price for meter, _, price in rates(read(m={"cost": cost}))} == {
        "input": "1",
        "output": "2",
        "output_reasoning": "3",
        "input_cache_read": "0.1",
        "input_cache_write_5m": "1.25",
        "input_audio": "4",
    }


@pytest.mark.parametrize(
    "larger",
    [
        {"context_over_200k": {"input": 2.5}},
        {"tiers": [{"tier": {"type": "context", "size": 200000}, "input": 2.5}]},
        {"tiers": [{"tier": {"size": 200000}, "input": 2.5}], "context_over_200k": {"input": 9}},
    ],
)
def test_larger_contexts_are_cliffs_in_the_old_form_and_in_the_new(larger: dict[str, Any]) -> None:
    assert rates(read(m={"cost": {"input": 1.25} | larger})) == [
        ("input", {}, "1.25"),
        ("input", {"context_tokens": {"gt": 200000}}, "2.5"),
    ]


def test_a_mode_that_asks_for_a_service_tier_is_that_tier() -> None:
    modes = {
        "fast": {"cost": {"input": 5}, "provider": {"body": {"service_tier": "priority"}}},
        "strange": {"cost": {"input": 7}, "provider": {"body": {"temperature": 1}}},
    }
    data = read(m={"cost": {"input": 2.5}, "experimental": {"modes": modes}})
    assert rates(data) == [("input", {}, "2.5"), ("input", {"service_tier": "priority"}, "5")]
    assert "mode strange" in data.left_out_counts()


@pytest.mark.parametrize(
    ("name", "canonical"), [("amazon-bedrock", "aws"), ("xai", "x-ai"), ("google-vertex", "google")]
)
def test_providers_have_our_names(name: str, canonical: str) -> None:
    assert [p.provider for p in read(name, m={"cost": {"input": 1}}).prices] == [canonical]


def test_of_two_hosts_with_one_name_the_first_party_speaks() -> None:
    content = {
        "google-vertex": {"models": {"m": {"cost": {"input": 9}}}},
        "google": {"models": {"m": {"cost": {"input": 1}}}},
    }
    assert rates(read_models_dev(content, "test")) == [("input", {}, "1")]


def test_the_providers_page_goes_along() -> None:
    (price,) = read(m={"cost": {"input": 1}}).prices
    assert price.detail == {"url": "https://example.com/models", "date_confidence": "assumed"}


@pytest.mark.parametrize("value", ["1", None, -1, True])
def test_a_cost_that_is_no_price_is_refused_with_its_name(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"openai/m\.input"):
        read(m={"cost": {"input": value}})


@given(st.decimals("0", "100000", places=10))
def test_a_cost_comes_back_exactly(cost: Decimal) -> None:
    text = f'{{"openai": {{"models": {{"m": {{"cost": {{"input": {cost:f}}}}}}}}}}}'
    (price,) = read_models_dev(json.loads(text, parse_float=Decimal), "test").prices
    assert [r.price for r in price.rates] == [cost]
