"""Catalogues from files, and the retired models of our own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_ops.catalog import load_catalogue
from cost_ops.catalog.price_list import read_price_list
from cost_ops.catalog.retired import read_retired
from cost_ops.catalog.sync import price_to_json
from cost_ops.domain.charging import charge
from cost_ops.domain.compiled import Stored
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import to_us
from tests.catalog.moments import TODAY

EXAMPLE: dict[str, Any] = {
    "provider": "Bedrock",
    "model_id": "example",
    "currency": "EUR",
    "effective_date": "2026-01-01T00:00:00Z",
    "rates": [
        {"meter": "input", "price": "3.00", "per": 1000000},
        {"meter": "input", "price": "6", "when": {"context_tokens": {"gt": 200000}}},
    ],
}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_price_list_is_read_exactly(tmp_path: Path) -> None:
    text = json.dumps([EXAMPLE]).replace('"6"', "6.000000000000000001")
    data = load_catalogue(write(tmp_path, text))
    [price] = data.prices
    assert (price.provider, price.model_id, price.currency, price.layer) == ("aws", "example", "EUR", "catalog")
    assert price.effective_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert [rate.price for rate in price.rates] == [Decimal(3), Decimal("6.000000000000000001")]
    assert price.source == data.source == "price list prices.json"


def test_the_catalogue_written_as_a_price_list_is_read_back_the_same(catalogue, tmp_path: Path) -> None:
    items = [{k: v for k, v in price_to_json(p).items() if v is not None} for p in catalogue.prices]
    read = load_catalogue(write(tmp_path, items))
    assert set(read.prices) == set(catalogue.prices)


def test_a_price_list_keeps_the_aliases_of_the_catalogue_behind_its_own(catalogue, tmp_path: Path) -> None:
    """A sync puts the aliases it reads in place of all others."""
    item = EXAMPLE | {"aliases": [{"kind": "equals", "pattern": "sample"}]}
    aliases = load_catalogue(write(tmp_path, [item])).aliases
    assert (aliases[0].pattern, aliases[1:]) == ("sample", catalogue.aliases)


def test_flat_prices_aliases_and_an_open_currency_are_taken() -> None:
    item = {
        **{"provider": "openai", "model_id": "m", "input_price_per_million": "1", "output_price_per_million": "2"},
        "aliases": [{"kind": "starts_with", "pattern": "m-"}],
    }
    data = read_price_list([item], "here")
    assert (data.prices[0].currency, [r.meter for r in data.prices[0].rates]) == ("USD", ["input", "output"])
    assert [(a.provider, a.kind, a.pattern, a.model_id) for a in data.aliases] == [("openai", "starts_with", "m-", "m")]


def test_every_problem_of_every_price_is_reported_at_its_place() -> None:
    items = [
        EXAMPLE | {"currency": "euro", "colour": "red", "rates": []},
        7,
        EXAMPLE | {"provider": "", "effective_date": "2026-01-01", "aliases": [{"kind": "regex", "pattern": "("}]},
    ]
    with pytest.raises(InvalidInput) as caught:
        read_price_list(items, "here")
    assert {(p.field, p.reason) for p in caught.value.problems} == {
        ("prices[0].colour", "unknown_field"),
        ("prices[0].currency", "unknown_currency"),
        ("prices[0].rates", "invalid_type"),
        ("prices[1]", "invalid_type"),
        ("prices[2].provider", "missing_required_field"),
        ("prices[2].effective_date", "invalid_date_format"),
        ("prices[2].aliases", "invalid_value"),
    }


def test_two_prices_of_one_model_must_not_hold_at_the_same_time() -> None:
    later = EXAMPLE | {"effective_date": "2026-02-01T00:00:00Z"}
    with pytest.raises(InvalidInput, match="at the same time"):
        read_price_list([later, EXAMPLE], "here")
    ended = EXAMPLE | {"end_date": "2026-02-01T00:00:00Z"}
    assert [p.effective_to is None for p in read_price_list([later, ended], "here").prices] == [False, True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "invalid_json"),
        ("{}", "invalid_price_data"),
        ("[]", "invalid_price_data"),
        ('[{"id": "x", "models": 7}]', "invalid_price_data"),
    ],
)
def test_a_file_that_is_neither_form_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_catalogue(write(tmp_path, content))
    assert caught.value.problems[0].reason == reason


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_catalogue(tmp_path / "absent.json")


def test_the_json_form_of_genai_prices_is_read_with_exact_decimals(tmp_path: Path) -> None:
    tiers = '{"base": 0.1, "tiers": [{"start": 200000, "price": 0.20000000000000000001}]}'
    text = f"""[{{"id": "openai", "name": "OpenAI", "api_pattern": "x", "models": [
        {{"id": "m", "match": {{"or": [{{"equals": "m"}}, {{"starts_with": "m-"}}]}}, "prices": [
            {{"prices": {{"input_mtok": 0.07}}}},
            {{"constraint": {{"start_date": "2026-05-01"}}, "prices": {{"input_mtok": {tiers}}}}}]}}]}}]"""
    data = load_catalogue(write(tmp_path, text))
    mine = [p for p in data.prices if p.model_id == "m"]
    assert [str(r.price) for p in mine for r in p.rates] == ["0.07", "0.1", "0.20000000000000000001"]
    assert mine[0].effective_to == mine[1].effective_from == datetime(2026, 5, 1, tzinfo=UTC)
    assert [(a.kind, a.pattern) for a in data.aliases if a.model_id == "m"] == [("starts_with", "m-")]
    assert any(p.model_id == "text-bison" for p in data.prices)


def test_genai_prices_still_lacks_every_retired_model_of_ours(genai_providers) -> None:
    """Where this fails, the package has caught up: take our row out."""
    theirs = {provider.id: provider for provider in genai_providers}
    retired = read_retired()
    names = {(p.provider, p.model_id) for p in retired.prices}
    names |= {(a.provider, a.pattern) for a in retired.aliases if a.kind == "equals"}
    assert [(p, m) for p, m in names if theirs[p].find_model(m, all_providers=genai_providers)] == []


def test_aliases_of_retired_models_lead_to_models_of_the_catalogue(catalogue) -> None:
    known = {(p.provider, p.model_id) for p in catalogue.prices}
    assert {(a.provider, a.model_id) for a in read_retired().aliases} <= known


@pytest.mark.parametrize(
    ("provider", "model", "quantities", "amount"),
    [
        ("google", "text-bison@001", {"input": 1_000_000, "output": 1_000_000}, "3"),
        ("google", "text-bison@001", {"characters": 4_000_000}, "1"),
        ("anthropic", "claude-instant-1.2", {"input": 1_000_000, "output": 1_000_000}, "3.2"),
        ("aws", "anthropic.claude-v2", {"input": 1_000, "output": 1_000}, "0.032"),
        ("openai", "gpt-4-0314", {"input": 1_000, "output": 1_000}, "0.09"),
    ],
)
def test_retired_models_cost_what_was_published(book, provider, model, quantities, amount) -> None:
    found = book.find("org-1", provider, model, to_us(TODAY))
    cost = charge(found, Stored(quantities, to_us(TODAY), None, None, None)).amount_e10
    assert cost is not None
    assert format_e10(cost) == amount
