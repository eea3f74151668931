"""Costing records again by today's price book: what each would cost now, what that moves, and how it adds up.

A cost that its provider reported or an invoice settled is final. A record whose price is gone keeps its cost, unless
that is asked for otherwise. Everything else takes what today's book says of the record's own timestamp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from cost_ops.domain.charging import is_sure, total_e10
from cost_ops.domain.costing import cost_of_steps, prices_of, steps_of
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.money import MAX_AMOUNT_PER_RECORD_E10
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rollups import Contribution, Measures, Series, measure
from cost_ops.domain.statuses import CostStatus
from cost_ops.domain.usage import Quantities, Step, UsageRecord

NumberOf = Callable[[Price], int | None]
"""The number of a price that has none yet: one under a contract is stored at its first use."""

_FINAL = frozenset({CostStatus.INVOICED.value, CostStatus.REPORTED.value})


class CostedUsage(NamedTuple):
    """A stored record with its current cost, as far as costing it again needs it."""

    organization_id: str
    provider: str
    model_id: str
    quantities: Quantities
    timestamp_us: int
    service_tier: str | None
    processing: str | None
    region: str | None
    uid: int
    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    step_prices: Sequence[int | None]
    steps: Sequence[Step]
    estimated: bool
    project_id: str | None
    user_id: str | None
    tags: Mapping[str, str] | None
    team_id: str | None = None
    api_key_id: str | None = None

    @classmethod
    def of(cls, record: UsageRecord) -> CostedUsage:
        """The part of a record that costing it again needs."""
        timestamp_us, uid = parse_usage_id(record.usage_id)
        return cls(
            record.organization_id,
            record.provider,
            record.model_id,
            record.quantities,
            timestamp_us,
            record.service_tier,
            record.processing,
            record.region,
            uid,
            record.status,
            record.currency,
            record.cost_e10,
            record.price_id,
            tuple(record.step_prices),
            steps_of(record.evidence),
            record.estimated,
            record.project_id,
            record.user_id,
            record.tags,
            record.team_id,
            record.api_key_id,
        )

    @property
    def cost(self) -> NewCost:
        """The current cost."""
        return NewCost(str(self.status), self.currency, self.cost_e10, self.price_number, tuple(self.step_prices))


class NewCost(NamedTuple):
    """A cost; amount, currency and price are None where it is not known."""

    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    step_prices: tuple[int | None, ...] = ()


NO_COST = NewCost(CostStatus.UNPRICED.value, None, None, None)


class Kept(Enum):
    """Why a record keeps its cost."""

    SAME = "same"
    """Today's book says the same."""

    FINAL = "final"
    """The provider reported it, or an invoice settled it."""

    NO_PRICE = "no_price"
    """No price is known any more."""


def reconsider(book: PriceBook, usage: CostedUsage, number_of: NumberOf, *, unprice: bool = False) -> NewCost | Kept:
    """The cost that supersedes the current one, or why there is none.

    With `unprice` a record whose price is gone loses its cost; one that came with a price of its own keeps it.
    """
    if usage.status in _FINAL:
        return Kept.FINAL
    new = cost_today(book, usage, number_of)
    if new is None:
        if usage.cost_e10 is None or _came_with_its_price(book, usage):
            return Kept.SAME
        if not unprice:
            return Kept.NO_PRICE
        new = NO_COST
    if (
        new.cost_e10 == usage.cost_e10
        and new.price_number == usage.price_number
        and new.status == usage.status
        and new.currency == usage.currency
        and new.step_prices == usage.step_prices
    ):
        return Kept.SAME
    return new


def _came_with_its_price(book: PriceBook, usage: CostedUsage) -> bool:
    price = book.by_number.get(usage.price_number or 0)
    return price is not None and price.layer is Layer.DEFAULT


def cost_today(book: PriceBook, usage: CostedUsage, number_of: NumberOf) -> NewCost | None:
    """The cost by the prices valid at the usage's time; None where one lacks, or where the amount is beyond reason."""
    if usage.steps:
        return _cost_of_steps(book, usage, number_of)
    price = book.find(usage.organization_id, usage.provider, usage.model_id, usage.timestamp_us)
    if price is None:
        return None
    amount = total_e10(price, usage)
    if amount is None or amount > MAX_AMOUNT_PER_RECORD_E10:
        return None
    status = CostStatus.ESTIMATED if usage.estimated or not is_sure(price, usage) else CostStatus.COMPUTED
    return NewCost(status.value, price.currency, amount, price.number or number_of(price.price))


def _cost_of_steps(book: PriceBook, usage: CostedUsage, number_of: NumberOf) -> NewCost | None:
    found = prices_of(book, usage, usage.steps)
    amount = cost_of_steps(found, usage, usage.steps).cost_e10
    first = found[0]
    if first is None or amount is None or amount > MAX_AMOUNT_PER_RECORD_E10:
        return None
    numbers = tuple(None if price is None else price.number or number_of(price.price) for price in found)
    sure = not usage.estimated and all(price is not None and is_sure(price, usage) for price in found)
    status = CostStatus.COMPUTED if sure else CostStatus.ESTIMATED
    return NewCost(status.value, first.currency, amount, numbers[0], numbers)


def moves(usage: CostedUsage, new: NewCost) -> list[Contribution]:
    """What the rollups take where `new` supersedes the current cost."""
    before, after = usage.cost_e10 or 0, new.cost_e10 or 0
    if usage.status == new.status and usage.currency == new.currency:
        return [] if before == after else [_contribution(usage, new, Measures(0, 0, 0, 0, after - before))]
    return [
        _contribution(usage, usage, measure(usage.quantities, -before, -1)),
        _contribution(usage, new, measure(usage.quantities, after)),
    ]


def _contribution(usage: CostedUsage, cost: CostedUsage | NewCost, measures: Measures) -> Contribution:
    series = Series(usage.provider, usage.model_id, cost.currency or "", cost.status)
    return Contribution(
        usage.organization_id,
        usage.timestamp_us,
        series,
        measures,
        usage.project_id,
        usage.user_id,
        usage.tags,
        usage.team_id,
        usage.api_key_id,
    )


def exchanged(old: CostedUsage, new: CostedUsage) -> list[Contribution]:
    """What the rollups take where a record becomes another: the whole of the old one away, the new one in."""
    return [
        _contribution(old, old, measure(old.quantities, -(old.cost_e10 or 0), -1)),
        _contribution(new, new, measure(new.quantities, new.cost_e10 or 0)),
    ]
