"""Our own file form: a JSON list of prices as the HTTP API takes them.

    [{"provider": "anthropic", "model_id": "claude-example", "effective_date": "2026-01-01T00:00:00Z",
      "rates": [{"meter": "input", "price": "3.00", "per": 1000000}]}]

Flat fields (`input_price_per_million`, …) stand for `rates`; `currency` is USD where it is not stated;
`effective_date`, `end_date`, `source` and `aliases` may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import parse_instant
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import (
    FLAT_FIELDS,
    Layer,
    Price,
    check_currency,
    multipliers_from_fields,
    rates_from_fields,
)

ALIAS_KINDS = frozenset({"equals", "starts_with", "ends_with", "contains", "regex"})
_FLAT = frozenset({*FLAT_FIELDS, "cached_input_fraction", "request_price"})
_FIELDS = _FLAT | {
    "provider",
    "model_id",
    "currency",
    "effective_date",
    "end_date",
    "source",
    "rates",
    "multipliers",
    "aliases",
}


def read_price_list(items: Sequence[Any], source: str) -> CatalogueData:
    """The prices of a list, with their aliases. Raises InvalidInput with every problem of every item."""
    problems: list[Problem] = []
    read = [found for i, item in enumerate(items) if (found := _read(item, f"prices[{i}]", source, problems))]
    prices = sorted((price for price, _ in read), key=_by_timeline)
    problems.extend(_overlaps(prices))
    if problems:
        raise InvalidInput(problems)
    return CatalogueData(tuple(prices), tuple(alias for _, aliases in read for alias in aliases), source)


def _by_timeline(price: Price) -> tuple[str, str, bool, datetime | None]:
    return (price.provider, price.model_id, price.effective_from is not None, price.effective_from)


def _overlaps(prices: Sequence[Price]) -> Iterator[Problem]:
    for price, after in pairwise(prices):
        same = (price.provider, price.model_id) == (after.provider, after.model_id)
        if same and (after.effective_from is None or price.valid_at(after.effective_from)):
            yield Problem(
                "prices",
                "overlap",
                f"two prices of {price.provider}/{price.model_id} hold at the same time; give the older an end_date",
            )


def _read(item: Any, field: str, source: str, problems: list[Problem]) -> tuple[Price, list[Alias]] | None:
    if not isinstance(item, Mapping):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object"))
        return None
    found = list(_misnamed(item, field))
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        try:
            values[name] = parse(item)
        except InvalidInput as error:
            found.extend(problem.at(field) for problem in error.problems)
    if found:
        problems.extend(found)
        return None
    price = Price(
        provider=PROVIDER_NAMES.canonical(item["provider"]),
        model_id=item["model_id"],
        layer=Layer.CATALOG,
        source=item.get("source", source),
        **values,
    )
    return price, [Alias(price.provider, a["kind"], a["pattern"], price.model_id) for a in item.get("aliases", ())]


_PARSERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "currency": lambda item: check_currency(str(item.get("currency", "USD"))),
    "rates": rates_from_fields,
    "multipliers": lambda item: multipliers_from_fields(item) or (),
    "effective_from": lambda item: _instant(item, "effective_date"),
    "effective_to": lambda item: _instant(item, "end_date"),
}


def _instant(item: Mapping[str, Any], name: str) -> datetime | None:
    return parse_instant(str(item[name]), name) if item.get(name) is not None else None


def _misnamed(item: Mapping[str, Any], field: str) -> Iterator[Problem]:
    """Names that are missing, unknown or of the wrong type."""
    for name in sorted(set(item) - _FIELDS):
        yield Problem(f"{field}.{name}", "unknown_field", f"{field}.{name} is not part of a price")
    for name in ("provider", "model_id"):
        value = item.get(name)
        if not isinstance(value, str) or not value.strip():
            yield Problem(f"{field}.{name}", "missing_required_field", f"{field}.{name} must be a text")
    if not isinstance(item.get("source", ""), str):
        yield Problem(f"{field}.source", "invalid_type", f"{field}.source must be a text")
    aliases = item.get("aliases", [])
    if not isinstance(aliases, list) or not all(_is_alias(alias) for alias in aliases):
        kinds = ", ".join(sorted(ALIAS_KINDS))
        yield Problem(
            f"{field}.aliases", "invalid_value", f"{field}.aliases must be a list of kind ({kinds}) and pattern"
        )


def _is_alias(alias: Any) -> bool:
    if not isinstance(alias, Mapping) or alias.keys() != {"kind", "pattern"}:
        return False
    kind, pattern = alias["kind"], alias["pattern"]
    if kind not in ALIAS_KINDS or not isinstance(pattern, str) or not pattern:
        return False
    if kind != "regex":
        return pattern == pattern.lower()
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
