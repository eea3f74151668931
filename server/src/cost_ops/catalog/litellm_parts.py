"""The parts of a LiteLLM entry that are not one number each: tiers by size, hours, searches, regional factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_ops.catalog.decimals import number, scaled
from cost_ops.catalog.genai_rates import Steps
from cost_ops.catalog.litellm_keys import METER_OF_NAME
from cost_ops.domain.conditions import Conditions, DayWindow
from cost_ops.domain.meters import METERS, MILLION
from cost_ops.domain.multipliers import MAX_FACTOR, Multiplier

Read = Callable[[Any, str], Decimal | None]
"""Reads a price; None where it is none, which is noted."""

Note = Callable[[str, str], None]

_NOON = 12 * 60
_REGIONS = ("eu", "us")


class TieredPrices:
    """`tiered_pricing`: a list of prices, each with the `range` of context tokens it holds for, `(from, to]`."""

    def __init__(self, value: Any) -> None:
        self._tiers = [tier for tier in value if isinstance(tier, Mapping)] if isinstance(value, list) else []

    def steps(self, read: Read) -> dict[str, Steps]:
        """Name of a price → its steps; only names that every tier states."""
        found: dict[str, dict[int, Decimal]] = {}
        for tier in self._tiers:
            bounds = tier.get("range")
            if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
                return {}
            start = int(number(bounds[0]))
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
    windows: list[DayWindow] = []
    for item in value.get("windows") or ():
        hours = item.get("hours_utc")
        days = frozenset(item.get("weekdays") or ())
        for span in [hours] if isinstance(hours, str) else hours or ():
            start, end = (_minute(part) for part in span.split("-"))
            if start != end:
                windows.append(DayWindow(start, end, days))
            else:  # the whole day: our windows are never as long as the day
                windows += [DayWindow(start, (start + _NOON) % (2 * _NOON), days)]
                windows += [DayWindow((start + _NOON) % (2 * _NOON), end, days)]
    return windows or "it states no hours"


def _minute(text: str) -> int:
    hour, _, minute = text.strip().partition(":")
    return int(hour) * 60 + int(minute or 0)


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
    return tuple(Multiplier(number(v), when=when, note=why) for v, when, why in factors if _is_factor(v))


def _is_factor(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= MAX_FACTOR and value != 1
