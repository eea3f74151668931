"""Exchange rates in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.exchange import Conversion, Converted, ExchangeRate, ratio_text
from cost_ops.domain.money import format_decimal
from cost_ops.interfaces.terms import Imported

Day = Annotated[str, Meta(description="a UTC day", examples=["2026-03-13"])]
RateText = Annotated[str, Meta(description="as text", examples=["1.1477"])]


class ExchangeRateView(Struct):
    """One unit of `base` is `rate` units of `quote`; exact."""

    date: Day
    base: str
    quote: str
    rate: RateText
    source: str


class ExchangeRatePage(Struct):
    """A page of rates, newest first."""

    data: list[ExchangeRateView]
    pagination: Pagination


class ImportedData(Struct):
    """What an import did; `kept` are stored rates that it contradicts and that stand."""

    added: int
    unchanged: int
    replaced: int
    kept: list[ExchangeRateView]


class ImportedAnswer(Struct):
    """The outcome of an import."""

    data: ImportedData


class EffectiveRate(Struct):
    """How one unit of `base` becomes `quote` on a day: by the rate of `rate_date`, over `via` where it is a cross."""

    base: str
    quote: str
    date: Day
    rate_date: Day
    rate: Annotated[str, Meta(description="to 15 digits; conversions use the exact ratio", examples=["0.871307833"])]
    source: str
    via: str | None


class EffectiveRateAnswer(Struct):
    """The rate of a day."""

    data: EffectiveRate


class UsedRateView(Struct):
    """A rate that an answer used, for so many UTC days of usage."""

    currency: str
    rate_date: Day
    rate: RateText
    source: str
    via: str | None
    days: int


class NotConvertedView(Struct):
    """A currency that stayed as it was on these UTC days, for want of a rate."""

    currency: str
    first_date: Day
    last_date: Day
    days: int


def rate_view(rate: ExchangeRate) -> ExchangeRateView:
    """A stored rate in JSON."""
    return ExchangeRateView(rate.day.isoformat(), rate.base, rate.quote, format_decimal(rate.rate), rate.source)


def imported_view(found: Imported) -> ImportedData:
    """The outcome of an import in JSON."""
    return ImportedData(found.added, found.unchanged, found.replaced, [rate_view(rate) for rate in found.kept])


def effective_rate_view(base: str, quote: str, day: str, found: Conversion) -> EffectiveRate:
    """A conversion in JSON."""
    text = ratio_text(found.ratio)
    return EffectiveRate(base, quote, day, found.day.isoformat(), text, found.source, found.via)


def conversion_views(found: Converted) -> tuple[list[UsedRateView], list[NotConvertedView]]:
    """The rates that an answer used, and what lacked one."""
    used = [
        UsedRateView(
            one.currency,
            one.conversion.day.isoformat(),
            ratio_text(one.conversion.ratio),
            one.conversion.source,
            one.conversion.via,
            one.days,
        )
        for one in found.used
    ]
    missing = [
        NotConvertedView(one.currency, one.first.isoformat(), one.last.isoformat(), one.days) for one in found.missing
    ]
    return used, missing


NEW_RATES: Mapping[str, Any] = {
    "type": "object",
    "required": ["rates"],
    "additionalProperties": False,
    "properties": {
        "rates": {
            "type": "array",
            "minItems": 1,
            "maxItems": 10_000,
            "items": {
                "type": "object",
                "required": ["date", "base", "quote", "rate"],
                "additionalProperties": False,
                "properties": {
                    "date": {"type": "string", "examples": ["2026-03-13"]},
                    "base": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]},
                    "quote": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]},
                    "rate": {"type": ["number", "string"], "examples": ["1.1477"]},
                },
            },
        },
        "source": {"type": ["string", "null"], "minLength": 1, "maxLength": 256, "default": "manual"},
        "replace": {"type": ["boolean", "null"], "default": False},
    },
}
"""The body of POST /exchange-rates."""
