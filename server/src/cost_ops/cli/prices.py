"""Prices as options and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cost_ops.cli.errors import Refused
from cost_ops.cli.output import Column, Output, Part, Table, money
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.exact_json import parse_json
from cost_ops.domain.money import format_decimal, parse_decimal
from cost_ops.domain.periods import parse_date_or_instant

Document = Mapping[str, Any]

_PRICE_OPTIONS = {
    "input_price": "input_price_per_million",
    "output_price": "output_price_per_million",
    "cached_price": "cached_input_price_per_million",
    "cache_write_price": "cache_write_price_per_million",
}


def utc_instant(text: str | None, name: str) -> datetime | None:
    """A date (midnight UTC) or a time. Raises InvalidInput."""
    return None if text is None else parse_date_or_instant(text, name, ZoneInfo("UTC")).astimezone(UTC)


def price_fields(given: Mapping[str, str | None]) -> dict[str, Any]:
    """The API's fields of a price from the command's options. Raises InvalidInput with every problem."""
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    for option, name in _PRICE_OPTIONS.items():
        text = given.get(option)
        if text is None:
            continue
        flag = f"--{option.replace('_', '-')}"
        try:
            fields[name] = parse_decimal(text)
        except ValueError:
            problems.append(Problem(option, "invalid_type", f"{flag} must be a decimal number, got {text[:40]!r}"))
            continue
        if fields[name] < 0:
            problems.append(Problem(option, "negative", f"{flag} must not be negative, got {text[:40]}"))
    path = given.get("rates_path")
    if path is None and not fields and not problems:
        message = "give --input-price and --output-price (per million tokens), or --rates FILE"
        problems.append(Problem("input_price", "missing_required_field", message))
    for name in ("effective_date", "end_date"):
        try:
            fields[name] = utc_instant(given.get(name), name)
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    fields["currency"] = given.get("currency")
    if path is not None:
        fields |= _read_terms(path)
    return {name: value for name, value in fields.items() if value is not None}


def _read_terms(path: str) -> dict[str, Any]:
    """`rates`, and `multipliers` where the file has them beside."""
    try:
        content = parse_json(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{path} is not JSON: {error}") from error
    if not isinstance(content, Mapping) or "rates" not in content:
        return {"rates": content}
    return {name: content[name] for name in ("rates", "multipliers") if name in content}


def show_added(output: Output, found: Document) -> None:
    """A price that was added, and what followed."""
    show_price(output, found)
    if found.get("ended"):
        output.notice(f"{found['ended']} ends where it begins.")
    if found.get("priced_records"):
        output.notice(priced_now(found["priced_records"]))


def show_price(output: Output, found: Document) -> None:
    """One price with all its rates."""
    rows = [
        ("id", found["id"]),
        ("model", f"{found['provider']} / {found['model_id']}"),
        ("valid", validity(found)),
        ("belongs to", _layer(found)),
        ("source", found["source"]),
        *_sureness(found),
    ]
    if found.get("found_by"):
        rows.append(("found by", found["found_by"]))
    rates = [(rate["meter"], rate_text(rate, found["currency"]), condition_text(rate)) for rate in found["rates"]]
    parts: list[Part] = [Table((Column("price"), Column("")), rows)]
    parts.append(Table((Column("meter"), Column("rate"), Column("when")), rates))
    if found.get("multipliers"):
        parts.append(_multipliers_table(found["multipliers"]))
    output.show(found, *parts)


def _multipliers_table(multipliers: Sequence[Document]) -> Table:
    rows = [
        (f"× {m['factor']}", meters_text(m["meters"]), condition_text(m), m.get("note") or None) for m in multipliers
    ]
    columns = (Column("factor"), Column("meters"), Column("when"), Column("why"))
    return Table(columns, rows, "All factors that apply are multiplied")


def meters_text(meters: str | Sequence[str]) -> str:
    """Meters as a word or as names."""
    return meters if isinstance(meters, str) else ", ".join(meters)


def _sureness(price: Document) -> list[tuple[str, str]]:
    """What several sources say of a price, and how sure its dates are, where anything is known of that."""
    detail = price.get("detail") or {}
    sources = [
        f"{one['source']} {'agrees' if one['agrees'] else 'differs'}"
        for one in detail.get("sources", ())
        if one["source"] not in price["source"]
    ]
    confidence = price.get("confidence")
    rows = [("confidence", "; ".join([confidence, *sources]))] if confidence else []
    if detail.get("url"):
        rows.append(("page", detail["url"]))
    if detail.get("date_confidence"):
        rows.append(("dates", detail["date_confidence"]))
    if detail.get("review"):
        rows.append(("decided in", detail["review"]))
    return rows


def validity(price: Document) -> str:
    """From when to when a price holds."""
    start = price["effective_date"] or "the beginning of time"
    return f"from {start}" + (f" until {price['end_date']}" if price["end_date"] else "")


def _layer(price: Document) -> str:
    owner = price.get("organization_id")
    return f"organisation {owner}" if owner else {"catalog": "the catalogue"}.get(price["layer"], "the installation")


def rate_text(rate: Document, currency: str) -> str:
    """A rate as a person says it."""
    if rate.get("of"):
        return f"{rate['fraction']} of the rate of {rate['of']}"
    per = {1: "each", 1_000_000: "per million"}.get(rate["per"], f"per {rate['per']:,}")
    free = f", beyond {rate['included']:,}" if rate.get("included") else ""
    least = f", at least {rate['minimum_quantity']:,} a call" if rate.get("minimum_quantity") else ""
    return f"{_price(rate['price'])} {currency} {per}{free}{least}"


def _price(value: Any) -> str:
    return format_decimal(Decimal(str(value)))


def condition_text(rate: Document) -> str:
    """When a rate applies."""
    parts = []
    for name, value in (rate.get("when") or {}).items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value
        parts.append(f"{name.replace('_', ' ')}: {shown}")
    return "; ".join(parts) or "always"


def show_prices(output: Output, found: Sequence[Document], total: int) -> None:
    """Prices, one line each; their conditional rates are told by `pricing get`."""
    currencies = {p["currency"] for p in found}
    columns = [Column("id"), Column("provider"), Column("model"), money("input"), money("output")]
    columns += [Column("cur.")] if len(currencies) > 1 else []
    columns += [Column("from"), Column("layer"), Column("sure")]
    rows = [_line(p, currency=len(currencies) > 1) for p in found]
    title = "Prices per million tokens" + (f", {min(currencies)}" if len(currencies) == 1 else "")
    parts: list[Part] = [Table(columns, rows, title)] if rows else ["No prices found."]
    if total > len(found):
        parts.append(f"{len(found):,} of {total:,} prices; --limit shows more.")
    output.show(list(found), *parts)


_SURE = {"confirmed": "yes", "provisional": "no"}


def _line(price: Document, *, currency: bool) -> tuple[Any, ...]:
    return (
        price["id"],
        price["provider"],
        price["model_id"],
        price.get("input_price_per_million"),
        price.get("output_price_per_million"),
        *([price["currency"]] if currency else []),
        (price["effective_date"] or "always")[:10],
        price["layer"],
        _SURE.get(price.get("confidence") or ""),
    )


def priced_now(records: int) -> str:
    """How much usage has a price now that had none."""
    if records == 1:
        return "1 record that waited for a price has one now."
    return f"{records:,} records that waited for a price have one now."
