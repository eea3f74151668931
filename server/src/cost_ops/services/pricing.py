"""Prices: adding, ending, looking up, syncing the catalogue, and pricing what waited for a price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from cost_ops.domain.access import authorize, authorize_owner
from cost_ops.domain.audit import Action, actor_of
from cost_ops.domain.errors import Forbidden, NotFound, invalid
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.periods import format_instant, to_us
from cost_ops.domain.price_reviews import NO_NEWS, News, ReviewStatus
from cost_ops.domain.pricebook import Alias, PriceBook, Segment
from cost_ops.domain.prices import Insertion, Layer, Price, check_currency, insert, parse_price_id
from cost_ops.domain.rates import Rate
from cost_ops.domain.repricing import CostedUsage, cost_today
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Installation, Ledger, Position, PriceRepository, UnpricedModel

_CHUNK = 1000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price as someone asks for it. `effective_from` None: from the beginning for a model's first, else from now."""

    provider: str
    model_id: str
    rates: tuple[Rate, ...]
    currency: str = "USD"
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    source: str = "manual"
    multipliers: tuple[Multiplier, ...] | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """A stored price, the one that ended where it begins, and how many waiting records it priced."""

    price: Price
    ended: Price | None
    priced_records: int


def add(ctx: Context, organization_id: str | None, new: NewPrice) -> Added:
    """Store a price: the organisation's own, or the installation's where an owner names no organisation.

    Usage that waited for a price is priced. Raises Conflict (overlap), InvalidInput, Forbidden.
    """
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    _check(new)
    wanted = Price(
        provider=ctx.books.current().names.canonical(new.provider),
        model_id=new.model_id.strip(),
        currency=check_currency(new.currency),
        rates=new.rates,
        effective_from=new.effective_from,
        effective_to=new.effective_to,
        layer=Layer.INSTALLATION if bound is None else Layer.ORGANIZATION,
        organization_id=bound,
        source=new.source,
        multipliers=new.multipliers or (),
    )

    def work(unit: Ledger | Installation) -> Insertion:
        insertion = _insert(unit.prices, wanted, ctx.clock())
        _audit(ctx, unit, Action.PRICE_ADDED, insertion.added, insertion.ended)
        return insertion

    insertion = _in_prices(ctx, bound, work)
    return Added(insertion.added, insertion.ended, price_waiting(ctx, bound))


def _check(new: NewPrice) -> None:
    for name, value in (("provider", new.provider), ("model_id", new.model_id)):
        if not value or not value.strip():
            raise invalid(name, "missing_required_field", f"{name} is required")
        if fault := text_fault(value):
            raise invalid(name, fault[0], f"{name} {fault[1]}")


def _in_prices(ctx: Context, bound: str | None, work: Callable[[Ledger | Installation], _T]) -> _T:
    """Run `work` where the bound organisation's prices are, or the installation's, in one transaction."""
    if bound is None:
        with ctx.storage.installation() as installation:
            return work(installation)
    with ctx.storage.ledger(bound) as ledger:
        return work(ledger)


def _audit(ctx: Context, unit: Ledger | Installation, action: Action, price: Price, ended: Price | None = None) -> None:
    """Keep who changed a price, in the transaction of the change."""
    detail = {
        "provider": price.provider,
        "model_id": price.model_id,
        "currency": price.currency,
        "rates": price.terms_to_json(),
        "effective_date": None if price.effective_from is None else format_instant(price.effective_from),
        "end_date": None if price.effective_to is None else format_instant(price.effective_to),
        "source": price.source,
    }
    if ended is not None:
        detail["ended"] = ended.price_id
    unit.audit.add(ctx.event(action, price.price_id, detail=detail))


def _insert(prices: PriceRepository, wanted: Price, now: datetime) -> Insertion:
    prices.bump_version()  # first: it serialises writers, so that no two see the same timeline
    timeline = prices.timeline(wanted.layer, wanted.provider, wanted.model_id)
    insertion = insert(timeline, wanted, now=now)
    if insertion.ended is not None and insertion.ended.number is not None and insertion.ended.effective_to is not None:
        prices.end(insertion.ended.number, insertion.ended.effective_to)
    return replace(insertion, added=prices.add(insertion.added, now))


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """A page of visible prices. `current_at`: only those valid at that instant."""

    provider: str | None = None
    model_id: str | None = None
    layer: Layer | None = None
    current_at: datetime | None = None
    page: int = 1
    page_size: int = 20


def list_prices(ctx: Context, organization_id: str | None, query: PriceQuery) -> tuple[list[Price], int]:
    """Visible prices and how many there are in all."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    provider = ctx.books.current().names.canonical(query.provider) if query.provider else None
    return _in_prices(
        ctx,
        bound,
        lambda unit: unit.prices.page(
            provider=provider,
            model_id=query.model_id,
            layer=query.layer,
            current_at=query.current_at,
            limit=query.page_size,
            offset=(query.page - 1) * query.page_size,
        ),
    )


def get(ctx: Context, organization_id: str | None, price_id: str) -> Price:
    """One visible price. Raises NotFound."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    return _in_prices(ctx, bound, lambda unit: _find(unit.prices, price_id))


def _find(prices: PriceRepository, price_id: str) -> Price:
    number = parse_price_id(price_id)
    found = prices.get(number) if number is not None else None
    if found is None:
        raise NotFound(f"No price with id {price_id[:64]!r}")
    return found


def effective(ctx: Context, organization_id: str | None, *, provider: str, model_id: str, at: datetime) -> Segment:
    """The price that a call at this instant would have, and how it is found. Raises NotFound (`No pricing found …`)."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    book = ctx.books.refresh()
    found = book.explain(bound or "", book.names.canonical(provider), model_id, to_us(at))
    if found is None:
        raise NotFound(f"No pricing found for model: {model_id[:100]}", provider=provider[:100])
    return found


def revise(ctx: Context, organization_id: str | None, price_id: str, new: NewPrice) -> Added:
    """A new version of a price, from `effective_from` or now; the old one ends there. Raises NotFound, Forbidden."""
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    now = ctx.clock()

    def work(unit: Ledger | Installation) -> Insertion:
        old = _find(unit.prices, price_id)
        _may_change(ctx, bound, old)
        wanted = replace(
            old,
            rates=new.rates or old.rates,
            currency=check_currency(new.currency or old.currency),
            effective_from=new.effective_from or now,
            effective_to=new.effective_to,
            source=new.source,
            multipliers=old.multipliers if new.multipliers is None else new.multipliers,
            number=None,
            created_at=None,
        )
        insertion = _insert(unit.prices, wanted, now)
        _audit(ctx, unit, Action.PRICE_REVISED, insertion.added, old)
        return insertion

    insertion = _in_prices(ctx, _holder(ctx, bound, price_id), work)
    return Added(insertion.added, insertion.ended, price_waiting(ctx, bound))


def end(ctx: Context, organization_id: str | None, price_id: str, at: datetime | None = None) -> Price:
    """End a price now or at `at`; what it priced stays as it is. Raises NotFound, Forbidden, InvalidInput."""
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    instant = at or ctx.clock()

    def work(unit: Ledger | Installation) -> Price:
        unit.prices.bump_version()
        old = _find(unit.prices, price_id)
        _may_change(ctx, bound, old)
        if old.effective_to is not None and old.effective_to <= instant:
            return old
        if old.effective_from is not None and instant <= old.effective_from:
            raise invalid("end_date", "empty_range", "end_date must be after the price's effective_date")
        unit.prices.end(old.number or 0, instant)
        ended = replace(old, effective_to=instant)
        _audit(ctx, unit, Action.PRICE_ENDED, ended)
        return ended

    return _in_prices(ctx, _holder(ctx, bound, price_id), work)


def _holder(ctx: Context, bound: str | None, price_id: str) -> str | None:
    """Whose unit of work changes a price: a shared one is the installation's, whomever its owner has named."""
    if bound is None or not ctx.principal.owner:
        return bound
    with ctx.storage.ledger(bound) as ledger:
        return _find(ledger.prices, price_id).organization_id


def _may_change(ctx: Context, bound: str | None, price: Price) -> None:
    """Catalogue and installation prices belong to the installation: an organisation's key cannot touch them."""
    if price.layer is Layer.CONTRACT:
        message = f"{price.price_id} is what contracts make of price-{price.base_number}; change those instead"
        raise invalid("price_id", "made_by_contracts", message)
    if bound is not None and price.layer is not Layer.ORGANIZATION and not ctx.principal.owner:
        raise Forbidden("admin:*")


def unpriced(ctx: Context, organization_id: str | None) -> list[tuple[str, UnpricedModel]]:
    """(organisation, model) for all usage without a price."""
    bound = authorize(ctx.principal, "pricing:read", organization_id)
    found: list[tuple[str, UnpricedModel]] = []
    for organization in _organizations(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            found.extend((organization, model) for model in ledger.usage.unpriced_models())
    return found


def _organizations(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


def price_waiting(ctx: Context, bound: str | None) -> int:
    """Price usage that waited for a price and now has one, in chunks of one transaction each; how many records.

    Each becomes a superseding cost row, and the rollups move by the difference in the same transaction.
    """
    book = ctx.books.refresh()
    done = 0
    for organization in _organizations(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            models = ledger.usage.unpriced_models()
        for model in models:
            if book.knows(organization, model.provider, model.model_id):
                done += _price_model(ctx, book, organization, model)
    return done


def _price_model(ctx: Context, book: PriceBook, organization: str, model: UnpricedModel) -> int:
    after: Position | None = None
    done = 0
    while True:
        with ctx.storage.ledger(organization) as ledger:
            waiting = ledger.usage.unpriced(provider=model.provider, model_id=model.model_id, after=after, limit=_CHUNK)
            done += _price_known(ctx, book, ledger, waiting)
        if len(waiting) < _CHUNK:
            return done
        after = Position(*parse_usage_id(waiting[-1].usage_id))


def _price_known(ctx: Context, book: PriceBook, ledger: Ledger, waiting: Sequence[UsageRecord]) -> int:
    """Price those that today's book knows a price of; how many they were."""
    now = ctx.clock()
    changes = []
    for usage in map(CostedUsage.of, waiting):
        found = cost_today(book, usage, lambda price: ledger.prices.number_of(price, now))
        if found is not None:
            changes.append((usage, found))
    ledger.costs.supersede(changes, reason="a price was added", now=now)
    return len(changes)


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """What a sync writes: new dated rows, ends of the rows they follow, all aliases, and what people are asked."""

    added: Sequence[Price]
    ended: Sequence[tuple[int, datetime]]
    aliases: Sequence[Alias]
    reviews: News = NO_NEWS


def catalogue_timelines(ctx: Context) -> list[Price]:
    """Every catalogue price as it stands: what a sync plan is made against."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        return [p for p in installation.book_prices() if p.layer is Layer.CATALOG]


def apply_sync(ctx: Context, change: CatalogueChange) -> int:
    """Write a sync in one transaction and price what waited; how many records were priced."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        installation.prices.bump_version()
        for number, at in change.ended:
            installation.prices.end(number, at)
        installation.prices.add_many(change.added, ctx.clock())
        installation.replace_aliases(change.aliases)
        _store_reviews(ctx, installation, change.reviews)
        _audit_sync(ctx, installation, change)
    return price_waiting(ctx, None)


def _store_reviews(ctx: Context, installation: Installation, reviews: News) -> None:
    now, by = ctx.clock(), actor_of(ctx.principal)
    installation.price_reviews.decide(reviews.superseded, ReviewStatus.SUPERSEDED, now=now, by="a sync")
    installation.price_reviews.decide(reviews.accepted, ReviewStatus.ACCEPTED, now=now, by=by)
    installation.price_reviews.add_many(reviews.raised, now)


def _audit_sync(ctx: Context, installation: Installation, change: CatalogueChange) -> None:
    """Keep who synced the catalogue, where that changed prices."""
    if change.added or change.ended:
        detail = {"added": len(change.added), "ended": len(change.ended)}
        installation.audit.add(ctx.event(Action.PRICES_SYNCED, "catalogue", detail=detail))
