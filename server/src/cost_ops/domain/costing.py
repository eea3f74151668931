"""What a usage costs under a price book, its steps included: the one way from buckets to an amount and its proof.

A response may hold several steps that ran on different models. Each is priced by its own model's price and by the size
of its own context; the record's cost is their sum, and unknown where one of them has no price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cost_ops.domain.charging import Line, charge
from cost_ops.domain.compiled import CompiledPrice, Priceable, Stored
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.usage import Quantities, Step, UsageRecord


class Owned(Priceable, Protocol):
    """What finding a price needs to know beside what charging does."""

    @property
    def organization_id(self) -> str:
        """Whose usage it is."""

    @property
    def provider(self) -> str:
        """The canonical provider."""

    @property
    def model_id(self) -> str:
        """The model that served."""


class StoredUsage(NamedTuple):
    """A stored record in the form that costing takes."""

    organization_id: str
    provider: str
    model_id: str
    quantities: Quantities
    timestamp_us: int
    service_tier: str | None
    processing: str | None
    region: str | None

    @classmethod
    def of(cls, record: UsageRecord) -> StoredUsage:
        """The part of a record that its cost depends on."""
        return cls(record.organization_id, record.provider, record.model_id, *Stored.of(record))


class Costed(NamedTuple):
    """A cost with its lines; `cost_e10` is None where a price or a rate lacks, and `missing` says what.

    `price` is that of the first step. `step_prices` has the number of each step's price; it is empty for a usage that
    had no steps of its own.
    """

    price: CompiledPrice | None
    cost_e10: int | None
    lines: Sequence[Line]
    missing: Sequence[str] = ()
    step_prices: Sequence[int | None] = ()

    @property
    def currency(self) -> str | None:
        """The currency of the amount."""
        return None if self.price is None or self.cost_e10 is None else self.price.currency


NOT_COSTED = Costed(None, None, ())


def cost_of(book: PriceBook, usage: Owned, steps: Sequence[Step] = ()) -> Costed:
    """The cost of a usage by the prices that were valid at its time."""
    if steps:
        return cost_of_steps(prices_of(book, usage, steps), usage, steps)
    price = book.find(usage.organization_id, usage.provider, usage.model_id, usage.timestamp_us)
    return NOT_COSTED if price is None else costed_by(price, usage)


def prices_of(book: PriceBook, usage: Owned, steps: Sequence[Step]) -> list[CompiledPrice | None]:
    """The price of each step, by its own model."""
    return [
        book.find(usage.organization_id, usage.provider, step.model_id or usage.model_id, usage.timestamp_us)
        for step in steps
    ]


def costed_by(price: CompiledPrice, usage: Priceable) -> Costed:
    """The cost of a usage without steps by one price."""
    charged = charge(price, usage)
    return Costed(price, charged.amount_e10, charged.lines, charged.missing)


def cost_of_steps(prices: Sequence[CompiledPrice | None], usage: Priceable, steps: Sequence[Step]) -> Costed:
    """The sum of steps, each by its price. Steps in different currencies have no sum."""
    lines: list[Line] = []
    missing: list[str] = []
    total = 0
    for price, step in zip(prices, steps, strict=True):
        if price is None:
            missing.append(f"a price for {step.model_id or 'the model'}")
            continue
        charged = charge(price, _of_step(usage, step))
        lines += charged.lines
        missing += charged.missing
        total += charged.amount_e10 or 0
    if len({price.currency for price in prices if price is not None}) > 1:
        missing.append("one currency for all steps")
    numbers = [None if price is None else price.number for price in prices]
    return Costed(prices[0], None if missing else total, lines, missing, numbers)


def _of_step(usage: Priceable, step: Step) -> Stored:
    return Stored(step.quantities, usage.timestamp_us, usage.service_tier, usage.processing, usage.region)


def steps_of(evidence: Mapping[str, Any] | None) -> list[Step]:
    """The steps that a record's evidence tells of."""
    found = (evidence or {}).get("steps", ())
    return [Step(step.get("model_id"), step["quantities"], step.get("kind", "")) for step in found]


def lines_of(book: PriceBook, stored: UsageRecord) -> Sequence[Line]:
    """The cost lines of a stored record, worked out again from its price; empty where it has none."""
    numbers = stored.step_prices or (stored.price_id,)
    prices = [book.by_number.get(number or 0) for number in numbers]
    if None in prices:
        return ()
    compiled = [book.compiled(price) for price in prices if price is not None]
    if stored.step_prices:
        return cost_of_steps(compiled, Stored.of(stored), steps_of(stored.evidence)).lines
    return charge(compiled[0], Stored.of(stored)).lines
