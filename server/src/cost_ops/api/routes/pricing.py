"""Prices: list, add, revise, end, look up, over time; and what has none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of, text, truth
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE, instant
from cost_ops.api.schemas.pricing import (
    NEW_PRICE,
    REVISED_PRICE,
    EffectiveAnswer,
    PriceAdded,
    PriceHistory,
    PriceOne,
    PricePage,
    UnpricedAnswer,
    effective_view,
    price_view,
    step_view,
    unpriced_view,
)
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.prices import (
    FLAT_FIELDS,
    Layer,
    Price,
    check_currency,
    multipliers_from_fields,
    rates_from_fields,
)
from cost_ops.domain.rates import Rate
from cost_ops.services import price_history, pricing
from cost_ops.services import unpriced as unpriced_usage
from cost_ops.services.pricing import Added, NewPrice, PriceQuery

routes = Routes("Pricing")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}
_TIME = {"type": "string", "format": "date-time"}
_LAYERS = [str(layer) for layer in Layer]
PROVIDER = Parameter("provider", "only this provider", _TEXT, text)
MODEL = Parameter("model_id", "only this model", _TEXT, text)
LAYER = Parameter("layer", "only prices of this layer", {"type": "string", "enum": _LAYERS}, one_of(_LAYERS))
CURRENT = Parameter("current", "only prices that are valid now", {"type": "boolean", "default": False}, truth)
AT = Parameter("at", "the instant of the call; now where it is not given", _TIME, instant)
END_DATE = Parameter("end_date", "when the price ends; now where it is not given", _TIME, instant)
_FIELDS = tuple(NEW_PRICE["properties"])
_SEED_EXAMPLE = {
    "provider": "openai",
    "model_id": "gpt-4",
    "input_price_per_1k": 0.01,
    "output_price_per_1k": 0.03,
    "currency": "USD",
}


@routes.add(
    "GET",
    "/api/v1/pricing",
    summary="Prices that the key sees: its organisation's, the installation's, the catalogue's",
    answer=PricePage,
    permission="pricing:read",
    parameters=(ORGANIZATION, PROVIDER, MODEL, LAYER, CURRENT, PAGE, PAGE_SIZE),
    scoped=True,
)
def list_prices(call: Call) -> PricePage:
    """A page of prices, all versions unless `current`."""
    given = call.given
    page, page_size = given.get("page", 1), given.get("page_size", 20)
    layer = given.get("layer")
    query = PriceQuery(
        provider=given.get("provider"),
        model_id=given.get("model_id"),
        layer=Layer(layer) if layer else None,
        current_at=call.application.clock() if given.get("current") else None,
        page=page,
        page_size=page_size,
    )
    found, total = pricing.list_prices(call.ctx, given.get("organization_id"), query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return PricePage([price_view(price, call.money) for price in found], about)


def _read(body: Any, *, revised: bool) -> tuple[str | None, NewPrice]:
    """(organisation, price) of a body. Raises InvalidInput with every problem."""
    fields = Fields(body, _FIELDS, what="a price")
    organization_id = fields.parsed("organization_id", check_organization_id)
    provider = fields.text("provider", required=not revised)
    model_id = fields.text("model_id", required=not revised)
    currency = fields.parsed("currency", lambda value, _: check_currency(value))
    source = fields.text("source")
    start: datetime | None = fields.parsed("effective_date", instant)
    end: datetime | None = fields.parsed("end_date", instant)
    rates: tuple[Rate, ...] | None = ()
    if not revised or _names_a_rate(fields.values):
        rates = fields.attempt(lambda: rates_from_fields(fields.values))
    multipliers = fields.attempt(lambda: multipliers_from_fields(fields.values))
    fields.done()
    return organization_id, NewPrice(
        provider=provider or "",
        model_id=model_id or "",
        rates=rates or (),
        currency=currency or ("" if revised else "USD"),
        effective_from=start,
        effective_to=end,
        source=source or "manual",
        multipliers=multipliers,
    )


def _names_a_rate(values: Any) -> bool:
    return not {"rates", "cached_input_fraction", "request_price", *FLAT_FIELDS}.isdisjoint(values)


def _added(call: Call, added: Added) -> PriceAdded:
    ended = added.ended.price_id if added.ended is not None else None
    return PriceAdded(price_view(added.price, call.money), ended, added.priced_records)


@routes.add(
    "POST",
    "/api/v1/pricing",
    summary="Add a price: the organisation's own, or with an admin key and no organization_id the installation's",
    answer=PriceAdded,
    status=201,
    permission="pricing:write",
    body=BodyOf(NEW_PRICE, {"seed": _SEED_EXAMPLE}),
    errors=(409,),
)
def add_price(call: Call) -> Reply:
    """Store a price and price what waited for it."""
    organization_id, new = _read(call.body, revised=False)
    added = _added(call, pricing.add(call.ctx, organization_id, new))
    return Reply(201, added, {"Location": f"/api/v1/pricing/{added.data.price_id}"})


@routes.add(
    "GET",
    "/api/v1/pricing/effective",
    summary="The price that a call would have, and how it is found",
    answer=EffectiveAnswer,
    permission="pricing:read",
    parameters=(
        ORGANIZATION,
        Parameter("provider", "the provider", _TEXT, text, required=True),
        Parameter("model_id", "the model", _TEXT, text, required=True),
        AT,
    ),
    scoped=True,
)
def effective(call: Call) -> EffectiveAnswer:
    """The price at an instant; 404 where there is none."""
    given = call.given
    at = given.get("at") or call.application.clock()
    segment = pricing.effective(
        call.ctx, given.get("organization_id"), provider=given.get("provider"), model_id=given.get("model_id"), at=at
    )
    return EffectiveAnswer(effective_view(segment, at, call.money))


@routes.add(
    "GET",
    "/api/v1/pricing/unpriced",
    summary="Usage without a known price, by model, and an estimate of what it may cost",
    answer=UnpricedAnswer,
    permission="pricing:read",
    parameters=(ORGANIZATION,),
)
def unpriced(call: Call) -> UnpricedAnswer:
    """What waits for a price."""
    found = unpriced_usage.models(call.ctx, call.given.get("organization_id"))
    return UnpricedAnswer([unpriced_view(one, call.money) for one in found])


@routes.add(
    "GET",
    "/api/v1/pricing/history",
    summary="The prices of a model over time, as calls are priced",
    answer=PriceHistory,
    permission="pricing:read",
    parameters=(
        ORGANIZATION,
        Parameter("provider", "the provider; needed where several have the model", _TEXT, text),
        Parameter("model_id", "the model", _TEXT, text, required=True),
    ),
    scoped=True,
)
def history(call: Call) -> PriceHistory:
    """The stretches of time in which the model has a price, oldest first; 404 where it has none."""
    given = call.given
    found = price_history.steps(
        call.ctx, given.get("organization_id"), provider=given.get("provider"), model_id=given.get("model_id")
    )
    return PriceHistory([step_view(step, call.money) for step in found])


@routes.add(
    "GET",
    "/api/v1/pricing/{price_id}",
    summary="One price",
    answer=PriceOne,
    permission="pricing:read",
    parameters=(ORGANIZATION,),
    scoped=True,
)
def get_price(call: Call) -> PriceOne:
    """A price by its id."""
    return PriceOne(price_view(_found(call), call.money))


def _found(call: Call) -> Price:
    return pricing.get(call.ctx, call.given.get("organization_id"), call.path["price_id"])


@routes.add(
    "PUT",
    "/api/v1/pricing/{price_id}",
    summary="A new version of a price, from effective_date or now; the old one ends there",
    answer=PriceAdded,
    permission="pricing:write",
    parameters=(ORGANIZATION,),
    body=BodyOf(REVISED_PRICE, {"cheaper": {"input_price_per_1k": 0.005, "output_price_per_1k": 0.015}}),
    errors=(409,),
)
def revise_price(call: Call) -> PriceAdded:
    """Replace a price from a date on; history stays."""
    named, new = _read(call.body, revised=True)
    organization_id = call.given.get("organization_id") or named
    old = pricing.get(call.ctx, organization_id, call.path["price_id"])
    fields = Fields(call.body, _FIELDS, what="a price")
    provider = call.application.books.current().names.canonical(new.provider) if new.provider else old.provider
    if provider != old.provider or (new.model_id or old.model_id) != old.model_id:
        fields.add("model_id", "contradiction", f"the price is of {old.provider}/{old.model_id}; add another price")
    unsaid = not new.rates and not new.currency and new.multipliers is None
    if unsaid and new.effective_from is None and new.effective_to is None:
        fields.add("input_price_per_1k", "missing_required_field", "give new prices, a currency, or dates")
    fields.done()
    return _added(call, pricing.revise(call.ctx, organization_id, call.path["price_id"], new))


@routes.add(
    "DELETE",
    "/api/v1/pricing/{price_id}",
    summary="End a price, now or at `end_date`; what it priced stays",
    answer=PriceOne,
    permission="pricing:write",
    parameters=(ORGANIZATION, END_DATE),
)
def end_price(call: Call) -> PriceOne:
    """Set the end of a price."""
    given = call.given
    ended = pricing.end(call.ctx, given.get("organization_id"), call.path["price_id"], given.get("end_date"))
    return PriceOne(price_view(ended, call.money))
