"""Costing recorded usage again by today's prices: a dry run that says what would change, and runs that do it.

A run works page by page. Each page is one transaction: superseding cost rows, what they move in the rollups, and how
far the run is. So a run that dies loses nothing and can be taken up where it stopped, by anyone: whoever does becomes
its holder, and a page that finds another holder is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from cost_ops.domain.access import authorize
from cost_ops.domain.audit import Action, AuditEvent, actor_of
from cost_ops.domain.errors import Conflict, CostOpsError, NotFound, invalid
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import format_instant, from_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price
from cost_ops.domain.reprice_runs import (
    STALE_AFTER,
    Difference,
    DryRun,
    Reach,
    RepriceRequest,
    RepriceRun,
    RunStatus,
    Tally,
)
from cost_ops.domain.repricing import CostedUsage, NewCost, reconsider
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger, Position

PAGE_SIZE = 5_000
_HOLDER_BITS = 52
PERMISSION = "pricing:write"

Watch = Callable[[RepriceRun], bool]
"""Told of a run after every page; says whether to go on."""


class _Page(NamedTuple):
    run: RepriceRun
    done: bool


def dry_run(
    ctx: Context,
    organization_id: str | None,
    request: RepriceRequest,
    watch: Callable[[Reach], None] | None = None,
) -> DryRun:
    """What a run would change, by model and day. An owner who names no organisation gets all of them together.

    Reads page by page and writes nothing. `watch` is told how far it is.
    """
    bound = authorize(ctx.principal, PERMISSION, organization_id)
    tally, difference = Tally(), Difference()
    book = ctx.books.refresh()
    for organization in _organizations(ctx, bound):
        for usage in _records(ctx, organization, request, watch):
            found = reconsider(book, usage, _no_number, unprice=request.unprice)
            tally.add(usage, found)
            if isinstance(found, NewCost):
                difference.add(usage, found)
    return DryRun(tally, difference.rows())


def _no_number(_price: Price) -> None:
    """A dry run stores no prices."""


def _organizations(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


def _records(
    ctx: Context, organization_id: str, request: RepriceRequest, watch: Callable[[Reach], None] | None
) -> Iterator[CostedUsage]:
    with ctx.storage.ledger(organization_id) as ledger:
        reach = _reach(ledger, request)
    while True:
        with ctx.storage.ledger(organization_id) as ledger:
            page = _page_of(ledger, request, reach)
        yield from (usage for usage in page if request.wants(usage))
        if len(page) < PAGE_SIZE:
            return
        reach = reach._replace(done_us=page[-1].timestamp_us, uid=page[-1].uid)
        if watch is not None:
            watch(reach)


def _page_of(ledger: Ledger, request: RepriceRequest, reach: Reach) -> list[CostedUsage]:
    return ledger.usage.costed(
        start_us=request.span.start_us,
        end_us=request.span.end_us,
        filters=request.stored_filters,
        after=None if reach.done_us is None or reach.uid is None else Position(reach.done_us, reach.uid),
        limit=PAGE_SIZE,
    )


def _reach(ledger: Ledger, request: RepriceRequest) -> Reach:
    """From the first instant that has something to the last, for those who watch."""
    oldest, newest = ledger.costs.oldest_us(), ledger.costs.newest_us()
    first = request.span.start_us if oldest is None else max(request.span.start_us, oldest)
    last = request.span.end_us if newest is None else min(request.span.end_us, newest)
    return Reach(first, last)


def start(ctx: Context, organization_id: str | None, request: RepriceRequest) -> RepriceRun:
    """Begin a run; `work` does it. Raises Conflict where another run of the organisation is alive."""
    bound = _bound(ctx, organization_id)
    book = ctx.books.refresh()
    now = ctx.clock()
    with ctx.storage.ledger(bound) as ledger:
        ledger.costs.lock()
        _only_one(ledger, now)
        run = ledger.reprice_runs.add(
            request,
            reach=_reach(ledger, request),
            holder=ctx.random_bits(_HOLDER_BITS),
            book=book.version,
            actor=actor_of(ctx.principal),
            now=now,
        )
        ledger.audit.add(_event(ctx, Action.REPRICE_STARTED, run))
    return run


def resume(ctx: Context, organization_id: str | None, number: int) -> RepriceRun:
    """Take a run up where it stopped; `work` does the rest. Whoever still works on it notices and stops.

    A finished run comes back as it is. Raises NotFound; Conflict where another run of the organisation is alive.
    """
    found = get(ctx, organization_id, number)
    now = ctx.clock()
    with ctx.storage.ledger(found.organization_id) as ledger:
        ledger.costs.lock()
        run = _stored(ledger, number)
        if run.status is RunStatus.FINISHED:
            return run
        _only_one(ledger, now, but=number)
        run = replace(run, status=RunStatus.RUNNING, holder=ctx.random_bits(_HOLDER_BITS), updated_at=now)
        ledger.reprice_runs.save(run)
    return run


def _bound(ctx: Context, organization_id: str | None) -> str:
    bound = authorize(ctx.principal, PERMISSION, organization_id)
    if bound is None:
        raise invalid("organization_id", "missing_required_field", "organization_id is required: a run is of one")
    return bound


def _only_one(ledger: Ledger, now: datetime, but: int | None = None) -> None:
    """Refuse where another run is alive; one that has not moved for long is said to have stopped."""
    for other in ledger.reprice_runs.running():
        if other.number == but:
            continue
        if other.lives(now):
            raise Conflict(
                f"re-pricing run {other.number} is at work on this organisation; wait until it is done, or resume it "
                f"if it died: it counts as alive until {format_instant(other.updated_at + STALE_AFTER)}",
                run=other.number,
            )
        ledger.reprice_runs.save(replace(other, status=RunStatus.STOPPED))


def get(ctx: Context, organization_id: str | None, number: int) -> RepriceRun:
    """One run. Raises NotFound."""
    bound = authorize(ctx.principal, PERMISSION, organization_id)
    for organization in _organizations(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            run = ledger.reprice_runs.get(number)
        if run is not None:
            return run
    raise NotFound(f"No re-pricing run {number}")


def list_runs(ctx: Context, organization_id: str | None, limit: int = 20) -> list[RepriceRun]:
    """The newest runs first."""
    bound = authorize(ctx.principal, PERMISSION, organization_id)
    found: list[RepriceRun] = []
    for organization in _organizations(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            found += ledger.reprice_runs.newest(limit)
    return sorted(found, key=lambda run: -run.number)[:limit]


def work(ctx: Context, run: RepriceRun, watch: Watch | None = None) -> RepriceRun:
    """Do a run that was begun or resumed, until it is finished or `watch` says to stop.

    Raises Conflict where somebody else has taken it over.
    """
    if run.status is not RunStatus.RUNNING:
        return run
    try:
        while True:
            page = _work_on_page(ctx, run)
            run = page.run
            if page.done:
                return run
            if watch is not None and not watch(run):
                return stop(ctx, run)
    except BaseException:
        _stop_quietly(ctx, run)
        raise


def stop(ctx: Context, run: RepriceRun) -> RepriceRun:
    """Say that nobody works on a run any more, so that nobody waits for it."""
    with ctx.storage.ledger(run.organization_id) as ledger:
        ledger.costs.lock()
        stored = _stored(ledger, run.number)
        if stored.status is not RunStatus.RUNNING or stored.holder != run.holder:
            return stored
        stopped = replace(stored, status=RunStatus.STOPPED)
        ledger.reprice_runs.save(stopped)
    return stopped


def _stop_quietly(ctx: Context, run: RepriceRun) -> None:
    """As `stop`, where something went wrong already: if this does, too, the run counts as stale in a minute."""
    try:
        stop(ctx, run)
    except CostOpsError:
        return


def _stored(ledger: Ledger, number: int) -> RepriceRun:
    run = ledger.reprice_runs.get(number)
    if run is None:
        raise NotFound(f"No re-pricing run {number}")
    return run


def _work_on_page(ctx: Context, begun: RepriceRun) -> _Page:
    """One page in one transaction. The book is looked at before each: a price that changes meanwhile counts."""
    book = ctx.books.refresh()
    now = ctx.clock()
    with ctx.storage.ledger(begun.organization_id) as ledger:
        ledger.costs.lock()
        run = _stored(ledger, begun.number)
        if run.status is not RunStatus.RUNNING or run.holder != begun.holder:
            raise Conflict(f"re-pricing run {run.number} was taken over by somebody else", run=run.number)
        page = _page_of(ledger, run.request, run.reach)
        _supersede(ledger, book, run, page, now)
        done = len(page) < PAGE_SIZE
        reach = run.reach
        if page:
            reach = reach._replace(done_us=page[-1].timestamp_us, uid=page[-1].uid)
        run = replace(
            run,
            status=RunStatus.FINISHED if done else run.status,
            reach=reach,
            books=(run.books[0], book.version),
            updated_at=now,
        )
        ledger.reprice_runs.save(run)
        if done:
            ledger.audit.add(_event(ctx, Action.REPRICED, run))
    return _Page(run, done)


def _supersede(ledger: Ledger, book: PriceBook, run: RepriceRun, page: Sequence[CostedUsage], now: datetime) -> None:
    """Write what changes on a page, and count it in the run's tally."""
    request, tally = run.request, run.tally

    def number_of(price: Price) -> int:
        return ledger.prices.number_of(price, now)

    changes: list[tuple[CostedUsage, NewCost]] = []
    for usage in page:
        if not request.wants(usage):
            continue
        found = reconsider(book, usage, number_of, unprice=request.unprice)
        tally.add(usage, found)
        if isinstance(found, NewCost):
            changes.append((usage, found))
    ledger.costs.supersede(changes, reason=request.reason, now=now, run=run.number)


def _event(ctx: Context, action: Action, run: RepriceRun) -> AuditEvent:
    tally = run.tally
    detail = {"request": run.request.to_json(), "book_version": run.books[1]}
    if action is Action.REPRICED:
        detail |= {
            "examined": tally.examined,
            "changed": tally.changed,
            "final": tally.final,
            "no_price": tally.no_price,
            "before": {currency: format_e10(amount) for currency, amount in sorted(tally.before_e10.items())},
            "after": {currency: format_e10(amount) for currency, amount in sorted(tally.after_e10.items())},
            "until": None if run.reach.done_us is None else format_instant(from_us(run.reach.done_us)),
        }
    return ctx.event(action, f"reprice-run-{run.number}", detail=detail)
