"""Our own facts beside the sources' prices: factors on tokens and least quantities, as data in `multipliers.json`.

The sources state prices per unit and leave these out. A price that has factors of its own keeps them as they are, and a
rate that has the same condition as a factor holds the surcharge already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.domain.multipliers import Multiplier, multipliers_from_json
from cost_ops.domain.prices import WILDCARD, Price
from cost_ops.domain.rates import Rate


@dataclass(frozen=True, slots=True)
class _Fact:
    """What holds for models of a provider: factors, or a least quantity of a meter."""

    provider: str
    models: re.Pattern[str]
    multipliers: tuple[Multiplier, ...] = ()
    meter: str = ""
    minimum_quantity: int = 0

    def names(self, price: Price) -> bool:
        """Whether a price is meant."""
        return price.provider == self.provider and self.models.fullmatch(price.model_id) is not None


def with_multipliers(data: CatalogueData) -> CatalogueData:
    """The catalogue with our factors and least quantities on the prices that they are for."""
    return replace(data, prices=tuple(_with_facts(price) for price in data.prices))


def _with_facts(price: Price) -> Price:
    found = [fact for fact in _facts() if fact.names(price)]
    if not found:
        return price
    factors = [m for fact in found for m in fact.multipliers if not any(_holds_it(rate, m) for rate in price.rates)]
    least = {fact.meter: fact.minimum_quantity for fact in found if fact.minimum_quantity}
    rates = tuple(
        replace(rate, minimum_quantity=least[rate.meter]) if rate.meter in least and not rate.minimum_quantity else rate
        for rate in price.rates
    )
    return replace(price, rates=rates, multipliers=price.multipliers or tuple(factors))


def _holds_it(rate: Rate, multiplier: Multiplier) -> bool:
    """Whether a rate states the price of such calls itself."""
    tier = multiplier.when.service_tier
    return tier is not None and rate.when.service_tier == tier


@cache
def _facts() -> tuple[_Fact, ...]:
    content = json.loads(files("cost_ops.catalog").joinpath("multipliers.json").read_text(encoding="utf-8"))
    return (*_factors(content["multipliers"]), *_minimums(content["minimums"]))


def _factors(items: Sequence[Mapping[str, Any]]) -> Iterator[_Fact]:
    for item in items:
        conditions = [{"region": region} for region in item.get("regions", ())] or [item["when"]]
        stated = [
            {"factor": item["factor"], "meters": item["meters"], "note": item["note"], "when": when}
            for when in conditions
        ]
        multipliers, problems = multipliers_from_json(stated)
        if problems:
            raise ValueError(f"multipliers.json: {problems[0].message}")
        yield _Fact(item["provider"], _models(item["models"]), multipliers)


def _minimums(items: Sequence[Mapping[str, Any]]) -> Iterator[_Fact]:
    for item in items:
        yield _Fact(
            item["provider"],
            _models(item["models"]),
            meter=item["meter"],
            minimum_quantity=item["minimum_quantity"],
        )


def _models(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(".*".join(map(re.escape, pattern.split(WILDCARD))) for pattern in patterns))
