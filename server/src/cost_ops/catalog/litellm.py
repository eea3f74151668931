"""LiteLLM's `model_prices_and_context_window.json` (MIT) as a catalogue: the second opinion on a price.

The file has no history: a price is what held when the file was made. It names the page that a price was read from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from cost_ops.catalog.catalogue import CatalogueData, LeftOut, Normalised, page_of
from cost_ops.catalog.decimals import number, scaled, without_noise
from cost_ops.catalog.genai_rates import Alternatives, Steps, Table, rates_of
from cost_ops.catalog.litellm_keys import METER_OF_NAME, TIERS, PriceKey, is_price, read_key
from cost_ops.catalog.litellm_names import Named, read_name
from cost_ops.catalog.litellm_parts import TieredPrices, multipliers_of, off_peak, web_searches
from cost_ops.domain.conditions import DayWindow
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rates import MAX_RATES

PUBLISHER = "litellm"
RANK = 2
_SPECIMEN = "sample_spec"
_ORDER = {meter: position for position, meter in enumerate(METER_OF_NAME)}

INCLUSIVE = frozenset({"x-ai"})
"""Providers whose `above 200k` holds from 200,000 tokens on; elsewhere it begins with the next token."""


def is_litellm(content: Any) -> bool:
    """Whether a parsed file has this form."""
    return isinstance(content, Mapping) and any(
        isinstance(entry, Mapping) and "litellm_provider" in entry for entry in content.values()
    )


def read_litellm(content: Mapping[str, Any], source: str) -> CatalogueData:
    """The prices of a parsed file. Raises InvalidInput with every price that is not a number, or negative."""
    reading = _Reading(source)
    entries = [(key, entry) for key, entry in content.items() if key != _SPECIMEN and isinstance(entry, Mapping)]
    for key, entry in entries:
        reading.take(key, entry)
    if reading.problems:
        raise InvalidInput(reading.problems)
    prices = tuple(found.price for _, found in sorted(reading.found.items()))
    return CatalogueData(
        prices, (), source, tuple(sorted(reading.left_out)), PUBLISHER, RANK, normalised=tuple(reading.normalised)
    )


class _Found(NamedTuple):
    preference: tuple[int, str]
    price: Price


class _Stated(NamedTuple):
    key: PriceKey
    price: Decimal
    name: str


class _Reading:
    """What was read so far, and what was wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: dict[tuple[str, str], _Found] = {}
        self.left_out: set[LeftOut] = set()
        self.normalised: list[Normalised] = []
        self.problems: list[Problem] = []

    def take(self, key: str, entry: Mapping[str, Any]) -> None:
        """Take an entry in; of several entries of one model the preferred one speaks."""
        named = read_name(key, str(entry.get("litellm_provider") or "unknown"))
        if isinstance(named, str):
            self.left_out.add(LeftOut(str(entry.get("litellm_provider")), key, "price", named))
            return
        price = self._price(key, named, entry)
        if price is None:
            return
        model, preference = (named.provider, named.model_id), (named.preference, key)
        known = self.found.get(model)
        if known is None or preference < known.preference:
            self.found[model] = _Found(preference, price)
        if known is not None and known.price.rates != price.rates:
            twice = f"the file names it twice: {max(known.preference[1], key)}"
            self.left_out.add(LeftOut(*model, "second price", twice))

    def _price(self, key: str, named: Named, entry: Mapping[str, Any]) -> Price | None:
        stated = list(self._stated(key, named, entry))
        alternatives = self._alternatives(key, named, entry, stated)
        rates = rates_of(alternatives)
        if len(rates) > MAX_RATES:
            self._leave_out(named, "variants", f"more than {MAX_RATES} rates: only those without a tier are taken")
            rates = rates_of(Alternatives(alternatives.base))
        if not rates:
            return None
        detail = {"url": page_of(entry.get("source")), "date_confidence": "assumed"}
        multipliers = multipliers_of(entry, lambda what, why: self._leave_out(named, what, why))
        return Price(
            named.provider,
            named.model_id,
            "USD",
            rates,
            layer=Layer.CATALOG,
            source=self.source,
            multipliers=multipliers,
            detail=detail,
        )

    def _leave_out(self, named: Named, what: str, why: str) -> None:
        self.left_out.add(LeftOut(named.provider, named.model_id, what, why))

    def _stated(self, key: str, named: Named, entry: Mapping[str, Any]) -> Iterator[_Stated]:
        """The entry's prices that we hold. Of two for one meter the last one counts: no zero, the preferred name."""
        mode = str(entry.get("mode") or "")
        found = []
        for name, value in entry.items():
            if not is_price(name) or value is None:
                continue
            read = read_key(name, mode)
            if isinstance(read, str):
                self._leave_out(named, name, read)
            elif (price := self._number(value, key, name)) is not None:
                found.append(_Stated(read, price, name))
        yield from sorted(found, key=lambda s: (s.price != 0, -_ORDER.get(s.name, 0)))

    def _number(self, value: Any, key: str, name: str) -> Decimal | None:
        try:
            written = number(value)
        except ValueError as error:
            self.problems.append(Problem(f"{key}.{name}", "invalid_price_data", f"{key}: {name} is {error}"))
            return None
        if written < 0:
            self.problems.append(Problem(f"{key}.{name}", "negative", f"{key}: {name} must not be negative"))
            return None
        meant = without_noise(written)
        if meant != written:
            self.normalised.append(Normalised(key, name, written, meant))
        return meant

    def _alternatives(self, key: str, named: Named, entry: Mapping[str, Any], stated: list[_Stated]) -> Alternatives:
        inclusive = named.provider in INCLUSIVE
        base = _table(stated, None, inclusive)
        tiered = TieredPrices(entry.get("tiered_pricing"))
        for name, steps in tiered.steps(lambda value, what: self._number(value, key, what)).items():
            base[METER_OF_NAME[name]] = steps
        if (searches := web_searches(entry, lambda value, what: self._number(value, key, what))) is not None:
            base["web_searches"] = searches
        elif "search_context_cost_per_query" in entry:
            self._leave_out(named, "search_context_cost_per_query", "the price of a search depends on its context size")
        variants = [(TIERS[mode], _table(stated, mode, inclusive)) for mode in TIERS]
        return Alternatives(base, tuple(self._windows(key, named, entry)), tuple((c, t) for c, t in variants if t))

    def _windows(self, key: str, named: Named, entry: Mapping[str, Any]) -> Iterator[tuple[DayWindow, Table]]:
        value = entry.get("off_peak_pricing")
        if not isinstance(value, Mapping):
            return
        windows = off_peak(value)
        if isinstance(windows, str):
            self._leave_out(named, "off_peak_pricing", windows)
            return
        cheaper = list(self._stated(key, named, {**value, "mode": entry.get("mode")}))
        table = _table(cheaper, None, inclusive=False)
        yield from ((window, table) for window in windows)


def _table(stated: list[_Stated], mode: str | None, inclusive: bool) -> dict[str, Steps]:
    """The steps of every meter in one mode. A mode that has only prices above a size has the base price below."""
    prices: dict[str, dict[int, Decimal]] = {}
    units: dict[str, int] = {}
    for key, price, _ in stated:
        if key.mode == mode:
            least = key.above + (0 if inclusive or not key.above else 1)
            prices.setdefault(key.meter, {})[least] = scaled(price, key.per)
            units[key.meter] = key.per
    return {meter: Steps(units[meter], tuple(sorted(at.items()))) for meter, at in prices.items() if 0 in at}
