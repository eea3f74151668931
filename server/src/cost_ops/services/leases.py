"""Reserving what a call may cost, before it is made, of every budget it will count for; and giving it back.

Many requests are decided in one transaction, one after the other in the order in which they came. Deciding locks the
hard budgets concerned, so that processes and replicas take turns, and reads what is spent and held as one state: the
sum of spend and leases never passes a hard limit through a reservation, and none is refused while there is room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cost_ops.domain.access import Principal, authorize, bound_to
from cost_ops.domain.budget_index import BudgetIndex
from cost_ops.domain.budget_status import BudgetStatus, spends_by_number, standing_of
from cost_ops.domain.budgets import Budget, earliest_needed
from cost_ops.domain.errors import Conflict, CostOpsError, NotFound, invalid
from cost_ops.domain.exchange import RateTable
from cost_ops.domain.lease_requests import LeaseRequest, for_budget
from cost_ops.domain.leases import Decision, Held, Lease, LeaseStatus, Level, decide
from cost_ops.domain.money import round_half_even
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.priced import expected, known_amount
from cost_ops.domain.random_text import random_identity
from cost_ops.domain.scoped_usage import check_covered
from cost_ops.interfaces.budgets import Closed, Hold, LeaseRepository, NewLease
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.recording import Lost, Recorder

_ATTEMPTS = 5
READ, WRITE = "budgets:read", "usage:write"


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease, and how the budgets it holds stood before it; `replayed` where its key had led to it before."""

    lease: Lease
    decision: Decision
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No lease: budgets have no room for it."""

    request: LeaseRequest
    amount_e10: int
    currency: str
    decision: Decision


Outcome = Granted | Refused | CostOpsError


def reserve(ctx: Context, requests: Sequence[LeaseRequest]) -> list[Outcome]:
    """Decide about requests, in order, in one transaction; a lease that is granted is committed.

    The caller has seen to it that each request's organisation is one its principal may write usage for. Raises
    Unavailable where the database is away: then nothing is held.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _reserve_once(ctx, requests)
        except Lost:
            continue
    return _reserve_once(ctx, requests)


def look(ctx: Context, request: LeaseRequest) -> Granted | Refused:
    """What `reserve` would say now, without holding anything. Raises what it would answer with."""
    authorize(ctx.principal, READ, request.organization_id)
    with ctx.storage.installation() as installation:
        if installation.organization(request.organization_id) is None:
            raise NotFound(f"No organization {request.organization_id[:64]!r}")
        outcome = _Deciding(ctx, installation.leases, [request], lock=False).run()[0]
    if isinstance(outcome, CostOpsError):
        raise outcome
    return outcome


def release(ctx: Context, organization_id: str | None, lease_id: str) -> Lease:
    """Give a lease back: nothing is held any more. One that is over already stays as it is.

    Raises NotFound, Conflict where it was settled, Forbidden where the call lies outside of what one may record.
    """
    bound = authorize(ctx.principal, WRITE, organization_id)
    now = ctx.clock()
    with ctx.storage.recorder() as recorder:
        found = recorder.leases.get([lease_id], for_update=True).get(lease_id)
        if found is None or bound not in (None, found.organization_id):
            raise NotFound(f"No lease {lease_id[:64]!r}")
        check_covered(ctx.principal, WRITE, found)
        lease = found.at(now)
        if lease.status is LeaseStatus.SETTLED:
            raise Conflict("this lease was settled: its usage is recorded", usage_id=lease.usage_id)
        if lease.status is LeaseStatus.HELD:
            recorder.leases.close([Closed(lease_id, LeaseStatus.RELEASED, now)])
            lease = replace(lease, status=LeaseStatus.RELEASED, closed_at=now)
    return lease


def get_lease(ctx: Context, organization_id: str, lease_id: str) -> Lease:
    """One lease, as it is now. Raises NotFound."""
    bound = authorize(ctx.principal, READ, organization_id) or organization_id
    with ctx.storage.ledger(bound) as ledger:
        found = ledger.budgets.lease(lease_id)
    if found is None:
        raise NotFound(f"No lease {lease_id[:64]!r}")
    return found.at(ctx.clock())


def list_leases(
    ctx: Context, organization_id: str, *, status: str | None = None, limit: int = 20, offset: int = 0
) -> tuple[list[Lease], int]:
    """Leases, newest first, and how many there are in all."""
    bound = authorize(ctx.principal, READ, organization_id) or organization_id
    if status is not None and status not in tuple(LeaseStatus):
        raise invalid("status", "invalid_value", f"status must be one of {', '.join(LeaseStatus)}")
    with ctx.storage.ledger(bound) as ledger:
        found, total = ledger.budgets.leases(status=status, limit=limit, offset=offset)
    return [lease.at(ctx.clock()) for lease in found], total


def whose(ctx: Context, lease_id: str) -> Lease:
    """A lease that the principal may settle, whatever became of it. Raises NotFound."""
    with ctx.storage.installation() as installation:
        found = installation.leases.get([lease_id]).get(lease_id)
    if found is None:
        raise NotFound(f"No lease {lease_id[:64]!r}; usage that nothing was reserved for goes to POST /api/v1/usage")
    try:
        bound_to(ctx.principal, found.organization_id)
    except NotFound as error:
        raise NotFound(f"No lease {lease_id[:64]!r}") from error
    return found


def _reserve_once(ctx: Context, requests: Sequence[LeaseRequest]) -> list[Outcome]:
    with ctx.storage.recorder() as recorder:
        deciding = _Deciding(ctx, recorder.leases, requests, lock=True)
        outcomes = deciding.run(_missing(recorder, requests))
        recorder.leases.add(deciding.new)
        return outcomes


def _missing(recorder: Recorder, requests: Sequence[LeaseRequest]) -> set[str]:
    return recorder.unknown_organizations({request.organization_id for request in requests})


class _Deciding:
    """One transaction's worth of decisions."""

    def __init__(self, ctx: Context, leases: LeaseRepository, requests: Sequence[LeaseRequest], *, lock: bool) -> None:
        self.ctx, self.leases, self.requests, self.lock = ctx, leases, requests, lock
        self.now = ctx.clock()
        self.book: PriceBook = ctx.books.current()
        self.new: list[NewLease] = []
        self.indexes: Mapping[str, BudgetIndex] = {}
        self.periods: dict[int, TimeRange | None] = {}
        self.stands: dict[int, BudgetStatus] = {}
        self.table = RateTable(())

    def run(self, missing: Iterable[str] = ()) -> list[Outcome]:
        """An outcome for each request, in order."""
        gone = set(missing)
        ids = {request.organization_id for request in self.requests} - gone
        self.indexes = self.leases.indexes_of(ids)
        keys = {(request.organization_id, request.key) for request in self.requests if request.key is not None}
        known = self.leases.by_key(keys) if keys else {}
        prepared = [self._prepared(request, gone) for request in self.requests]
        self._read_standing([one for one in prepared if isinstance(one, _Prepared)])
        outcomes: list[Outcome] = []
        for one in prepared:
            if isinstance(one, CostOpsError):
                outcomes.append(one)
                continue
            before = known.get((one.request.organization_id, one.request.key or ""))
            outcome = self._again(one.request, before) if before is not None else self._decided(one)
            if isinstance(outcome, Granted) and not outcome.replayed and outcome.lease.key is not None:
                known[outcome.lease.organization_id, outcome.lease.key] = outcome.lease
            outcomes.append(outcome)
        return outcomes

    def _prepared(self, request: LeaseRequest, gone: set[str]) -> _Prepared | CostOpsError:
        if request.organization_id in gone:
            return NotFound(f"No organization {request.organization_id[:64]!r}")
        try:
            index = self.indexes[request.organization_id]
            if request.budget_id is not None:
                request = for_budget(request, self._budget(index, request.budget_id))
            amount_e10, currency = self._estimate(request)
        except CostOpsError as error:
            return error
        places: list[tuple[Budget, TimeRange]] = []
        for watched in index.matching(request.value_of):
            period = self._period(watched.budget)
            if period is not None:
                places.append((watched.budget, period))
        return _Prepared(request, amount_e10, currency, places)

    def _period(self, budget: Budget) -> TimeRange | None:
        """The period that a budget is in now; None where it is not in force."""
        if budget.number not in self.periods:
            self.periods[budget.number] = budget.period_at(self.now) if budget.counts(self.now) else None
        return self.periods[budget.number]

    def _budget(self, index: BudgetIndex, budget_id: str) -> Budget:
        """A budget by its id. Raises NotFound."""
        found = next((one for one in index.by_number.values() if one.budget_id == budget_id), None)
        if found is None:
            raise NotFound(f"No budget {budget_id[:64]!r}")
        return found

    def _estimate(self, request: LeaseRequest) -> tuple[int, str]:
        """What the call may cost. Raises NotFound where no price is known, InvalidInput where it is beyond reason."""
        if request.amount_e10 is not None:
            return request.amount_e10, request.currency or "USD"
        if request.submission is None:
            raise invalid("amount", "missing_required_field", "amount is required")
        advice = "give an amount, or add a price for it"
        return known_amount(expected(self.book, request.submission, advice=advice), advice)

    def _read_standing(self, prepared: Sequence[_Prepared]) -> None:
        """How the budgets concerned stand, read once for all requests, the hard ones locked before."""
        places = {budget.number: (budget, period) for one in prepared for budget, period in one.places}
        if not places:
            return
        if self.lock:
            self.leases.lock([number for number, (budget, _) in places.items() if budget.is_hard])
        starts = {number: to_us(earliest_needed(budget, period)) for number, (budget, period) in places.items()}
        moves, held = self.leases.standing(starts, self.now)
        budgets = [budget for budget, _ in places.values()]
        currencies = {key.currency for key in moves if key.currency} | {one.currency for one in prepared}
        currencies |= {budget.currency for budget in budgets}
        if len(currencies) > 1:
            first = min(period.start for _, period in places.values())
            self.table = RateTable(self.leases.rates(first, self.now, currencies))
        spends = spends_by_number(moves, budgets, self.table)
        for number, (budget, period) in places.items():
            self.stands[number] = standing_of(
                budget, period, spends[number], held.get((number, period.start_us), 0), self.now
            )

    def _again(self, request: LeaseRequest, before: Lease) -> Granted | Conflict:
        if before.request_hash != request.request_hash:
            message = f"idempotency key {str(request.key)[:64]!r} was used before with a different request"
            return Conflict(message, lease_id=before.lease_id)
        return Granted(before.at(self.now), Decision(()), replayed=True)

    def _decided(self, one: _Prepared) -> Granted | Refused:
        levels = [
            Level(self.stands[budget.number], self._converted(one.amount_e10, one.currency, budget.currency))
            for budget, _ in one.places
        ]
        decision = decide(levels)
        if not decision.allowed:
            return Refused(one.request, one.amount_e10, one.currency, decision)
        holds, told = [], []
        for level in decision.levels:
            if level.amount_e10 is None:
                continue
            stands = level.status
            number, period = stands.budget.number, stands.period
            self.stands[number] = replace(stands, held_e10=stands.held_e10 + level.amount_e10)
            holds.append(Hold(number, period.start_us, level.amount_e10))
            budget = stands.budget
            told.append(Held(budget.budget_id, budget.name, stands.label, level.amount_e10, budget.currency))
        lease = Lease(
            random_identity(self.ctx.random_bits, "lease"),
            one.request.organization_id,
            one.amount_e10,
            one.currency,
            one.request.usage,
            tuple(told),
            self.now,
            self.now + one.request.ttl,
            key=one.request.key,
            request_hash=one.request.request_hash,
        )
        self.new.append(NewLease(lease, tuple(holds)))
        return Granted(lease, decision)

    def _converted(self, amount_e10: int, currency: str, into: str) -> int | None:
        """An amount at today's rate; None where there is none."""
        if currency == into:
            return amount_e10
        rate = self.table.find(currency, into, self.now.date())
        if rate is None:
            return None
        return round_half_even(amount_e10 * rate.ratio.numerator, rate.ratio.denominator)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request with what it may cost and the budgets that it counts for."""

    request: LeaseRequest
    amount_e10: int
    currency: str
    places: list[tuple[Budget, TimeRange]]


def placed(principal: Principal, request: LeaseRequest) -> LeaseRequest:
    """The request as the principal may make it: in the one project that it is bound to, where none is named.

    Raises Forbidden where the call lies outside of what it may record.
    """
    authorize(principal, WRITE, request.organization_id)
    project = principal.scope_of(WRITE).single_project
    if project is not None:
        request = request.filled({"project": project})
    check_covered(principal, WRITE, request)
    return request
