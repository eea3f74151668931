"""LiteLLM's price file: every kind of key, names, exact numbers, and what is left out."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.decimals import without_noise
from cost_ops.catalog.litellm import is_litellm, read_litellm
from cost_ops.catalog.litellm_keys import PriceKey, read_key
from cost_ops.catalog.litellm_names import read_name
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.prices import Price
from cost_ops.domain.rates import rate_faults

FIXTURE = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices" / "litellm.json"


def read(**entries: Any) -> CatalogueData:
    content = {
        name.replace("__", "/"): {"litellm_provider": "openai", "mode": "chat"} | e for name, e in entries.items()
    }
    text = json.dumps(content)
    return read_litellm(json.loads(text, parse_float=Decimal), "test")


def only(**entry: Any) -> Price:
    (price,) = read(m=entry).prices
    return price


def shown(price: Price) -> dict[str, str]:
    return {
        " ".join(
            [r.meter, *(json.dumps(r.when.to_json(), sort_keys=True) if r.when.specificity else "",)]
        ).strip(): str(r.price)
        for r in price.rates
    }


@pytest.fixture(scope="module")
def fixture() -> dict[tuple[str, str], Price]:
    content = json.loads(FIXTURE.read_text(), parse_float=Decimal)
    assert is_litellm(content)
    return {(p.provider, p.model_id): p for p in read_litellm(content, "litellm.json").prices}


@pytest.mark.parametrize(
    ("key", "mode", "expected"),
    [
        ("input_cost_per_token", "chat", PriceKey("input", 1_000_000)),
        ("output_cost_per_reasoning_token", "chat", PriceKey("output_reasoning", 1_000_000)),
        ("input_cost_per_token_above_200k_tokens", "chat", PriceKey("input", 1_000_000, 200_000)),
        ("input_cost_per_token_above_272k_tokens_priority", "chat", PriceKey("input", 1_000_000, 272_000, "priority")),
        ("input_cost_per_token_priority_above_200k_tokens", "chat", PriceKey("input", 1_000_000, 200_000, "priority")),
        ("input_cost_per_token_above_128_tokens", "chat", PriceKey("input", 1_000_000, 128)),
        ("cache_read_input_token_cost_batches", "chat", PriceKey("input_cache_read", 1_000_000, 0, "batches")),
        ("cache_creation_input_token_cost", "chat", PriceKey("input_cache_write_5m", 1_000_000)),
        ("cache_creation_input_token_cost_above_1hr", "chat", PriceKey("input_cache_write_1h", 1_000_000)),
        ("cache_creation_input_token_cost_above_12hr", "chat", PriceKey("input_cache_write_12h", 1_000_000)),
        (
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
            "chat",
            PriceKey("input_cache_write_1h", 1_000_000, 200_000),
        ),
        ("input_cost_per_audio_token", "chat", PriceKey("input_audio", 1_000_000)),
        ("output_cost_per_image_token", "chat", PriceKey("output_image", 1_000_000)),
        ("output_cost_per_image", "image_generation", PriceKey("images", 1)),
        ("input_cost_per_request", "chat", PriceKey("requests", 1)),
        ("input_cost_per_query", "rerank", PriceKey("search_units", 1000)),
        ("input_cost_per_second", "audio_transcription", PriceKey("seconds", 1)),
        ("input_cost_per_character", "audio_speech", PriceKey("characters", 1_000_000)),
        ("ocr_cost_per_page", "ocr", PriceKey("pages", 1000)),
        ("code_interpreter_cost_per_session", "chat", PriceKey("code_sessions", 1)),
    ],
)
def test_a_key_says_what_it_is_the_price_of(key: str, mode: str, expected: PriceKey) -> None:
    assert read_key(key, mode) == expected


@pytest.mark.parametrize("key", ["input_cost_per_pixel", "citation_cost_per_token", "input_cost_per_query", "x_cost"])
def test_a_key_without_a_meter_of_ours_says_why_it_is_left_out(key: str) -> None:
    assert isinstance(read_key(key, "chat"), str)


@pytest.mark.parametrize(
    ("key", "provider", "expected"),
    [
        ("gpt-4o", "openai", ("openai", "gpt-4o")),
        ("azure/gpt-4o", "azure", ("azure", "gpt-4o")),
        ("azure/eu/gpt-5", "azure", ("azure", "eu/gpt-5")),
        ("azure_ai/mistral-large", "azure_ai", ("azure", "mistral-large")),
        ("bedrock/eu-central-1/anthropic.claude-v2", "bedrock", ("aws", "eu-central-1/anthropic.claude-v2")),
        ("us.anthropic.claude-opus-5", "bedrock_converse", ("aws", "us.anthropic.claude-opus-5")),
        ("gemini/gemini-2.5-pro", "gemini", ("google", "gemini-2.5-pro")),
        ("vertex_ai/claude-opus-5", "vertex_ai-anthropic_models", ("google", "claude-opus-5")),
        ("xai/grok-4", "xai", ("x-ai", "grok-4")),
        ("mistral/mistral-large-latest", "mistral", ("mistral", "mistral-large-latest")),
        ("command-r", "cohere_chat", ("cohere", "command-r")),
    ],
)
def test_a_name_is_a_provider_and_a_model_as_we_know_them(key: str, provider: str, expected: tuple[str, str]) -> None:
    assert read_name(key, provider)[:2] == expected


@pytest.mark.parametrize("key", ["1024-x-1024/dall-e-2", "hd/1024-x-1024/dall-e-3", "bedrock/x/1-month-commitment/y"])
def test_sizes_and_commitments_are_no_models(key: str) -> None:
    assert isinstance(read_name(key, "openai"), str)


def test_a_cliff_holds_for_all_tokens_beyond_it() -> None:
    price = only(input_cost_per_token=1.25e-06, input_cost_per_token_above_200k_tokens=2.5e-06)
    assert shown(price) == {"input": "1.25", 'input {"context_tokens": {"gt": 200000}}': "2.5"}


def test_a_provider_whose_cliff_is_inclusive_has_it_one_token_earlier(fixture: dict[tuple[str, str], Price]) -> None:
    whens = [r.when.to_json() for r in fixture["x-ai", "grok-4.3"].rates if r.meter == "input"]
    assert whens == [{}, {"context_tokens": {"gt": 199_999}}]


def test_tiers_and_batches_are_conditions_that_never_tie(fixture: dict[tuple[str, str], Price]) -> None:
    found = shown(fixture["openai", "gpt-6-astra"])
    assert found['input {"processing": "batch"}'] == "5"
    assert found['input {"context_tokens": {"gt": 272000}, "service_tier": "priority"}'] == "40"
    for price in fixture.values():
        assert list(rate_faults(price.rates)) == []


def test_a_search_has_a_price_where_it_does_not_depend_on_its_context() -> None:
    sizes = {f"search_context_size_{size}": 0.01 for size in ("low", "medium", "high")}
    assert shown(only(search_context_cost_per_query=sizes)) == {"web_searches": "10"}
    dearer = sizes | {"search_context_size_high": 0.05}
    data = read(m={"input_cost_per_token": 1e-6, "search_context_cost_per_query": dearer})
    assert "search_context_cost_per_query" in data.left_out_counts()


def test_prices_by_ranges_of_context_are_steps() -> None:
    tiers = [
        {"input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6, "range": [0, 32000.0]},
        {"input_cost_per_token": 2e-6, "output_cost_per_token": 6e-6, "range": [32000.0, 128000.0]},
    ]
    assert shown(only(tiered_pricing=tiers)) == {
        "input": "1",
        'input {"context_tokens": {"gt": 32000}}': "2",
        "output": "5",
        'output {"context_tokens": {"gt": 32000}}': "6",
    }


def test_cheaper_hours_are_windows_of_the_utc_day() -> None:
    windows = [{"hours_utc": ["16:30-00:30"], "weekdays": [1, 2]}, {"hours_utc": "00:00-00:00", "weekdays": [7]}]
    price = only(input_cost_per_token=3e-7, off_peak_pricing={"input_cost_per_token": 1.5e-7, "windows": windows})
    whens = [r.when.to_json().get("time_of_day") for r in price.rates if str(r.price) == "0.15"]
    assert whens == [
        {"start": "16:30", "end": "00:30", "weekdays": [1, 2]},
        {"start": "00:00", "end": "12:00", "weekdays": [7]},
        {"start": "12:00", "end": "00:00", "weekdays": [7]},
    ]


def test_hours_whose_days_are_another_zones_are_left_out() -> None:
    cheaper = {
        "input_cost_per_token": 1e-7,
        "weekday_timezone": "Asia/Shanghai",
        "windows": [{"hours_utc": "01:00-02:00"}],
    }
    data = read(m={"input_cost_per_token": 3e-7, "off_peak_pricing": cheaper})
    assert (len(data.prices[0].rates), "off_peak_pricing" in data.left_out_counts()) == (1, True)


def test_regional_uplifts_are_multipliers() -> None:
    price = only(
        input_cost_per_token=1e-6,
        regional_processing_uplift_multiplier_eu=1.1,
        regional_endpoint_uplift_multiplier=1.2,
        provider_specific_entry={"us": 1.1, "fast": 6.0},
    )
    assert [(str(m.factor), m.when.to_json()) for m in price.multipliers] == [
        ("1.1", {"region": "eu"}),
        ("1.2", {"not_region": "global"}),
        ("1.1", {"region": "us"}),
        ("6.0", {"service_tier": "fast"}),
    ]


def test_of_two_entries_of_one_model_the_provider_itself_speaks() -> None:
    first = {"litellm_provider": "gemini", "input_cost_per_token": 1e-6}
    vertex = {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 2e-6}
    data = read(**{"gemini__g": first, "g": vertex})
    assert [(p.provider, str(p.rates[0].price)) for p in data.prices] == [("google", "1")]
    assert "second price" in data.left_out_counts()


def test_a_page_is_kept_and_dates_are_said_to_be_assumed(fixture: dict[tuple[str, str], Price]) -> None:
    detail = fixture["anthropic", "claude-sonnet-4-5"].detail
    assert detail == {"url": "https://platform.claude.com/docs/en/about-claude/pricing", "date_confidence": "assumed"}


def test_the_specimen_is_no_model(fixture: dict[tuple[str, str], Price]) -> None:
    assert all("sample_spec" not in model for _, model in fixture)


@pytest.mark.parametrize("value", ["free", True, -1e-6, [1]])
def test_a_price_that_is_no_price_is_refused_with_its_name(value: Any) -> None:
    with pytest.raises(InvalidInput, match="m: input_cost_per_token"):
        read(m={"input_cost_per_token": value})


def test_the_noise_of_a_float_is_taken_out_and_noted() -> None:
    data = read(m={"input_cost_per_token": 1.5000000000000002e-07})
    assert str(data.prices[0].rates[0].price) == "0.15"
    [noted] = data.normalised
    assert (noted.model, str(noted.taken)) == ("m", "1.5E-7")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.5000000000000002e-07", "1.5E-7"),
        ("9.499999999999999e-07", "9.5E-7"),
        ("2.9999900000000002e-06", "0.00000299999"),
        ("0.0002833333333333333", "0.0002833333333333333"),
        ("3.3333333333333335e-05", "0.000033333333333333335"),
        ("2.384185791015625e-08", "2.384185791015625E-8"),
        ("1e-6", "0.000001"),
    ],
)
def test_only_what_is_surely_noise_is_taken_out(written: str, meant: str) -> None:
    assert without_noise(Decimal(written)) == Decimal(meant)


@given(st.integers(1, 10**12), st.integers(-3, 12))
def test_a_number_that_went_through_a_float_comes_back(digits: int, exponent: int) -> None:
    number = Decimal(digits).scaleb(-exponent)
    assert without_noise(Decimal(repr(float(number)))) == number


@given(st.decimals("0", "99999", places=6), st.decimals("0", "99999", places=6))
def test_a_price_that_is_written_per_token_comes_back_exactly_per_million(one: Decimal, other: Decimal) -> None:
    text = f"""{{"m": {{"litellm_provider": "openai", "mode": "chat",
        "input_cost_per_token": {one.scaleb(-6)}, "output_cost_per_token": {other.scaleb(-6)}}}}}"""
    (price,) = read_litellm(json.loads(text, parse_float=Decimal), "test").prices
    assert [(r.meter, r.price) for r in price.rates] == [("input", one), ("output", other)]
