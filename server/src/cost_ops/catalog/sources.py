"""Where a catalogue comes from: the installed genai-prices package with our retired models, or a file."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_ops.catalog import genai_prices
from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.price_list import read_price_list
from cost_ops.catalog.retired import read_retired
from cost_ops.domain.errors import invalid


def load_catalogue(source: Path | str | None = None) -> CatalogueData:
    """The catalogue of the installed package, or that of a file in genai-prices' JSON form or in our own.

    Reads nothing from the network. Our retired models are added where the data has no timeline for the model itself.
    `aliases` are always complete, for a sync puts them in place of all old ones: a list of our own form comes with its
    own aliases first and then those of the installed package.
    Raises InvalidInput where the file cannot be read or is neither form.
    """
    if source is None:
        return _with_retired(genai_prices.read_bundled())
    path = Path(source)
    items = _read_list(path)
    if items and isinstance(items[0], dict) and "models" in items[0]:
        return _with_retired(genai_prices.read_json(items, f"genai-prices data in {path.name}"))
    own = read_price_list(items, f"price list {path.name}")
    return replace(own, aliases=own.aliases + _with_retired(genai_prices.read_bundled()).aliases)


def _with_retired(data: CatalogueData) -> CatalogueData:
    retired = read_retired()
    known = {(price.provider, price.model_id) for price in data.prices}
    added = tuple(p for p in retired.prices if (p.provider, p.model_id) not in known)
    return CatalogueData(data.prices + added, data.aliases + retired.aliases, data.source, data.left_out)


def _read_list(path: Path) -> list[Any]:
    """The list in a JSON file; its numbers are exact decimals."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise invalid("source", "unreadable", f"source {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise invalid("source", "invalid_json", f"source {path} is not JSON: {error}") from error
    if not isinstance(content, list) or not content:
        raise invalid("source", "invalid_price_data", f"source {path} must hold a JSON list of providers or of prices")
    return content
