"""Our factors on the catalogue's prices: on the right models, with worked amounts, each with its source."""

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from cost_ops.catalog import CatalogueData, load_catalogue
from cost_ops.catalog.multipliers import with_multipliers
from cost_ops.domain.charging import charge
from cost_ops.domain.conditions import Conditions
from cost_ops.domain.meters import METERS
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rates import Rate, per_million
from tests.catalog.moments import TODAY
from tests.domain.builders import submission

FACTS = json.loads(files("cost_ops.catalog").joinpath("multipliers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(load_catalogue().prices)


def paid(book: PriceBook, provider: str, model: str, quantities: Any, **about: Any) -> Decimal:
    found = book.find("org-1", provider, model, to_us(TODAY))
    assert found is not None, model
    amount = charge(found, submission(quantities, at=TODAY, provider=provider, model_id=model, **about)).amount_e10
    assert amount is not None
    return decimal_from_e10(amount)


@pytest.mark.parametrize(
    ("provider", "model", "region", "factor"),
    [
        ("anthropic", "claude-opus-4-6", "us", "1.1"),
        ("anthropic", "claude-opus-4-6", "eu", "1"),
        ("anthropic", "claude-opus-4-6", None, "1"),
        ("anthropic", "claude-sonnet-4-5", "us", "1"),
        ("google", "claude-sonnet-4-5", "europe-west1", "1.1"),
        ("google", "claude-sonnet-4-5", "global", "1"),
        ("google", "claude-4-sonnet", "europe-west1", "1"),
        ("google", "gemini-2.5-pro", "europe-west1", "1"),
        ("openai", "gpt-5.4", "eu", "1.1"),
        ("openai", "gpt-5.4", "us-east-1", "1"),
        ("openai", "gpt-4o", "eu", "1"),
        ("together", "openai/gpt-oss-120b", "us", "1.25"),
        ("together", "openai/gpt-oss-120b", "eu", "1"),
    ],
)
def test_a_region_multiplies_the_tokens_of_the_models_that_it_is_for(
    book: PriceBook, provider: str, model: str, region: str | None, factor: str
) -> None:
    used = {"input": 1_000, "output": 10_000}
    plain = paid(book, provider, model, used)
    assert paid(book, provider, model, used, region=region) == plain * Decimal(factor)


def test_fees_of_tools_are_not_multiplied_and_factors_stack(book: PriceBook) -> None:
    used = {"input": 1_000_000, "web_searches": 100}
    assert paid(book, "anthropic", "claude-opus-4-6", used, region="us") == Decimal("6.5")
    assert paid(book, "anthropic", "claude-opus-4-6", {"output": 10}, service_tier="fast") == Decimal("0.0015")
    both = paid(book, "anthropic", "claude-opus-4-6", {"output": 10}, service_tier="fast", region="us")
    assert both == Decimal("0.00165")


def test_a_model_whose_fast_tokens_have_a_rate_has_no_factor_for_them(book: PriceBook) -> None:
    price = book.find("org-1", "anthropic", "claude-opus-5", to_us(TODAY))
    assert price is not None
    assert [m.when for m in price.price.multipliers] == [Conditions(region="us")]
    assert any(r.when.service_tier == "fast" for r in price.price.rates)


def test_groq_bills_ten_seconds_of_whisper_at_least(book: PriceBook) -> None:
    found = [paid(book, "groq", "whisper-large-v3", {"seconds": s}) for s in (1, 10, 20)]
    assert found == [Decimal(amount) for amount in ("0.0003083333", "0.0003083333", "0.0006166667")]


def test_every_fact_names_its_source_and_a_model_of_the_catalogue() -> None:
    prices = load_catalogue().prices
    for fact in (*FACTS["multipliers"], *FACTS["minimums"]):
        assert fact["source"].startswith("https://")
        found = [p for p in prices if p.provider == fact["provider"]]
        if "meter" in fact:
            assert fact["meter"] in METERS
            assert any(r.minimum_quantity == fact["minimum_quantity"] for p in found for r in p.rates)
        else:
            assert any(m.note == fact["note"] for p in found for m in p.multipliers)


def test_what_a_source_says_itself_stands() -> None:
    own = Multiplier(Decimal("1.2"), when=Conditions(region="us"), note="as the source has it")
    rate = Rate("seconds", Decimal(1), 1, minimum_quantity=30)
    prices = (
        Price("anthropic", "claude-opus-4-6", "USD", (per_million("input", Decimal(5)),), multipliers=(own,)),
        Price("groq", "whisper-large-v3", "USD", (rate,), layer=Layer.CATALOG),
        Price("mistral", "m", "USD", (per_million("input", Decimal(5)),)),
    )
    assert with_multipliers(CatalogueData(prices, (), "a list")).prices == prices
