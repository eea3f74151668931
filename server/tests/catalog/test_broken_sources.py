"""Price files that are broken: every one is read or refused, none is half taken and none brings the program down."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.catalog import sources
from cost_ops.catalog.sources import Source
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.rates import MAX_PRICE, rate_faults
from cost_ops.domain.text import text_fault

FIXTURES = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices"
RICH = {
    "input_cost_per_token": 1e-6,
    "output_cost_per_token": 2e-6,
    "litellm_provider": "openai",
    "mode": "chat",
    "tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-6}],
    "off_peak_pricing": {"input_cost_per_token": 1e-7, "windows": [{"hours_utc": ["00:00-01:00"], "weekdays": [1]}]},
    "provider_specific_entry": {"us": 1.1},
}
MODES = {"modes": {"fast": {"cost": {"input": 2}, "provider": {"body": {"service_tier": "priority"}}}}}
LITELLM = json.loads((FIXTURES / "litellm.json").read_text()) | {"rich": RICH}
MODELS_DEV = json.loads((FIXTURES / "models-dev.json").read_text())
MODELS_DEV["openai"]["models"]["gpt-4o"]["experimental"] = MODES
GENAI = [
    {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "x",
        "models": [
            {
                "id": "m",
                "match": {"or": [{"equals": "m"}, {"regex": "^m.*$"}]},
                "prices": {"input_mtok": 1, "output_mtok": 2},
            }
        ],
    }
]
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 10**30, "", "x", "1e5", "\x00", "a" * 300, [], [[]], [None], {}, {"a": {}}, {"input": "x"}, 1.5]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = junk
    return changed


@pytest.mark.parametrize("document", [LITELLM, MODELS_DEV, GENAI], ids=["litellm", "models.dev", "genai-prices"])
def test_junk_anywhere_is_left_out_or_refused(document: Any) -> None:
    everywhere = list(places(document))

    @given(st.sampled_from(everywhere), JUNK)
    def check(path: tuple[Any, ...], junk: Any) -> None:
        raw = json.dumps(replaced(document, path, junk)).encode()
        try:
            data = sources._parsed(Source("x.json"), raw)
        except InvalidInput:
            return
        for price in data.prices:
            assert price.rates
            assert list(rate_faults(price.rates)) == []
            assert text_fault(price.model_id) is None
            assert all(0 <= rate.price <= MAX_PRICE for rate in price.rates)

    check()


@pytest.mark.parametrize(
    "text",
    [
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e999999}}',
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": 99999999999999}}',
        '{"m": {"litellm_provider": "openai", "input_cost_per_token": NaN}}',
        '{"m\\u0000": {"litellm_provider": "openai", "input_cost_per_token": 1}}',
        '{"p": {"models": {"m": {"cost": {"input": Infinity}}}}}',
        '[{"id": "o", "name": "O", "api_pattern": "x", "models": [{"id": "m", "match": {"regex": "("}, "prices": {"input_mtok": 1}}]}]',
        "[" * 100_000,
        "\ufeff{}",
        "",
    ],
)
def test_what_no_ledger_should_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        sources._parsed(Source("x.json"), text.encode())


def test_a_long_number_keeps_all_its_digits() -> None:
    raw = b'{"m": {"litellm_provider": "openai", "input_cost_per_token": 0.123456789012345678901234567890123}}'
    (price,) = sources._parsed(Source("x.json"), raw).prices
    assert price.rates[0].price == Decimal("123456.789012345678901234567890123")
