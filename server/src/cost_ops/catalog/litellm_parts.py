"""The parts of a LiteLLM entry that are not one number each: tiers by size, hours, searches, regional factors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from cost_ops.catalog.decimals import number, scaled
from cost_ops.catalog.genai_rates import Steps
from cost_ops.catalog.litellm_keys import METER_OF_NAME
from cost_ops.domain.conditions import UNBOUNDED, Conditions, DayWindow
from cost_ops.domain.meters import METERS, MILLION
from cost_ops.domain.multipliers import MAX_FACTOR, Multiplier

Read = Callable[[Any, str], Decimal | None]
"""Reads a price; None where it is none, which is noted."""

Note = Callable[[str, str], None]

_NOON = 12 * 60
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_REGIONS = ("eu", "us")


class TieredPrices:
    """`tiered_pricing`: a list of prices, each with the `range` of context tokens it holds for, `(from, to]`."""

    def __init__(self, value: Any) -> None:
        self._tiers = [tier for tier in value if isinstance(tier, Mapping)] if isinstance(value, list) else []

    def steps(self, read: Read) -> dict[str, Steps]:
        """Name of a price → its steps; only names that every tier states."""
        found: dict[str, dict[int, Decimal]] = {}
        for tier in self._tiers:
            start = _start(tier.get("range"))
            if start is None:
                return {}
            for name, value in tier.items():
                if name in METER_OF_NAME and METERS[METER_OF_NAME[name]].unit == "token":
                    price = read(value, f"tiered_pricing.{name}")
                    if price is not None:
                        found.setdefault(name, {})[start + 1 if start else 0] = scaled(price, MILLION)
        return {
            name: Steps(MILLION, tuple(sorted(steps.items())))
            for name, steps in found.items()
            if 0 in steps and len(steps) == len(self._tiers)
        }


def _start(bounds: Any) -> int | None:
    """The number of tokens beyond which a tier holds; None where that cannot be read."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        return None
    try:
        start = number(bounds[0])
    except ValueError:
        return None
    return int(start) if 0 <= start <= UNBOUNDED else None


def web_searches(entry: Mapping[str, Any], read: Read) -> Steps | None:
    """The price of a thousand searches, where it does not depend on how much context they bring."""
    value = entry.get("search_context_cost_per_query")
    if not isinstance(value, Mapping) or not value:
        return None
    prices = {read(price, f"search_context_cost_per_query.{size}") for size, price in value.items()}
    if len(prices) != 1 or None in prices:
        return None
    (price,) = prices
    return None if price is None else Steps(1000, ((0, scaled(price, 1000)),))


def off_peak(value: Mapping[str, Any]) -> list[DayWindow] | str:
    """The UTC windows of `off_peak_pricing`; a text where we cannot say them: why."""
    if value.get("weekday_timezone", "UTC") not in ("UTC", "Etc/UTC"):
        return "its days of the week are not those of UTC"
    items = value.get("windows")
    windows: list[DayWindow] = []
    for item in items if isinstance(items, list) else ():
        hours = item.get("hours_utc") if isinstance(item, Mapping) else None
        days = item.get("weekdays", []) if isinstance(item, Mapping) else None
        if not isinstance(days, list) or not all(day in range(1, 8) for day in days):
            return "its days cannot be read"
        for span in hours if isinstance(hours, list) else [hours]:
            found = _HOURS.fullmatch(span) if isinstance(span, str) else None
            if found is None:
                return "its hours cannot be read"
            start, end = (int(found[n]) % 24 * 60 + int(found[n + 1]) for n in (1, 3))
            windows += _windows(start, end, frozenset(days))
    return windows or "it states no hours"


def _windows(start: int, end: int, days: frozenset[int]) -> list[DayWindow]:
    """One window; two for the whole day, for ours are never as long as the day."""
    if start != end:
        return [DayWindow(start, end, days)]
    middle = (start + _NOON) % (2 * _NOON)
    return [DayWindow(start, middle, days), DayWindow(middle, end, days)]


def multipliers_of(entry: Mapping[str, Any], note: Note) -> tuple[Multiplier, ...]:
    """Factors on all tokens by region or speed. What is no factor of ours is noted."""
    factors: list[tuple[Any, Conditions, str]] = []
    for region in _REGIONS:
        value = entry.get(f"regional_processing_uplift_multiplier_{region}")
        factors.append((value, Conditions(region=region), f"processed in the region {region}"))
    value = entry.get("regional_endpoint_uplift_multiplier")
    factors.append((value, Conditions(not_region="global"), "regional endpoint"))
    specific = entry.get("provider_specific_entry")
    for name, value in specific.items() if isinstance(specific, Mapping) else ():
        if name in _REGIONS:
            factors.append((value, Conditions(region=name), f"processed in the region {name}"))
        elif name == "fast":
            factors.append((value, Conditions(service_tier="fast"), "fast mode"))
        elif not isinstance(value, str):
            note(f"provider_specific_entry.{name}", "no condition of ours says this")
    read = [(_factor(value), when, why) for value, when, why in factors]
    return tuple(Multiplier(factor, when=when, note=why) for factor, when, why in read if factor is not None)


def _factor(value: Any) -> Decimal | None:
    """A factor that changes something and that a price may have."""
    try:
        factor = number(value)
    except ValueError:
        return None
    return factor if 0 <= factor <= MAX_FACTOR and factor != 1 else None
