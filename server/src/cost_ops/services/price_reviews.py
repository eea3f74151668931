"""Price reviews: what waits for a person, accepting it as a new dated price of the catalogue, dismissing it."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.audit import Action, actor_of
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus, decided, parse_review_id, waiting_price
from cost_ops.domain.prices import Price, insert
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Installation


@dataclass(frozen=True, slots=True)
class ReviewQuery:
    """A page of reviews, open ones unless another status is named; `status` None means all."""

    status: ReviewStatus | None = ReviewStatus.OPEN
    kind: ReviewKind | None = None
    provider: str | None = None
    page: int = 1
    page_size: int = 20


@dataclass(frozen=True, slots=True)
class Decided:
    """A review after a decision, and the price that it made, if any."""

    review: PriceReview
    price: Price | None = None


def page(ctx: Context, query: ReviewQuery) -> tuple[list[PriceReview], int]:
    """Reviews and how many there are in all. They are the installation's: raises Forbidden for other keys."""
    authorize_owner(ctx.principal)
    provider = ctx.books.current().names.canonical(query.provider) if query.provider else None
    with ctx.storage.installation() as installation:
        return installation.price_reviews.page(
            status=query.status,
            kind=query.kind,
            provider=provider,
            limit=query.page_size,
            offset=(query.page - 1) * query.page_size,
        )


def get(ctx: Context, review_id: str) -> PriceReview:
    """One review. Raises NotFound, Forbidden."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        return _find(installation, review_id)


def known(ctx: Context) -> list[PriceReview]:
    """What a sync compares its own reviews with."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        return installation.price_reviews.known()


def _find(installation: Installation, review_id: str) -> PriceReview:
    number = parse_review_id(review_id)
    found = installation.price_reviews.get(number) if number is not None else None
    if found is None:
        raise NotFound(f"No price review with id {review_id[:64]!r}")
    return found


def accept(ctx: Context, review_id: str, opinion: int | None = None) -> Decided:
    """Apply what waits (or opinion number `opinion`) as a price from now on; the price that holds ends there.

    Usage that waited for a price is not priced here: call `pricing.price_waiting`. Raises NotFound, Conflict where it
    was decided before, InvalidInput where there is no such opinion, Forbidden.
    """
    authorize_owner(ctx.principal)
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        prices = installation.prices
        prices.bump_version()  # first: it serialises writers, so that no two see the same timeline
        review = _find(installation, review_id)
        wanted = waiting_price(review, now, opinion)
        insertion = insert(prices.timeline(wanted.layer, wanted.provider, wanted.model_id), wanted, now=now)
        ended = insertion.ended
        if ended is not None and ended.number is not None and ended.effective_to is not None:
            prices.end(ended.number, ended.effective_to)
        price = prices.add(insertion.added, now)
        after = _decide(ctx, installation, review, ReviewStatus.ACCEPTED)
        detail = {"price_id": price.price_id, "provider": price.provider, "model_id": price.model_id}
        _note(ctx, installation, Action.REVIEW_ACCEPTED, after, detail | {"source": price.source})
    return Decided(after, price)


def dismiss(ctx: Context, review_id: str) -> Decided:
    """Leave the price as it is; while the sources say the same, nobody is asked again. Raises as `accept`."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        review = _find(installation, review_id)
        after = _decide(ctx, installation, review, ReviewStatus.DISMISSED)
        detail = {"provider": review.provider, "model_id": review.model_id}
        _note(ctx, installation, Action.REVIEW_DISMISSED, after, detail)
    return Decided(after)


def _decide(ctx: Context, installation: Installation, review: PriceReview, status: ReviewStatus) -> PriceReview:
    now, by = ctx.clock(), actor_of(ctx.principal)
    after = decided(review, status, now, by)
    if review.number is None or installation.price_reviews.decide([review.number], status, now=now, by=by) != 1:
        raise Conflict(f"{review.review_id} was decided by somebody else meanwhile")
    return after


def _note(
    ctx: Context, installation: Installation, action: Action, review: PriceReview, detail: dict[str, str]
) -> None:
    installation.audit.add(ctx.event(action, review.review_id, detail=detail))
