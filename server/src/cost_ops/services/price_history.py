"""The prices of a model over time: what a call would have cost, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cost_ops.domain.access import authorize
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.pricebook import PriceBook, Segment
from cost_ops.interfaces.context import Context


def steps(ctx: Context, organization_id: str | None, *, provider: str | None, model_id: str) -> list[Segment]:
    """The stretches of time in which a model has a price, oldest first, as an organisation's calls are priced.

    Without a provider it is the one that has a model of exactly this name. Raises InvalidInput where several have,
    NotFound where there is no price.
    """
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    book = ctx.books.refresh()
    named = book.names.canonical(provider) if provider else _provider(book, bound, model_id)
    found = book.history(bound or "", named, model_id) if named else []
    if not found:
        raise NotFound(f"No pricing found for model: {model_id[:100]}", provider=(provider or "")[:100])
    return [_with_number(step) for step in found]


def _with_number(step: Segment) -> Segment:
    """A price that contracts make has no number before its first use: it goes by that of the listed one."""
    price = step.price.price
    if price.number is not None:
        return step
    return step._replace(price=replace(step.price, price=replace(price, number=price.base_number)))


def _provider(book: PriceBook, bound: str | None, model_id: str) -> str | None:
    visible = (None, bound)
    providers: Sequence[str] = sorted(
        {p.provider for p in book.by_number.values() if p.model_id == model_id and p.organization_id in visible}
    )
    if len(providers) > 1:
        message = f"several providers have a model {model_id[:100]!r}; name one: {', '.join(providers[:20])}"
        raise invalid("provider", "ambiguous", message)
    return providers[0] if providers else None
