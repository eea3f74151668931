"""What a call would cost, by the organisation's prices, without recording anything."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import authorize
from cost_ops.domain.priced import Priced, expected
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class Estimate:
    """Usage with its cost. `price_id` is null where the price stands nowhere: it came with the question."""

    priced: Priced
    price_id: str | None


def estimate(ctx: Context, submission: UsageSubmission) -> Estimate:
    """The cost that a submission would have, by the book as it stands in the database.

    Raises NotFound where no price is known, Forbidden, InvalidInput where the amount is beyond reason.
    """
    authorize(ctx.principal, "costs:read", submission.organization_id)
    book = ctx.books.refresh()
    priced = expected(book, submission, itemised=True, advice="send default_pricing, or add a price for it")
    price = book.by_number.get(priced.price_number) if priced.price_number is not None else None
    return Estimate(priced, None if price is None else price.price_id)
