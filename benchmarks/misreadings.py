"""What a call costs in exact decimals from its known counts, and what it would cost by each way to misread them.

It shares no code with the product. A misreading is the truth with one thing done wrong, so that an amount that came out
can be told from its cause: no other reading of the same call gives the same amount, but by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal
from itertools import combinations
from typing import Any, NamedTuple

from benchmarks.family_payloads import Counts

_EXACT = Context(prec=60)
PRICE_KEYS = (
    "input_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "output_cost_per_token",
)


class Rates(NamedTuple):
    """US dollars per million tokens of each bucket of `Counts`; where the table has none, those that stand in."""

    fresh: Decimal
    cached: Decimal
    written: Decimal
    written_1h: Decimal
    tool: Decimal
    output: Decimal
    reasoning: Decimal


def rates(model_price: Any) -> Rates:
    """From a `ModelPrice` of genai-prices; of tiers the lowest, as contexts stay below every threshold."""
    fresh, cached, written, written_1h, output, reasoning = (
        _base(getattr(model_price, f"{name}_mtok", None))
        for name in ("input", "cache_read", "cache_write", "cache_write_1h", "output", "output_reasoning")
    )
    if fresh is None or output is None:
        raise ValueError(f"no price for plain tokens: {model_price}")
    written = fresh if written is None else written
    return Rates(
        fresh=fresh,
        cached=fresh if cached is None else cached,
        written=written,
        written_1h=written if written_1h is None else written_1h,
        tool=fresh,
        output=output,
        reasoning=output if reasoning is None else reasoning,
    )


def _base(price: Any) -> Decimal | None:
    return None if price is None else Decimal(str(getattr(price, "base", price)))


def amount(priced: Rates, counts: Counts) -> Decimal:
    """The exact cost of a call in US dollars, unrounded."""
    total = Decimal(0)
    for price, tokens in zip(priced, counts, strict=True):
        total = _EXACT.add(total, _EXACT.multiply(price, tokens))
    return _EXACT.scaleb(total, -6)


def litellm_row(priced: Rates, provider: str) -> dict[str, Any]:
    """The same prices as a row of LiteLLM's table."""
    per_token = {name: float(price.scaleb(-6)) for name, price in priced._asdict().items()}
    return {
        "litellm_provider": provider,
        "mode": "chat",
        "input_cost_per_token": per_token["fresh"],
        "cache_read_input_token_cost": per_token["cached"],
        "cache_creation_input_token_cost": per_token["written"],
        "cache_creation_input_token_cost_above_1hr": per_token["written_1h"],
        "output_cost_per_token": per_token["output"],
        "output_cost_per_reasoning_token": per_token["reasoning"],
    }


def _moved(counts: Counts, source: str, target: str) -> Counts:
    tokens = getattr(counts, source)
    return counts._replace(**{source: 0, target: getattr(counts, target) + tokens})


def _single(counts: Counts) -> Iterator[tuple[str, Counts]]:
    """One thing wrong at a time; only those that touch this call."""
    if counts.cached:
        yield "cached tokens at the full price", _moved(counts, "cached", "fresh")
        yield "cached tokens twice", counts._replace(fresh=counts.fresh + counts.cached)
        yield "cached tokens left out", counts._replace(cached=0)
    if counts.written:
        yield "written tokens as plain input", _moved(counts, "written", "fresh")
        yield "written tokens twice", counts._replace(fresh=counts.fresh + counts.written)
        yield "written tokens left out", counts._replace(written=0)
    if counts.written_1h:
        yield "hour-long writes as short ones", _moved(counts, "written_1h", "written")
        yield "hour-long writes as plain input", _moved(counts, "written_1h", "fresh")
        yield "hour-long writes left out", counts._replace(written_1h=0)
    if counts.tool:
        yield "tool prompts left out", counts._replace(tool=0)
    if counts.reasoning:
        yield "reasoning left out", counts._replace(reasoning=0)
        yield "reasoning twice", counts._replace(output=counts.output + counts.reasoning)


def _compaction(counts: Counts) -> Counts:
    return counts._replace(fresh=counts.fresh - counts.fresh // 3, output=counts.output - counts.output // 4)


def readings(counts: Counts, priced: Rates, family: str) -> Iterator[tuple[str, Decimal]]:
    """Every way to misread a call, by one fault or by two, and its amount."""
    if family.startswith("Cohere"):
        tokens = counts._replace(fresh=counts.fresh + 495, output=counts.output + 2)
        yield "`tokens` for `billed_units`", amount(priced, tokens)
    if family.endswith("compacted"):
        yield "a compaction left out", amount(priced, _compaction(counts))
    single = list(_single(counts))
    for name, misread in single:
        yield name, amount(priced, misread)
    for (one, first), (two, second) in combinations(single, 2):
        both = Counts(*(a + b - c for a, b, c in zip(first, second, counts, strict=True)))
        if min(both) >= 0:
            yield f"{one} and {two}", amount(priced, both)
