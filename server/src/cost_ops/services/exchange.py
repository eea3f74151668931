"""Exchange rates: importing, listing, looking up, and the table that answers are converted with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cost_ops.domain.access import authorize, authorize_owner
from cost_ops.domain.audit import Action, AuditEvent
from cost_ops.domain.errors import NotFound
from cost_ops.domain.exchange import MAX_AGE_DAYS, Conversion, ExchangeRate, RateTable
from cost_ops.domain.prices import check_currency
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.terms import Imported


def import_rates(ctx: Context, rates: Sequence[ExchangeRate], *, replace: bool = False) -> Imported:
    """Store rates of the installation. A stored rate that differs stands unless `replace`: answers stay what they were.

    Raises Forbidden for anyone but the owner.
    """
    authorize_owner(ctx.principal)
    now = ctx.clock()
    with ctx.storage.installation() as installation:
        found = installation.exchange_rates.add(rates, now, replace=replace)
        if found.added or found.replaced:
            installation.audit.add(_event(ctx, rates, found))
    return found


def _event(ctx: Context, rates: Sequence[ExchangeRate], found: Imported) -> AuditEvent:
    return ctx.event(
        Action.RATES_IMPORTED,
        "exchange-rates",
        detail={
            "sources": sorted({rate.source for rate in rates}),
            "first_date": min(rate.day for rate in rates).isoformat(),
            "last_date": max(rate.day for rate in rates).isoformat(),
            "added": found.added,
            "replaced": found.replaced,
        },
    )


@dataclass(frozen=True, slots=True)
class RateQuery:
    """A page of stored rates; days are UTC, both included."""

    base: str | None = None
    quote: str | None = None
    first: date | None = None
    last: date | None = None
    page: int = 1
    page_size: int = 20


def list_rates(ctx: Context, query: RateQuery) -> tuple[list[ExchangeRate], int]:
    """Stored rates, newest first, and how many there are in all."""
    authorize(ctx.principal, "costs:read")
    with ctx.storage.installation() as installation:
        return installation.exchange_rates.page(
            base=query.base,
            quote=query.quote,
            first=query.first,
            last=query.last,
            limit=query.page_size,
            offset=(query.page - 1) * query.page_size,
        )


def effective(ctx: Context, base: str, quote: str, day: date | None = None) -> Conversion:
    """How one unit of `base` becomes `quote` on a UTC day, today by default. Raises NotFound, InvalidInput."""
    authorize(ctx.principal, "costs:read")
    wanted = day or ctx.clock().date()
    table = table_of(ctx, {check_currency(base), check_currency(quote)}, wanted, wanted)
    found = table.find(base, quote, wanted)
    if found is None:
        raise NotFound(
            f"No exchange rate from {base} to {quote} on {wanted} or in the {MAX_AGE_DAYS} days before; "
            "import one with `cost-ops currencies import`",
            date=wanted.isoformat(),
        )
    return found


def table_of(ctx: Context, currencies: Collection[str], first: date, last: date) -> RateTable:
    """The rates that conversions among these currencies on these days may need."""
    with ctx.storage.installation() as installation:
        rates = installation.exchange_rates.between(first - timedelta(days=MAX_AGE_DAYS), last, currencies)
    return RateTable(rates)
