"""Prices: adding, ending, looking up, syncing the catalogue, and pricing what waited for a price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from cost_ops.domain.access import authorize
from cost_ops.domain.charging import Stored, charge
from cost_ops.domain.errors import Forbidden, NotFound, invalid
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import Alias, PriceBook, Segment
from cost_ops.domain.prices import Insertion, Layer, Price, check_currency, insert, parse_price_id
from cost_ops.domain.rates import Rate
from cost_ops.domain.rollups import Contribution, Series, fold, measure
from cost_ops.domain.statuses import CostStatus
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Correction, Ledger, Position, PriceRepository, UnpricedModel

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
    insertion = _in_prices(ctx, bound, lambda prices: _insert(prices, wanted, ctx.clock()))
    return Added(insertion.added, insertion.ended, price_waiting(ctx, bound))


def _check(new: NewPrice) -> None:
    for name, value in (("provider", new.provider), ("model_id", new.model_id)):
        if not value or not value.strip():
            raise invalid(name, "missing_required_field", f"{name} is required")
        if fault := text_fault(value):
            raise invalid(name, fault[0], f"{name} {fault[1]}")


def _in_prices(ctx: Context, bound: str | None, work: Callable[[PriceRepository], _T]) -> _T:
    """Run `work` on the bound organisation's prices, or on the installation's, in one transaction."""
    if bound is None:
        with ctx.storage.installation() as installation:
            return work(installation.prices)
    with ctx.storage.ledger(bound) as ledger:
        return work(ledger.prices)


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
        lambda prices: prices.page(
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
    return _in_prices(ctx, bound, lambda prices: _find(prices, price_id))


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

    def work(prices: PriceRepository) -> Insertion:
        old = _find(prices, price_id)
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
        return _insert(prices, wanted, now)

    insertion = _in_prices(ctx, bound, work)
    return Added(insertion.added, insertion.ended, price_waiting(ctx, bound))


def end(ctx: Context, organization_id: str | None, price_id: str, at: datetime | None = None) -> Price:
    """End a price now or at `at`; what it priced stays as it is. Raises NotFound, Forbidden, InvalidInput."""
    bound = authorize(ctx.principal, "pricing:write", organization_id)
    instant = at or ctx.clock()

    def work(prices: PriceRepository) -> Price:
        prices.bump_version()
        old = _find(prices, price_id)
        _may_change(ctx, bound, old)
        if old.effective_to is not None and old.effective_to <= instant:
            return old
        if old.effective_from is not None and instant <= old.effective_from:
            raise invalid("end_date", "empty_range", "end_date must be after the price's effective_date")
        prices.end(old.number or 0, instant)
        return replace(old, effective_to=instant)

    return _in_prices(ctx, bound, work)


def _may_change(ctx: Context, bound: str | None, price: Price) -> None:
    """Catalogue and installation prices belong to the installation: an organisation's key cannot touch them."""
    if bound is not None and price.layer is not Layer.ORGANIZATION and not ctx.principal.is_admin:
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
            done += _correct(ctx, book, ledger, waiting)
        if len(waiting) < _CHUNK:
            return done
        after = Position(*parse_usage_id(waiting[-1].usage_id))


def _correct(ctx: Context, book: PriceBook, ledger: Ledger, waiting: Sequence[UsageRecord]) -> int:
    corrections: list[Correction] = []
    moves: list[Contribution] = []
    for record in waiting:
        usage = Stored.of(record)
        found = book.find(record.organization_id, record.provider, record.model_id, usage.timestamp_us)
        amount = charge(found, usage).amount_e10 if found is not None else None
        if found is None or amount is None:
            continue
        status = CostStatus.ESTIMATED if record.estimated or found.is_default else CostStatus.COMPUTED
        timestamp_us, uid = parse_usage_id(record.usage_id)
        corrections.append(
            Correction(
                timestamp_us,
                uid,
                status,
                found.currency,
                amount,
                ledger.prices.number_of(found.price, ctx.clock()),
                "a price was added",
            )
        )
        moves.append(_move(record, Series(record.provider, record.model_id, "", record.status), -1, 0))
        moves.append(_move(record, Series(record.provider, record.model_id, found.currency, status), 1, amount))
    if corrections:
        ledger.costs.correct(corrections, ctx.clock())
        ledger.costs.fold(fold(moves))
    return len(corrections)


def _move(record: UsageRecord, series: Series, sign: int, cost_e10: int) -> Contribution:
    timestamp_us, _ = parse_usage_id(record.usage_id)
    measures = measure(record.quantities, cost_e10, sign)
    return Contribution(
        record.organization_id, timestamp_us, series, measures, record.project_id, record.user_id, record.tags
    )


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """What a sync writes: new dated rows, ends of the rows they follow, and all aliases."""

    added: Sequence[Price]
    ended: Sequence[tuple[int, datetime]]
    aliases: Sequence[Alias]


def catalogue_timelines(ctx: Context) -> list[Price]:
    """Every catalogue price as it stands: what a sync plan is made against."""
    authorize(ctx.principal, "admin:*")
    with ctx.storage.installation() as installation:
        return [p for p in installation.book_prices() if p.layer is Layer.CATALOG]


def apply_sync(ctx: Context, change: CatalogueChange) -> int:
    """Write a sync in one transaction and price what waited; how many records were priced."""
    authorize(ctx.principal, "admin:*")
    with ctx.storage.installation() as installation:
        installation.prices.bump_version()
        for number, at in change.ended:
            installation.prices.end(number, at)
        installation.prices.add_many(change.added, ctx.clock())
        installation.replace_aliases(change.aliases)
    return price_waiting(ctx, None)
