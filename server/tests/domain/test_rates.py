"""Rates are read completely or refused completely."""

from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.rates import rates_from_json
from tests.domain.builders import rates


def test_the_json_form_survives_a_round_trip() -> None:
    items: list[dict[str, Any]] = [
        {"meter": "input", "price": "3", "per": 1_000_000},
        {"meter": "input", "price": "6", "per": 1_000_000, "when": {"context_tokens": {"gt": 200_000}}},
        {"meter": "input_cache_read", "fraction": "0.1", "of": "input"},
        {"meter": "output", "price": "7.5", "per": 1_000_000, "when": {"processing": "batch", "region": "eu"}},
        {"meter": "web_searches", "price": "10", "per": 1000, "included": 5},
        {
            "meter": "output",
            "price": "1",
            "per": 1_000_000,
            "when": {"time_of_day": {"start": "16:30", "end": "00:30", "weekdays": [1, 5]}},
        },
    ]
    assert [r.to_json() for r in rates(*items)] == items


def test_two_rates_for_the_same_calls_are_a_tie() -> None:
    _, problems = rates_from_json([{"meter": "input", "price": 1}, {"meter": "input", "price": 2}])
    assert [p.reason for p in problems] == ["tie"]


def test_overlapping_conditions_tie_unless_a_third_rate_settles_them() -> None:
    pair: list[dict[str, Any]] = [
        {"meter": "input", "price": 1, "when": {"processing": "batch"}},
        {"meter": "input", "price": 2, "when": {"service_tier": "flex"}},
    ]
    assert [p.reason for p in rates_from_json(pair)[1]] == ["tie"]
    settled = [*pair, {"meter": "input", "price": 3, "when": {"service_tier": "flex", "processing": "batch"}}]
    assert rates_from_json(settled)[1] == []


def test_neighbouring_context_ranges_do_not_tie() -> None:
    items = [
        {"meter": "input", "price": 1, "when": {"context_tokens": {"lte": 10}}},
        {"meter": "input", "price": 2, "when": {"context_tokens": {"gt": 10}}},
    ]
    assert rates_from_json(items)[1] == []


def test_every_fault_is_named_with_its_place() -> None:
    _, problems = rates_from_json(
        [
            {"meter": "inputs", "price": 1},
            {"meter": "input", "price": -1},
            {"meter": "input", "price": 0.1},
            {"meter": "input"},
            {"meter": "input", "price": 1, "per": 0, "colour": 1},
            {"meter": "input", "price": 1, "when": {"moon": "full", "context_tokens": {"gt": 5, "lt": 3}}},
            7,
        ]
    )
    assert [p.field for p in problems] == [
        "rates[0].meter",
        "rates[1].price",
        "rates[2].price",
        "rates[3].price",
        "rates[4].colour",
        "rates[4].per",
        "rates[5].when.moon",
        "rates[5].when.context_tokens",
        "rates[6]",
    ]


def test_flat_prices_per_thousand_and_per_million_are_the_same() -> None:
    thousand = rates_from_fields({"input_price_per_1k": "0.01", "output_price_per_1k": "0.03"})
    million = rates_from_fields({"input_price_per_million": "10", "output_price_per_million": 30})
    assert [r.price_per_million for r in thousand] == [r.price_per_million for r in million]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "input_price_per_1k"),
        ({"input_price_per_1k": "x"}, "input_price_per_1k"),
        ({"input_price_per_1k": 1, "input_price_per_million": 1}, "input_price_per_million"),
        ({"input_price_per_1k": 1, "rates": [{"meter": "input", "price": 1}]}, "rates"),
        ({"rates": []}, "rates"),
    ],
)
def test_flat_prices_that_say_too_little_or_too_much_are_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rates_from_fields(fields)
    assert caught.value.problems[0].field == field
