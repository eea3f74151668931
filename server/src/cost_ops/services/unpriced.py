"""Usage without a price: what it is, what it may cost, and which names like it have a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cost_ops.domain.access import authorize, check_whole
from cost_ops.domain.estimates import Band, band, similar_names
from cost_ops.domain.prices import Layer, Price
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import UnpricedModel

_COMPARED = (Layer.CATALOG, Layer.INSTALLATION, Layer.ORGANIZATION)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """One model of an organisation that has no known cost. `estimate` is in no total."""

    organization_id: str
    model: UnpricedModel
    estimate: Band | None
    similar: Sequence[str]


def models(ctx: Context, organization_id: str | None) -> list[Unpriced]:
    """All usage without a price, by organisation and model."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    check_whole(ctx.principal, "usage:read")
    found: list[tuple[str, UnpricedModel]] = []
    for organization in _organizations(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            found.extend((organization, model) for model in ledger.usage.unpriced_models())
    now = ctx.clock()
    prices = [p for p in ctx.books.refresh().by_number.values() if p.layer in _COMPARED and p.valid_at(now)]
    return [_estimated(prices, organization, model) for organization, model in found]


def _estimated(everyones: Sequence[Price], organization_id: str, model: UnpricedModel) -> Unpriced:
    prices = [price for price in everyones if price.organization_id in (None, organization_id)]
    estimate = band(
        prices,
        provider=model.provider,
        model_id=model.model_id,
        input_tokens=model.input_tokens,
        output_tokens=model.output_tokens,
    )
    similar = similar_names(prices, provider=model.provider, model_id=model.model_id)
    return Unpriced(organization_id, model, estimate, similar)


def _organizations(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]
