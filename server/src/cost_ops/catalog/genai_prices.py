"""The one adapter for the `genai-prices` package (MIT): its bundled snapshot, or its `data.json`, as our catalogue.

Nothing is fetched. The package is imported when a catalogue is read, not when this module is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cost_ops.catalog.catalogue import CatalogueData, LeftOut
from cost_ops.catalog.genai_matching import compact_dates, patterns_of
from cost_ops.catalog.genai_timeline import stretches
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.domain.errors import invalid
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

CURRENCY = "USD"
"""All prices of genai-prices are in US dollars."""

_LEAKS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, StopIteration)
"""What the package's check of a file raises: its own errors, and its helpers' where the form is quite another."""

NO_PRICE = "price"
"""What is left out where a model has no price at all."""


def read_bundled() -> CatalogueData:
    """The snapshot that came with the installed package."""
    from genai_prices import __version__
    from genai_prices.data import providers

    return read_providers(providers, f"genai-prices {__version__}")


def read_json(raw: list[Any], source: str) -> CatalogueData:
    """The content of a `data.json` (v2), parsed with `parse_float=Decimal`. Raises InvalidInput.

    Checked by the package's own schema, which it exposes under a private name only; the version is pinned below 0.3.
    """
    from genai_prices.types import _providers_from_raw

    try:
        providers = _providers_from_raw(raw)
    except _LEAKS as error:
        raise invalid("source", "invalid_price_data", f"source is not genai-prices data: {error}") from error
    return read_providers(providers, source)


def read_providers(providers: Iterable[Provider], source: str) -> CatalogueData:
    """Every model of every provider, in the package's order."""
    prices: list[Price] = []
    aliases: list[Alias] = []
    left_out: set[LeftOut] = set()
    for provider in providers:
        name = PROVIDER_NAMES.canonical(provider.id)
        for model in provider.models:
            timeline = _prices(name, model, source, left_out)
            prices.extend(timeline)
            if timeline:
                aliases.extend(_aliases(name, provider, model))
    return CatalogueData(tuple(prices), tuple(aliases), source, tuple(sorted(left_out)))


def _prices(provider: str, model: ModelInfo, source: str, left_out: set[LeftOut]) -> list[Price]:
    """The model's timeline: each row ends where the next begins; stretches without a price are left out."""

    def note(what: str, reason: str) -> None:
        left_out.add(LeftOut(provider, model.id, what, reason))

    rows = stretches(model, note) or [(None, ())]
    ends = [after for (_, _), (after, _) in pairwise(rows)] + [None]
    blank = Price(provider, model.id, CURRENCY, (), layer=Layer.CATALOG, source=source)
    if not all(rates for _, rates in rows):
        note(NO_PRICE, "the source states no price that we can hold for some or all of the time")
    return [
        replace(blank, rates=rates, effective_from=start, effective_to=end)
        for (start, rates), end in zip(rows, ends, strict=True)
        if rates
    ]


def _aliases(name: str, provider: Provider, model: ModelInfo) -> Iterator[Alias]:
    patterns = patterns_of(model.match)
    for kind, pattern in dict.fromkeys(patterns):
        if (kind, pattern) != ("equals", model.id):
            yield Alias(name, kind, pattern, model.id)
    for kind, pattern in dict.fromkeys(compact_dates(patterns)):
        if provider.find_model(pattern) is model:
            yield Alias(name, kind, pattern, model.id)
