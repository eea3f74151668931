"""Our own rows: retired models that genai-prices lacks, so that old usage and the FAQ's examples have a price.

The facts and where they come from are in `retired.json`. A test fails once genai-prices has a model of its own for one.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.price_list import read_price_list
from cost_ops.domain.pricebook import Alias

SOURCE = "retired models of LLM Cost Ops"


def read_retired() -> CatalogueData:
    """The rows and aliases of `retired.json`."""
    content = json.loads(files("cost_ops.catalog").joinpath("retired.json").read_text(encoding="utf-8"))
    prices = read_price_list(content["prices"], SOURCE)
    aliases = [Alias(**_alias(item, item["model_id"], item["provider"])) for item in content["aliases"]]
    for item in content["prices"]:
        aliases.extend(Alias(**_alias(alias, item["model_id"], item["provider"])) for alias in item["aliases"])
    return CatalogueData(prices.prices, tuple(aliases), SOURCE)


def _alias(item: dict[str, Any], model_id: str, provider: str) -> dict[str, str]:
    return {"provider": provider, "kind": item["kind"], "pattern": item["pattern"], "model_id": model_id}
