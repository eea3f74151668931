"""Our own side of the comparison: `book.find` and `total_e10`, on books of the catalogue or of posted prices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from benchmarks.exact import Call, Rates

from cost_ops.catalog import PROVIDER_NAMES, load_catalogue
from cost_ops.domain.charging import charge, total_e10
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price
from cost_ops.domain.rates import Rate
from cost_ops.domain.usage import Quantities


class Usage(NamedTuple):
    """A call as our `charge` takes it."""

    provider: str
    model: str
    timestamp_us: int
    quantities: Quantities
    service_tier: None = None
    processing: None = None
    region: None = None


class Ours:
    """`book.find` and `total_e10`: what recording a batch does for every record."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book

    def prepare(self, calls: Sequence[Call]) -> list[Usage]:
        """Disjoint quantities, as a submission holds them."""
        return [Usage(c.provider, c.model, c.timestamp_us, _quantities(c)) for c in calls]

    def lap(self, prepared: Sequence[Usage]) -> None:
        """All of them."""
        find = self.book.find
        for usage in prepared:
            total_e10(find("bench", usage.provider, usage.model, usage.timestamp_us), usage)  # type: ignore[arg-type]

    def price(self, usage: Usage) -> int | None:
        """Find the price and the amount by it."""
        found = self.book.find("bench", usage.provider, usage.model, usage.timestamp_us)
        if found is None:
            raise LookupError(f"no price of {usage.provider}/{usage.model}")
        return total_e10(found, usage)

    @staticmethod
    def dollars(answer: int | None) -> Decimal | None:
        """The amount; None where a rate lacks."""
        return None if answer is None else decimal_from_e10(answer)


class OursWithLines(Ours):
    """`book.find` and `charge`: the same amount with every cost line, as answers and `explain` show it."""

    def lap(self, prepared: Sequence[Usage]) -> None:
        """All of them."""
        find = self.book.find
        for usage in prepared:
            charge(find("bench", usage.provider, usage.model, usage.timestamp_us), usage)  # type: ignore[arg-type]

    def price(self, usage: Usage) -> int | None:
        """Find the price, charge by it, and keep the sum of the lines."""
        found = self.book.find("bench", usage.provider, usage.model, usage.timestamp_us)
        if found is None:
            raise LookupError(f"no price of {usage.provider}/{usage.model}")
        return charge(found, usage).amount_e10


def _quantities(call: Call) -> Quantities:
    found: Quantities = {"input": call.fresh, "input_cache_read": call.cached, "output": call.output}
    return {meter: tokens for meter, tokens in found.items() if tokens}


def catalogue_book() -> PriceBook:
    """The catalogue as the product ships it."""
    data = load_catalogue()
    prices = [replace(price, number=number) for number, price in enumerate(data.prices, 1)]
    return PriceBook(prices, aliases=data.aliases, names=PROVIDER_NAMES)


def posted_book(calls: Iterable[Call], rates_of: Callable[[Call], Rates | None]) -> PriceBook:
    """A book of posted prices: those that `rates_of` gives for the calls' models."""
    models = {(call.provider, call.model): rates_of(call) for call in calls}
    prices = [
        Price(
            provider,
            model,
            "USD",
            (
                Rate("input", rates.fresh, 1),
                Rate("input_cache_read", rates.cached, 1),
                Rate("output", rates.output, 1),
            ),
            number=number,
        )
        for number, ((provider, model), rates) in enumerate(models.items(), 1)
        if rates is not None
    ]
    return PriceBook(prices, names=PROVIDER_NAMES)
