"""One model of genai-prices → stretches of time with their rates.

Its semantics, from `genai_prices.types` 0.2.3: the conditional price that is active and stands last wins, the first
one covers what is left; a start date begins at midnight UTC and includes it; a time of day is a half-open UTC window;
a tier holds for *all* tokens when the input tokens, cached ones included, are more than its start; a variant
overrides the keys it states, the first that matches wins for each key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from cost_ops.catalog.genai_rates import Alternatives, Steps, Table, rates_of
from cost_ops.catalog.genai_units import METER_OF_PRICE_KEY, SAME_METER_AS, UNHELD_PRICE_KEYS
from cost_ops.domain.conditions import DayWindow
from cost_ops.domain.rates import Rate

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

FREE_SUFFIX = ":free"
"""A model of this name without any price is free: it gets explicit zeros. Others without a price are left out."""

CONTEXT_CONDITIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("processing", "batch"): ("processing", "batch"),
    ("service_tier", "priority"): ("service_tier", "priority"),
    ("service_tier", "fast"): ("service_tier", "fast"),
    ("service_tier", "flex"): ("service_tier", "flex"),
    ("service_tier", "default"): ("service_tier", "standard"),
    ("speed", "fast"): ("service_tier", "fast"),
}
"""Request context of a variant → our condition. Anthropic's `speed: fast` is a tier of ours."""

Note = Callable[[str, str], None]
"""Called with what is left out and why."""


class _Entry(NamedTuple):
    """A price and when it is active; without a constraint, always."""

    constraint: Any
    prices: ModelPrice


def stretches(model: ModelInfo, note: Note) -> list[tuple[datetime | None, tuple[Rate, ...]]]:
    """(start, rates) in ascending order; None is the beginning of time; equal neighbours are one."""
    entries = _entries(model)
    variants = list(_held_variants(model.price_variants or (), note))
    out: list[tuple[datetime | None, tuple[Rate, ...]]] = []
    for day in _days(entries, variants) if entries else ():
        rates = rates_of(_alternatives(entries, variants, day, note))
        if not rates and model.id.endswith(FREE_SUFFIX):
            rates = _free()
        if not out or out[-1][1] != rates:
            out.append((_midnight(day), rates))
    return out


def _entries(model: ModelInfo) -> list[_Entry]:
    if isinstance(model.prices, list):
        return [_Entry(listed.constraint, listed.prices) for listed in model.prices]
    return [_Entry(None, model.prices)]


def _free() -> tuple[Rate, ...]:
    return tuple(Rate(meter, Decimal(0), 1_000_000) for meter in ("input", "output"))


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def _days(entries: Iterable[_Entry], variants: Iterable[PriceVariant]) -> list[date | None]:
    """Where a stretch begins: the beginning of time and every start date."""
    constraints = [entry.constraint for entry in entries] + [variant.constraint for variant in variants]
    starts = {_start_date(constraint) for constraint in constraints}
    return [None, *sorted(day for day in starts if day is not None)]


def _start_date(constraint: Any) -> date | None:
    return getattr(constraint, "start_date", None)


def _started(constraint: Any, day: date | None) -> bool:
    start = _start_date(constraint)
    return start is None or (day is not None and start <= day)


def _is_window(constraint: Any) -> bool:
    return hasattr(constraint, "start_time")


def _held_variants(variants: Iterable[PriceVariant], note: Note) -> Iterator[PriceVariant]:
    for variant in variants:
        named = ", ".join(f"{key}={value}" for key, value in variant.when.items())
        if not _stated(variant.prices):
            continue
        if len(variant.when) > 1 or next(iter(variant.when.items())) not in CONTEXT_CONDITIONS:
            note(named, "no condition of ours says this")
        elif _is_window(variant.constraint):
            note(named, "a variant by time of day is not supported")
        else:
            yield variant


def _alternatives(
    entries: list[_Entry], variants: Iterable[PriceVariant], day: date | None, note: Note
) -> Alternatives:
    standard, timed = _standard(entries, day)
    base = _table(standard, note)
    return Alternatives(
        base=base,
        windows=tuple(_windows(timed, base, note)),
        variants=tuple(
            (CONTEXT_CONDITIONS[next(iter(v.when.items()))], _table(v.prices, note))
            for v in variants
            if _started(v.constraint, day)
        ),
    )


def _standard(entries: list[_Entry], day: date | None) -> tuple[ModelPrice, list[_Entry]]:
    """The price without a time of day that is active on `day`, and the windows that stand after it, last first."""
    timed: list[_Entry] = []
    for entry in reversed(entries):
        if _is_window(entry.constraint):
            timed.append(entry)
        elif _started(entry.constraint, day):
            return entry.prices, timed
    return entries[0].prices, timed


def _windows(timed: Iterable[_Entry], base: Table, note: Note) -> Iterator[tuple[DayWindow, Table]]:
    for entry in timed:
        start, end = _minute(entry.constraint.start_time), _minute(entry.constraint.end_time)
        table = _table(entry.prices, note)
        if start is None or end is None or table.keys() != base.keys():
            note("time_of_day", "the window is not in whole minutes, or does not price what the base prices")
        elif start != end:
            yield DayWindow(start, end), table


def _minute(at: time) -> int | None:
    """The minute of the UTC day; None where there are seconds. A time without a zone is UTC."""
    utc = datetime.combine(date(1970, 1, 2), at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return None if utc.second or utc.microsecond else utc.hour * 60 + utc.minute


def _stated(prices: ModelPrice) -> Mapping[str, Any]:
    return {key: value for key, value in vars(prices).items() if value is not None and not key.startswith("_")}


def _table(prices: ModelPrice, note: Note) -> Table:
    """The steps of every meter that our prices can hold; the rest is noted."""
    stated = _stated(prices)
    table: dict[str, Steps] = {}
    for key, value in stated.items():
        if key in METER_OF_PRICE_KEY:
            meter, per = METER_OF_PRICE_KEY[key]
            table[meter] = Steps(per, _steps(value))
        elif stated.get(SAME_METER_AS.get(key, "")) != value:
            note(key, UNHELD_PRICE_KEYS.get(key) or "its price is not that of the wider unit, or the unit is unknown")
    return table


def _steps(value: Any) -> tuple[tuple[int, Decimal], ...]:
    """A tier that starts at n holds from n + 1 tokens on."""
    if isinstance(value, Decimal):
        return ((0, value),)
    tiers = {tier.start + 1: tier.price for tier in value.tiers}
    return ((0, value.base), *sorted(tiers.items()))
