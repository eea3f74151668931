"""Settling contracts with volume tiers: what a month's usage comes to, which tier that is, and its costs by it.

First the months are looked at and their tiers stored, in one transaction of an organisation; from then on the price
book has them. Then what was recorded before is costed again, by ordinary re-pricing runs. Whatever dies in between is
taken up by settling again: a month is not done before its usage was costed by the tier that is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cost_ops.domain.access import authorize
from cost_ops.domain.audit import Action, AuditEvent
from cost_ops.domain.contracts import Contract
from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import Conflict, invalid
from cost_ops.domain.periods import TimeRange, from_us, to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun, RunStatus
from cost_ops.domain.rollups import CUBES, Grain, Window
from cost_ops.domain.volume_contracts import SettledMonth, months_to_settle, settled_month
from cost_ops.domain.volumes import ContractMonth, month_at, month_bounds, month_text, tier_to_json
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger

PERMISSION = "pricing:write"
_MONTHLY = next(cube for cube in CUBES if cube.grain is Grain.MONTH and cube.dimension is None)

Tokens = dict[int, dict[tuple[str, str], int]]
"""Month → (provider, model) → tokens."""

Reprice = Callable[[str, RepriceRequest], RepriceRun]
"""Costs usage of an organisation again, from beginning to end."""


class Settled(NamedTuple):
    """A month that was looked at, and how many of its costs were superseded; none in a dry run."""

    month: SettledMonth
    superseded: int = 0


def settle(
    ctx: Context,
    organization_id: str | None,
    reprice: Reprice,
    *,
    month: int | None = None,
    dry_run: bool = False,
) -> list[Settled]:
    """Settle all months of an organisation's volume contracts that are over and not done; bring this one up to date.

    An owner who names no organisation settles all. With `month` (counted since year 0) only that one, done or not. A
    second time changes nothing. Raises Conflict while another re-pricing of the organisation runs.
    """
    bound = authorize(ctx.principal, PERMISSION, organization_id)
    if month is not None and month > month_at(to_us(ctx.clock())):
        raise invalid("month", "out_of_range", f"month must not be in the future, got {month_text(month)}")
    organizations = [bound] if bound is not None else _with_tiers(ctx)
    return [found for one in organizations for found in _settle(ctx, one, reprice, month, dry_run=dry_run)]


def _with_tiers(ctx: Context) -> list[str]:
    with ctx.storage.installation() as installation:
        return sorted({contract.organization_id for contract in installation.contracts.list() if contract.tiers})


def _settle(
    ctx: Context, organization_id: str, reprice: Reprice, wanted: int | None, *, dry_run: bool
) -> list[Settled]:
    book = ctx.books.refresh()
    with ctx.storage.ledger(organization_id) as ledger:
        if dry_run:
            return [Settled(one) for one in _looked_at(ctx, ledger, book, wanted)]
        ledger.costs.lock()
        found = _looked_at(ctx, ledger, book, wanted)
        _store(ctx, ledger, found)
    superseded = {
        month: _cost_again(ctx, organization_id, reprice, [one for one in found if one.after.month == month])
        for month in sorted({one.after.month for one in found if not one.after.applied})
    }
    return [Settled(one, 0 if one.after.applied else superseded[one.after.month]) for one in found]


def _looked_at(ctx: Context, ledger: Ledger, book: PriceBook, wanted: int | None) -> list[SettledMonth]:
    """The months to settle that have usage, as they are now; writes nothing."""
    now = ctx.clock()
    this_month, oldest_us = month_at(to_us(now)), ledger.costs.oldest_us()
    if oldest_us is None:
        return []
    due = [
        (contract, month)
        for contract in ledger.contracts.list()
        if contract.tiers
        for month in months_to_settle(contract, oldest_us, this_month, wanted)
    ]
    tokens = _tokens(ledger, {month for _, month in due})
    found = []
    for contract, month in due:
        models = _counted(contract, month, tokens.get(month, {}), book)
        if models or any(known.month == month for known in contract.months):
            found.append(settled_month(contract, month, models, now=now, this_month=this_month))
    return found


def _tokens(ledger: Ledger, months: Iterable[int]) -> Tokens:
    """All tokens of each month, input and output, by provider and model, whatever they cost."""
    windows = [Window(month, month + 1, month) for month in sorted(months)]
    found: Tokens = {}
    for row in ledger.costs.sum_cube(_MONTHLY, windows, ("provider", "model"), ()):
        provider, model = row.values
        of_month, name = found.setdefault(row.slot, {}), (provider or "", model or "")
        of_month[name] = of_month.get(name, 0) + row.measures.input_tokens + row.measures.output_tokens
    return found


def _counted(
    contract: Contract, month: int, tokens: dict[tuple[str, str], int], book: PriceBook
) -> dict[str, dict[str, int]]:
    """The tokens that count for a contract: of the models that it is meant for, as called or as priced then."""
    start, end = month_bounds(month)
    found: dict[str, dict[str, int]] = {}
    for (provider, model), number in tokens.items():
        segments = book.history(contract.organization_id, provider, model)
        priced_as = {s.price.price.model_id for s in segments if s.start_us < end and start < s.end_us}
        if contract.fits(provider, model, *priced_as):
            found.setdefault(provider, {})[model] = number
    return found


def _store(ctx: Context, ledger: Ledger, found: Sequence[SettledMonth]) -> None:
    """Store what changed; the book is stale where prices did."""
    if any(one.changes_prices for one in found):
        ledger.prices.bump_version()
    for one in found:
        if one.changes:
            ledger.contracts.put_month(one.contract.number or 0, one.after)
        if one.changes_prices:
            ledger.audit.add(_event(ctx, one))


def _cost_again(ctx: Context, organization_id: str, reprice: Reprice, found: Sequence[SettledMonth]) -> int:
    """Re-price one month's usage of the models that count, a provider at a time; how many costs were superseded."""
    month = found[0].after.month
    start, end = month_bounds(month)
    state = "volume settled" if all(one.after.settled for one in found) else "volume so far"
    models: dict[str, set[str]] = {}
    for one in found:
        for provider, names in one.models.items():
            models.setdefault(provider, set()).update(names)
    superseded = 0
    for provider in sorted(models):
        filters = (Filter("provider", "in", (provider,)), Filter("model", "in", tuple(sorted(models[provider]))))
        request = RepriceRequest(TimeRange(from_us(start), from_us(end)), filters, f"{month_text(month)}: {state}")
        run = reprice(organization_id, request)
        if run.status is not RunStatus.FINISHED:
            raise Conflict(f"re-pricing run {run.number} was stopped; settle again", run=run.number)
        superseded += run.tally.changed
    with ctx.storage.ledger(organization_id) as ledger:
        ledger.costs.lock()
        for one in found:
            ledger.contracts.month_applied(one.contract.number or 0, one.after)
    return superseded


def _event(ctx: Context, one: SettledMonth) -> AuditEvent:
    return ctx.event(
        Action.CONTRACTS_SETTLED,
        one.contract.contract_id,
        organization_id=one.contract.organization_id,
        detail={
            "month": month_text(one.after.month),
            "before": None if one.before is None else _state(one.contract, one.before),
            "after": _state(one.contract, one.after),
        },
    )


def _state(contract: Contract, month: ContractMonth) -> dict[str, object]:
    return {"volume": month.volume, "tier": tier_to_json(contract.tiers[month.tier]), "settled": month.settled}
