"""models.dev's `api.json` (MIT) as a catalogue: the third opinion on a price.

The form is that of its `packages/core/src/schema.ts`: provider → `models` → `cost`, US dollars per million tokens. The
file has no history, and it names the page of a provider's documentation, not that of a price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData, LeftOut, Normalised, page_of
from cost_ops.catalog.decimals import number, without_noise
from cost_ops.catalog.genai_rates import Alternatives, Steps, Table, rates_of
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.domain.conditions import UNBOUNDED
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.meters import MILLION
from cost_ops.domain.prices import Layer, Price

PUBLISHER = "models.dev"
RANK = 3

METER_OF_COST = {
    "input": "input",
    "output": "output",
    "reasoning": "output_reasoning",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write_5m",
    "input_audio": "input_audio",
    "output_audio": "output_audio",
}
"""Name of a cost → meter."""

OVER_200K, LIST_OF_TIERS = "context_over_200k", "tiers"
"""Costs of larger contexts: the older form, one table; the newer, a list of tables with `tier.size`. That one wins."""

TIERS = frozenset({"priority", "flex", "fast"})
"""What an experimental mode may ask of the provider that is a service tier of ours."""

_MORE_PROVIDERS = {
    "amazon-bedrock": "aws",
    "azure-cognitive-services": "azure",
    "fireworks-ai": "fireworks",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "togetherai": "together",
    "xai": "x-ai",
}
"""Providers as models.dev writes them, beside those that usage may name."""

_SECOND_CHOICE = frozenset({"google-vertex", "google-vertex-anthropic", "azure-cognitive-services"})
"""Providers whose prices give way to another one's of the same canonical name."""


def is_models_dev(content: Any) -> bool:
    """Whether a parsed file has this form."""
    return isinstance(content, Mapping) and any(
        isinstance(provider, Mapping) and isinstance(provider.get("models"), Mapping) for provider in content.values()
    )


def read_models_dev(content: Mapping[str, Any], source: str) -> CatalogueData:
    """The prices of a parsed file. Raises InvalidInput with every price that is not a number, or negative."""
    reading = _Reading(source)
    for name in sorted(content, key=lambda name: (name in _SECOND_CHOICE, name)):
        provider = content[name]
        if isinstance(provider, Mapping) and isinstance(provider.get("models"), Mapping):
            reading.take(name, provider)
    if reading.problems:
        raise InvalidInput(reading.problems)
    prices = tuple(price for _, price in sorted(reading.found.items()))
    left_out = tuple(sorted(reading.left_out))
    return CatalogueData(prices, (), source, left_out, PUBLISHER, RANK, normalised=tuple(reading.normalised))


class _Reading:
    """What was read so far, and what was wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: dict[tuple[str, str], Price] = {}
        self.left_out: set[LeftOut] = set()
        self.normalised: list[Normalised] = []
        self.problems: list[Problem] = []

    def take(self, name: str, provider: Mapping[str, Any]) -> None:
        """Take a provider's models in; the first price of a model stays."""
        canonical = _MORE_PROVIDERS.get(name) or PROVIDER_NAMES.canonical(name)
        url = page_of(provider.get("doc"))
        for model_id, model in provider["models"].items():
            cost = model.get("cost") if isinstance(model, Mapping) else None
            key = (canonical, model_id)
            if not isinstance(cost, Mapping):
                self.left_out.add(LeftOut(canonical, model_id, "price", "the source states no price"))
            elif rates := rates_of(self._alternatives(canonical, model_id, model)):
                detail = {"url": url, "date_confidence": "assumed"}
                price = Price(canonical, model_id, "USD", rates, layer=Layer.CATALOG, source=self.source, detail=detail)
                self.found.setdefault(key, price)

    def _alternatives(self, provider: str, model_id: str, model: Mapping[str, Any]) -> Alternatives:
        """The standard costs, and those of the modes that are a service tier of ours."""
        variants = []
        for name, mode in _object(_object(model.get("experimental")).get("modes")).items():
            body = _object(_object(_object(mode).get("provider")).get("body"))
            tier = str(body.get("service_tier") or body.get("speed"))
            if tier in TIERS and isinstance(mode.get("cost"), Mapping):
                variants.append((("service_tier", tier), self._table(provider, model_id, mode["cost"])))
            else:
                self.left_out.add(LeftOut(provider, model_id, f"mode {name}", "no condition of ours says this"))
        return Alternatives(self._table(provider, model_id, model["cost"]), variants=tuple(variants))

    def _table(self, provider: str, model_id: str, cost: Mapping[str, Any]) -> Table:
        steps: dict[str, dict[int, Decimal]] = {}
        for start, costs in ((0, cost), *_larger(cost)):
            for meter, price in self._costs(provider, model_id, costs):
                steps.setdefault(meter, {})[start] = price
        return {meter: Steps(MILLION, tuple(sorted(at.items()))) for meter, at in steps.items() if 0 in at}

    def _costs(self, provider: str, model_id: str, costs: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
        for name, value in costs.items():
            meter = METER_OF_COST.get(name)
            if meter is None:
                if name not in (OVER_200K, LIST_OF_TIERS, "tier"):
                    self.left_out.add(LeftOut(provider, model_id, name, "no meter of ours counts this"))
                continue
            field = f"{provider}/{model_id}.{name}"
            try:
                written = number(value)
            except ValueError as error:
                self.problems.append(Problem(field, "invalid_price_data", f"{field} is {error}"))
                continue
            if written < 0:
                self.problems.append(Problem(field, "negative", f"{field} must not be negative"))
                continue
            meant = without_noise(written)
            if meant != written:
                self.normalised.append(Normalised(f"{provider}/{model_id}", name, written, meant))
            yield meter, meant


def _object(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _larger(cost: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(context tokens from which it holds, costs) of every table for larger contexts: more than the size it names."""
    tiers = cost.get(LIST_OF_TIERS)
    if isinstance(tiers, list) and tiers:
        for table in tiers:
            tier = _object(_object(table).get("tier"))
            size = tier.get("size")
            if tier.get("type", "context") == "context" and isinstance(size, int) and 0 < size < UNBOUNDED:
                yield size + 1, table
    elif isinstance(cost.get(OVER_200K), Mapping):
        yield 200_001, cost[OVER_200K]
