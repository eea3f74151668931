"""What is imported from genai-prices, and what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from genai_prices.data_units import unit_data
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from cost_ops.catalog.genai_prices import read_bundled, read_providers
from cost_ops.catalog.genai_units import METER_OF_PRICE_KEY, SAME_METER_AS, UNHELD_PRICE_KEYS
from cost_ops.domain.charging import charge
from cost_ops.domain.compiled import Stored, compile_price
from cost_ops.domain.meters import METERS
from cost_ops.domain.money import E10
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import Layer
from cost_ops.domain.rates import MAX_RATES, rate_faults, rates_from_json

GOLDEN = Path(__file__).parent / "golden_counts.json"
FAQ_PROVIDERS = {"openai", "anthropic", "google", "azure", "aws", "cohere", "mistral"}


def counted() -> dict[str, object]:
    data = read_bundled()
    models = Counter(provider for provider, _ in {(p.provider, p.model_id) for p in data.prices})
    rows, aliases = Counter(p.provider for p in data.prices), Counter(a.provider for a in data.aliases)
    return {
        "source": data.source,
        "left_out": data.left_out_counts(),
        "providers": {name: [models[name], rows[name], aliases[name]] for name in sorted(models)},
    }


def test_the_counts_of_models_rows_and_aliases_are_those_of_the_pinned_release() -> None:
    golden = json.loads(GOLDEN.read_text())
    hint = f"look at the difference, then: {sys.executable} -m tests.catalog.test_genai_prices"
    assert counted() == golden, hint


def test_every_provider_of_the_faq_has_models(catalogue) -> None:
    assert {p.provider for p in catalogue.prices} >= FAQ_PROVIDERS


def test_no_imported_price_has_a_tie_or_another_fault(catalogue) -> None:
    assert [(p.provider, p.model_id, fault) for p in catalogue.prices for fault in rate_faults(p.rates)] == []


def test_every_imported_price_survives_its_http_form(catalogue) -> None:
    for price in catalogue.prices:
        read, problems = rates_from_json([rate.to_json() for rate in price.rates])
        assert not problems
        assert set(read) == set(price.rates)
        assert len(read) <= MAX_RATES


def test_imported_prices_are_exact_dollar_rows_of_the_catalogue(catalogue) -> None:
    for price in catalogue.prices:
        assert (price.layer, price.currency, price.number) == (Layer.CATALOG, "USD", None)
        assert all(isinstance(rate.price, Decimal) for rate in price.rates)
        assert price.source


def test_timelines_are_without_overlap_and_without_gap_to_today(catalogue) -> None:
    timelines: dict[tuple[str, str], list] = {}
    for price in catalogue.prices:
        timelines.setdefault((price.provider, price.model_id), []).append(price)
    for rows in timelines.values():
        assert rows[0].effective_from is None
        assert [row.effective_to for row in rows] == [*(row.effective_from for row in rows[1:]), None]


def test_every_unit_of_the_registry_is_held_or_has_a_reason() -> None:
    keys = {unit.get("price_key", name) for name, unit in unit_data.items()}
    held, unheld = {*METER_OF_PRICE_KEY, *SAME_METER_AS}, set(UNHELD_PRICE_KEYS)
    assert held | unheld == keys
    assert held & unheld == set()


def test_held_units_have_our_meters_and_their_unit_sizes() -> None:
    per = {unit.get("price_key", name): unit["per"] for name, unit in unit_data.items()}
    for key, (meter, size) in METER_OF_PRICE_KEY.items():
        assert meter in METERS
        assert size == per[key]


def test_units_left_out_are_named_for_each_model_and_its_other_rates_are_kept(catalogue) -> None:
    lost = {item.what for item in catalogue.left_out if (item.provider, item.model_id) == ("openai", "gpt-realtime")}
    assert lost == {"cache_image_read_mtok"}
    price = next(p for p in catalogue.prices if (p.provider, p.model_id) == ("openai", "gpt-realtime"))
    assert {r.meter for r in price.rates} == {
        *("input", "input_cache_read", "input_audio_cache_read", "input_audio"),
        *("input_image", "output", "output_audio"),
    }


def test_a_model_without_any_price_is_left_out_unless_its_name_says_that_it_is_free(catalogue) -> None:
    unpriced = {(i.provider, i.model_id) for i in catalogue.left_out if i.what == "price"}
    assert ("openai", "moderation") in unpriced
    assert not any(model.endswith(":free") for _, model in unpriced)
    assert unpriced.isdisjoint((p.provider, p.model_id) for p in catalogue.prices)
    free = next(p for p in catalogue.prices if p.model_id == "deepseek/deepseek-r1:free")
    assert [(r.meter, r.price) for r in free.rates] == [("input", 0), ("output", 0)]


def test_o3_cost_10_before_2025_06_10_and_2_after(book) -> None:
    change = to_us(datetime(2025, 6, 10, tzinfo=UTC))
    for at, amount in ((change - 1, 10), (change, 2)):
        found = book.find("org-1", "openai", "o3", at)
        assert charge(found, Stored({"input": 1_000_000}, at, None, None, None)).amount_e10 == amount * E10


def test_importing_the_catalogue_does_not_import_the_package() -> None:
    code = "import sys, cost_ops.catalog; sys.exit('genai_prices' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _read(model: ModelInfo):
    return read_providers([Provider("openai", "OpenAI", "x", models=[model])], "test")


def _model(prices, **more) -> ModelInfo:
    return ModelInfo(id="m", match=ClauseEquals("m"), prices=prices, **more)


def _cost(data, quantities, at=datetime(2026, 1, 1, tzinfo=UTC), tier=None, processing=None):
    price = next(p for p in data.prices if p.valid_at(at))
    return charge(compile_price(price), Stored(quantities, to_us(at), tier, processing, None)).amount_e10


def test_a_tier_begins_above_its_start_and_holds_for_all_tokens_cached_ones_counted() -> None:
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(200_000, Decimal(2)), Tier(500_000, Decimal(4))])
    data = _read(_model(ModelPrice(input_mtok=tiered, cache_read_mtok=Decimal(1))))
    assert _cost(data, {"input": 200_000}) == 2 * E10 // 10
    assert _cost(data, {"input": 200_001}) == 4 * E10 // 10 + 20_000
    assert _cost(data, {"input": 100_000, "input_cache_read": 100_001}) == 3 * E10 // 10 + 10_000
    assert _cost(data, {"input": 500_000}) == E10
    assert _cost(data, {"input": 500_001}) == 2 * E10 + 40_000


def test_a_variant_overrides_only_the_meters_it_states_from_its_date_on() -> None:
    day = datetime(2026, 5, 1, tzinfo=UTC)
    batch = PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(1)), StartDateConstraint(day.date()))
    standard = ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(8))
    data = _read(_model(standard, price_variants=[batch]))
    both = {"input": 1_000_000, "output": 1_000_000}
    assert _cost(data, both, processing="batch") == 10 * E10
    assert _cost(data, both, at=day, processing="batch") == 9 * E10
    assert _cost(data, both, at=day) == 10 * E10


def test_variants_that_meet_are_priced_by_the_one_listed_first() -> None:
    variants = [
        PriceVariant({"service_tier": "priority"}, ModelPrice(input_mtok=Decimal(4))),
        PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(1))),
    ]
    data = _read(_model(ModelPrice(input_mtok=Decimal(2)), price_variants=variants))
    assert not list(rate_faults(data.prices[0].rates))
    assert _cost(data, {"input": 1_000_000}, tier="priority", processing="batch") == 4 * E10


def test_a_day_window_is_half_open_and_may_run_over_midnight() -> None:
    def at(hour: int, minute: int) -> datetime:
        return datetime(2026, 1, 1, hour, minute, tzinfo=UTC)

    window = TimeOfDateConstraint(at(16, 30).timetz(), at(0, 30).timetz())
    prices = [
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(2))),
        ConditionalPrice(window, prices=ModelPrice(input_mtok=Decimal(1))),
    ]
    data = _read(_model(prices))
    costs = [_cost(data, {"input": 1_000_000}, at=at(*t)) // E10 for t in ((0, 29), (0, 30), (16, 29), (16, 30))]
    assert costs == [1, 2, 2, 1]


def test_a_variant_that_we_cannot_say_is_left_out_and_named() -> None:
    eu = PriceVariant({"route": "eu"}, ModelPrice(input_mtok=Decimal(3)))
    data = _read(_model(ModelPrice(input_mtok=Decimal(2)), price_variants=[eu]))
    assert [(item.model_id, item.what) for item in data.left_out] == [("m", "route=eu")]
    assert len(data.prices[0].rates) == 1


def test_a_unit_that_is_new_to_us_is_left_out_and_named() -> None:
    data = _read(_model(ModelPrice(input_mtok=Decimal(2), input_smells_kcount=Decimal(7))))
    assert [item.what for item in data.left_out] == ["input_smells_kcount"]
    assert [rate.meter for rate in data.prices[0].rates] == ["input"]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(counted(), indent=1) + "\n")
