"""Why one price won: all that could have held for a call, in the order in which they are asked, with a verdict."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import NamedTuple

from cost_ops.domain.periods import format_instant, from_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price

MOST = 12
"""Prices that are looked at: a model with a long history has many, and the first ones decide."""


class Considered(NamedTuple):
    """A price that could have held. `found_by` says how its model was found, `verdict` why it won or did not."""

    price: Price
    found_by: str
    won: bool
    verdict: str


def considered(
    book: PriceBook, organization_id: str, provider: str, model_id: str, timestamp_us: int
) -> list[Considered]:
    """The prices of a model in the order in which they are asked; the first that was valid then wins."""
    instant = from_us(timestamp_us)
    found: list[Considered] = []
    winner: Considered | None = None
    for price, found_by in islice(book.in_order(organization_id, provider, model_id), MOST):
        if not price.valid_at(instant):
            one = Considered(price, found_by, won=False, verdict=_not_then(price, instant))
        elif winner is None:
            one = winner = Considered(price, found_by, won=True, verdict="valid then, and asked first")
            made = book.find(organization_id, provider, model_id, timestamp_us)
            if made is not None and made.price.layer is Layer.CONTRACT and made.price.base_number == price.number:
                verdict = f"what contracts make of {price.price_id}"
                found.append(Considered(made.price, found_by, won=True, verdict=verdict))
                one = winner = winner._replace(won=False, verdict="valid then, and asked first; contracts change it")
        else:
            one = Considered(price, found_by, won=False, verdict=_after(price, found_by, winner))
        found.append(one)
    return found


def _not_then(price: Price, instant: datetime) -> str:
    if price.effective_from is not None and instant < price.effective_from:
        return f"not valid yet: it begins {format_instant(price.effective_from)}"
    return f"not valid any more: it ended {format_instant(price.effective_to)}" if price.effective_to else "not valid"


def _after(price: Price, found_by: str, winner: Considered) -> str:
    if price.layer is not winner.price.layer:
        return f"prices of the {price.layer} come after those of the {winner.price.layer}"
    if price.provider != winner.price.provider:
        return f"prices of {price.provider} only stand in where {winner.price.provider} has none"
    mine, theirs = (how.partition(",")[0] for how in (found_by, winner.found_by))
    return f"{mine} comes after {theirs}"
