"""The strongest test: every model of genai-prices, priced by its own code and by our book, costs the same.

Every model, at both sides of every date in its timeline, at every half hour where its price has a window, at both sides
of every tier, for every context that one of its variants names. Compared within 1e-9: theirs is not rounded, ours is
rounded once for each line. The exceptions are the tests at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage
from genai_prices.types import ModelInfo, Provider, TieredPrices

from cost_ops.catalog import PROVIDER_NAMES
from cost_ops.domain.charging import charge
from cost_ops.domain.compiled import CompiledPrice, Stored, compile_price
from cost_ops.domain.meters import FALLBACK_CHAINS, INPUT_METERS, METERS, OUTPUT_METERS
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.periods import MICROSECOND, to_us
from cost_ops.domain.prices import Price
from cost_ops.domain.usage import Quantities, Quantity
from tests.catalog.moments import TODAY

CLOSE = Decimal("1e-9")
USAGES: tuple[Mapping[str, int], ...] = (
    {"input": 1_234, "output": 567},
    {
        **{"input": 1_001, "input_cache_read": 5_003, "input_cache_write_5m": 307, "input_cache_write_1h": 211},
        **{"output": 777, "output_reasoning": 123},
    },
    {
        **{"input": 11, "input_audio": 23, "input_image": 37, "input_video": 41, "input_tool": 43},
        **{"output": 5, "output_audio": 7, "output_image": 13, "output_video": 17},
    },
    {"web_searches": 3, "file_searches": 2, "pages": 12, "seconds": 91, "characters": 4_321, "search_units": 5},
)
COUNTERS = {
    "web_searches": ("web_searches",),
    "file_searches": ("storage_searches",),
    "pages": ("input_document_pages",),
    "seconds": ("audio_seconds", "input_audio_seconds"),
    "characters": ("input_characters",),
    "search_units": ("rerank_searches",),
}
PARTS = {
    "input_cache_read": "cache_read_tokens",
    "input_cache_write_1h": "cache_write_1h_tokens",
    "input_tool": "input_tool_tokens",
    "output_reasoning": "output_reasoning_tokens",
    **{
        m: f"{m}_tokens"
        for m in METERS
        if m.startswith(("input_", "output_")) and m.endswith(("audio", "image", "video"))
    },
}


def their_usage(quantities: Mapping[str, Quantity]) -> Usage:
    """Our disjoint quantities as their inclusive counts."""
    values = {PARTS[meter]: amount for meter, amount in quantities.items() if meter in PARTS}
    values["input_tokens"] = sum(amount for meter, amount in quantities.items() if meter in INPUT_METERS)
    values["output_tokens"] = sum(amount for meter, amount in quantities.items() if meter in OUTPUT_METERS)
    values["cache_write_tokens"] = quantities.get("input_cache_write_5m", 0) + quantities.get("input_cache_write_1h", 0)
    for meter, names in COUNTERS.items():
        values.update(dict.fromkeys(names, quantities.get(meter, 0)))
    return Usage(**values)


def priced_part(compiled: CompiledPrice, usage: Mapping[str, int]) -> Quantities:
    """What of a usage the price knows; what it does not know is unpriced for us and free for genai-prices."""
    return {m: n for m, n in usage.items() if any(c in compiled.rates for c in FALLBACK_CHAINS[m])}


def moments(price: Price) -> Iterator[datetime]:
    """Both ends of the price's time, today where it holds, and a day in half hours where it has windows."""
    start, end = price.effective_from, price.effective_to
    at = [
        moment for moment in (start, end and end - MICROSECOND, TODAY) if moment is not None and price.valid_at(moment)
    ]
    yield from at or [TODAY.replace(year=2020)]
    if any(rate.when.time_of_day for rate in price.rates):
        day = (start or (end - timedelta(days=2) if end else TODAY)).replace(hour=0)
        yield from (day + timedelta(minutes=minute) for half in range(0, 1440, 30) for minute in (half, half + 29))


def thresholds(model: ModelInfo) -> set[int]:
    tables = [model.prices] if not isinstance(model.prices, list) else [entry.prices for entry in model.prices]
    tables += [variant.prices for variant in model.price_variants or ()]
    tiered = [value for table in tables for value in vars(table).values() if isinstance(value, TieredPrices)]
    return {tier.start for value in tiered for tier in value.tiers}


def usages(model: ModelInfo) -> Iterator[Mapping[str, int]]:
    yield from USAGES
    for start in thresholds(model):
        for tokens in (start, start + 1, 3 * start):
            yield {"input": tokens, "output": 321}
            cached = {"input_cache_read": 5, "input_cache_write_5m": 7, "input_cache_write_1h": 9}
            yield {"input": tokens - 21, **cached, "output": 300, "output_reasoning": 21}


def contexts(model: ModelInfo) -> Iterator[tuple[dict[str, str], str | None, str | None]]:
    """Their price context, our tier and our processing: none, each that a variant names, and pairs."""
    yield {}, None, None
    named = {pair for variant in model.price_variants or () for pair in variant.when.items()}
    tiers = [(key, value) for key, value in sorted(named) if key in ("service_tier", "speed")]
    for key, value in tiers:
        yield {key: value}, value, None
    if ("processing", "batch") in named:
        yield {"processing": "batch"}, None, "batch"
        for key, value in tiers:
            yield {key: value, "processing": "batch"}, value, "batch"


def differences(provider: Provider, model: ModelInfo, price: Price) -> Iterator[tuple[object, ...]]:
    compiled = compile_price(price)
    for usage in usages(model):
        quantities = priced_part(compiled, usage)
        if not quantities:
            continue
        for at in moments(price):
            for context, tier, processing in contexts(model):
                ours = charge(compiled, Stored(quantities, to_us(at), tier, processing, None)).amount_e10
                theirs = model.calc_price(
                    their_usage(quantities), provider, genai_request_timestamp=at, price_context=context
                ).total_price
                if ours is None or abs(decimal_from_e10(ours) - theirs) > CLOSE:
                    yield (provider.id, model.id, at, context, quantities, ours, theirs)


@pytest.fixture(scope="module")
def rows(catalogue) -> dict[tuple[str, str], list[Price]]:
    found: dict[tuple[str, str], list[Price]] = {}
    for price in catalogue.prices:
        found.setdefault((price.provider, price.model_id), []).append(price)
    return found


def test_every_model_costs_what_genai_prices_says(genai_providers, rows) -> None:
    compared = 0
    found: list[tuple[object, ...]] = []
    for provider in genai_providers:
        for model in provider.models:
            for price in rows.get((PROVIDER_NAMES.canonical(provider.id), model.id), ()):
                compared += 1
                found.extend(differences(provider, model, price))
    assert found == []
    assert compared > 2_700


Pair = tuple[Provider, ModelInfo, CompiledPrice]


@pytest.fixture(scope="module")
def pair(genai_providers, rows) -> Callable[[str, str], Pair]:
    """A model of theirs and its price of today in our form, by provider and model."""

    def get(provider: str, model: str) -> Pair:
        theirs = next(p for p in genai_providers if p.id == provider)
        return theirs, next(m for m in theirs.models if m.id == model), compile_price(rows[(provider, model)][-1])

    return get


def both(pair: Pair, usage: Usage, quantities: Quantities) -> tuple[Decimal, Decimal]:
    """Their cost and ours."""
    provider, model, compiled = pair
    ours = charge(compiled, Stored(quantities, to_us(TODAY), None, None, None)).amount_e10
    assert ours is not None
    return model.calc_price(usage, provider, genai_request_timestamp=TODAY).total_price, decimal_from_e10(ours)


def test_groq_bills_at_least_ten_seconds_of_whisper(pair) -> None:
    usage = Usage(audio_seconds=3, input_audio_seconds=3)
    theirs, ours = both(pair("groq", "whisper-large-v3"), usage, {"seconds": 3})
    assert (theirs.quantize(Decimal("1e-8")), ours) == (Decimal("0.00030833"), Decimal("0.0003083333"))


def test_exception_cached_audio_has_the_cache_rate_of_text(pair) -> None:
    million = 1_000_000
    usage = Usage(
        **dict.fromkeys(("input_tokens", "input_audio_tokens", "cache_read_tokens", "cache_audio_read_tokens"), million)
    )
    theirs, ours = both(pair("google", "gemini-2.5-flash"), usage, {"input_cache_read": million})
    assert (theirs, ours) == (Decimal("0.1"), Decimal("0.03"))


def test_exception_citation_tokens_cost_what_output_costs(pair) -> None:
    usage = Usage(output_tokens=1_000_000, output_citation_tokens=1_000_000)
    theirs, ours = both(pair("perplexity", "sonar-deep-research"), usage, {"output": 1_000_000})
    assert (theirs, ours) == (Decimal(2), Decimal(8))


def test_exception_what_no_rate_prices_is_unpriced_for_us_and_free_for_genai_prices(pair) -> None:
    provider, model, compiled = pair("openai", "text-embedding-3-small")
    usage = Usage(input_tokens=0, output_tokens=10)
    assert model.calc_price(usage, provider, genai_request_timestamp=TODAY).total_price == 0
    found = charge(compiled, Stored({"output": 10}, to_us(TODAY), None, None, None))
    assert (found.amount_e10, list(found.missing)) == (None, ["output"])
