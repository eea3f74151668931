"""A submission with its cost: by our prices, by the provider's own amount, or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cost_ops.domain.charging import Line, charge, is_sure, total_e10
from cost_ops.domain.compiled import compile_price
from cost_ops.domain.costing import cost_of_steps, prices_of
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.money import MAX_AMOUNT_PER_RECORD_E10
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price, default_price
from cost_ops.domain.statuses import CostStatus, reported_agrees
from cost_ops.domain.usage import UsageSubmission


class Priced(NamedTuple):
    """A submission with its cost under one version of the price book. `lines` is empty where unpriced."""

    submission: UsageSubmission
    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    lines: Sequence[Line]
    book_version: int
    step_prices: Sequence[int | None] = ()


def price_submission(
    book: PriceBook, submission: UsageSubmission, *, strict: bool = False, itemised: bool = True
) -> Priced:
    """The cost of a submission by a book; one without a price is unpriced.

    Without `itemised` the lines are left out, which is quicker.

    Raises NotFound in strict mode where no price is known, InvalidInput where the amount is beyond reason.
    """
    lines: Sequence[Line] = ()
    numbers: Sequence[int | None] = ()
    if submission.steps:
        prices = prices_of(book, submission, submission.steps)
        found, cost, lines, _, numbers = cost_of_steps(prices, submission, submission.steps)
        sure = all(price is not None and is_sure(price, submission) for price in prices)
    else:
        found = book.find(submission.organization_id, submission.provider, submission.model_id, submission.timestamp_us)
        if found is None:
            cost, sure = None, False
        elif itemised:
            cost, lines, _ = charge(found, submission)
            sure = is_sure(found, submission)
        else:
            cost, sure = total_e10(found, submission), is_sure(found, submission)
    if found is None or cost is None:
        priced = _without_price(submission, book.version, strict=strict)
    else:
        if cost > MAX_AMOUNT_PER_RECORD_E10:
            message = "the record would cost more than ten million; check its counts and the price"
            raise invalid("input_tokens", "amount_too_large", message)
        status = CostStatus.COMPUTED if sure and not submission.estimated else CostStatus.ESTIMATED
        priced = Priced(submission, status, found.currency, cost, found.number, lines, book.version, numbers)
    return priced if submission.reported_cost_e10 is None else _with_reported(priced)


def expected(book: PriceBook, submission: UsageSubmission, *, itemised: bool = False, advice: str) -> Priced:
    """What usage would cost that is not recorded (yet): by a book, else by the default price that was sent along.

    Raises NotFound with advice where no price is known, InvalidInput where the amount is beyond reason.
    """
    priced = price_submission(book, submission, itemised=itemised)
    if priced.cost_e10 is None and submission.default_price is not None:
        priced = by_default(priced, default_price(submission.organization_id, submission.default_price))
    known_amount(priced, advice)
    return priced


def known_amount(priced: Priced, advice: str) -> tuple[int, str]:
    """The amount, in 1e-10 units, and its currency. Raises NotFound with advice where it is not known."""
    if priced.cost_e10 is None or priced.currency is None:
        submission = priced.submission
        message = f"No pricing found for model: {submission.model_id[:100]}"
        raise NotFound(message, provider=submission.provider[:100], advice=advice)
    return priced.cost_e10, priced.currency


def by_default(priced: Priced, price: Price) -> Priced:
    """An estimate by a price that was sent along; as it was where that price does not do either."""
    amount, lines, _ = charge(compile_price(price), priced.submission)
    if amount is None or amount > MAX_AMOUNT_PER_RECORD_E10:
        return priced
    return priced._replace(
        status=CostStatus.ESTIMATED, currency=price.currency, cost_e10=amount, price_number=price.number, lines=lines
    )


def _without_price(submission: UsageSubmission, book_version: int, *, strict: bool) -> Priced:
    known_otherwise = submission.default_price is not None or submission.reported_cost_e10 is not None
    if strict and not known_otherwise:
        raise NotFound(f"No pricing found for model: {submission.model_id}", provider=submission.provider)
    return Priced(submission, CostStatus.UNPRICED, None, None, None, (), book_version)


def _with_reported(priced: Priced) -> Priced:
    """The provider's own amount where ours is unknown or agrees with it; otherwise ours stands."""
    submission = priced.submission
    reported = submission.reported_cost_e10
    if priced.cost_e10 is None or reported_agrees(
        reported_e10=reported or 0,
        reported_currency=submission.reported_currency,
        cost_e10=priced.cost_e10,
        currency=priced.currency,
    ):
        return priced._replace(status=CostStatus.REPORTED, currency=submission.reported_currency, cost_e10=reported)
    return priced
