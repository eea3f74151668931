"""An independent reference: what a call costs in exact decimals, from a table's own numbers.

It shares no code with the product: prices per token are read from the table as decimals (a float by its shortest
form, which is what its author wrote), multiplied, and added. Contexts are kept below every price's threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

MAX_CONTEXT = 90_000
"""Below the smallest context (100,000 tokens) at which any of the tables changes its prices."""

_EXACT = Context(prec=60)
_UNIT = Decimal("1E-10")


class Rates(NamedTuple):
    """US dollars a token. Without a price for cached tokens they cost what the others do."""

    fresh: Decimal
    cached: Decimal
    output: Decimal


class Call(NamedTuple):
    """One call, tokens disjoint: `fresh` was not in the cache, `cached` was."""

    provider: str
    model: str
    timestamp_us: int
    fresh: int
    cached: int
    output: int


def amount(rates: Rates, call: Call) -> Decimal:
    """The exact cost of a call in US dollars, unrounded."""
    parts = ((rates.fresh, call.fresh), (rates.cached, call.cached), (rates.output, call.output))
    total = Decimal(0)
    for price, tokens in parts:
        total = _EXACT.add(total, _EXACT.multiply(price, tokens))
    return total


def rounded(exact: Decimal) -> Decimal:
    """To 1e-10 dollars, half to even."""
    return exact.quantize(_UNIT, rounding=ROUND_HALF_EVEN, context=_EXACT)


def litellm_rates(row: Mapping[str, Any]) -> Rates:
    """From a row of LiteLLM's table, or of tokencost's, which is an older copy of it."""
    fresh = Decimal(str(row["input_cost_per_token"]))
    cached = row.get("cache_read_input_token_cost")
    return Rates(fresh, fresh if cached is None else Decimal(str(cached)), Decimal(str(row["output_cost_per_token"])))


def genai_rates(model_price: Any) -> Rates:
    """From a `ModelPrice` of genai-prices, whose numbers are per million; of tiers the lowest."""
    fresh, cached, output = (
        _per_token(price) for price in (model_price.input_mtok, model_price.cache_read_mtok, model_price.output_mtok)
    )
    return Rates(fresh or Decimal(0), cached if cached is not None else fresh or Decimal(0), output or Decimal(0))


def _per_token(price: Any) -> Decimal | None:
    if price is None:
        return None
    return Decimal(str(getattr(price, "base", price))) / 1_000_000
