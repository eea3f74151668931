"""Looking at budgets and telling people: thresholds that are reached, forecasts, recoveries, what nobody has answered.

Looking reads only, a few statements for all budgets of an organisation. Where something is due, a second transaction
reads the budgets concerned again, keeps each alert and writes its event down: of any number who do so at once, whoever
keeps the alert tells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cost_ops.domain.access import authorize, authorize_owner
from cost_ops.domain.alert_events import ESCALATED, EVENT_OF, alert_data, escalated_data, kind_of
from cost_ops.domain.alert_looks import Found, Look
from cost_ops.domain.alerts import ANSWERABLE, Alert, DueKind, FiredAlert, to_escalate
from cost_ops.domain.budget_status import BudgetStatus, spends_by_number, standing_of, status_of
from cost_ops.domain.budgets import Budget, earliest_needed
from cost_ops.domain.errors import NotFound
from cost_ops.domain.exchange import MAX_AGE_DAYS, RateTable
from cost_ops.domain.periods import DAY_US, from_us, to_us
from cost_ops.domain.random_text import random_identity
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger

WRITE = "budgets:write"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came of looking: how many budgets there are, and how often something was told of them."""

    budgets: int = 0
    thresholds: int = 0
    forecasts: int = 0
    recovered: int = 0
    escalated: int = 0

    @property
    def told(self) -> int:
        """How many events were written down."""
        return self.thresholds + self.forecasts + self.recovered + self.escalated

    def __add__(self, other: Evaluated) -> Evaluated:
        """Both together."""
        return Evaluated(
            self.budgets + other.budgets,
            self.thresholds + other.thresholds,
            self.forecasts + other.forecasts,
            self.recovered + other.recovered,
            self.escalated + other.escalated,
        )


def evaluate(ctx: Context, organization_id: str, *, forecasts: bool = True) -> Evaluated:
    """Look at all budgets of an organisation and tell what is due.

    Without `forecasts` only sums of periods are read, not every day: of a budget that has nothing else to tell, no
    forecast is told. Raises NotFound, Forbidden.
    """
    bound = authorize(ctx.principal, WRITE, organization_id) or organization_id
    now = ctx.clock()
    with ctx.storage.ledger(bound) as ledger:
        look = _look(ledger, ledger.budgets.list(), now)
        pacing = Look.at(look.pacing() if forecasts else (), now)
        pacing.fired = look.fired
        _read_spends(ledger, pacing, by_day=True)
    table = _rates(ctx, look)
    concerned = {found.status.budget.budget_id for found in look.found(table, standing_of)}
    concerned |= {found.status.budget.budget_id for found in pacing.found(table, status_of)}
    if not concerned:
        return Evaluated(len(look.watched))
    with ctx.storage.ledger(bound) as ledger:
        told = _tell(ctx, ledger, [one for one in ledger.budgets.list() if one.budget_id in concerned], table, now)
    counts = {kind: told.count(kind) for kind in DueKind}
    return Evaluated(len(look.watched), counts[DueKind.THRESHOLD], counts[DueKind.FORECAST], counts[DueKind.RECOVERED])


def escalate(ctx: Context, organization_id: str) -> Evaluated:
    """Tell once more of alerts that nobody has answered in the time that their budgets allow. Raises as `evaluate`."""
    bound = authorize(ctx.principal, WRITE, organization_id) or organization_id
    now = ctx.clock()
    with ctx.storage.ledger(bound) as ledger:
        patient = {one.budget_id: one for one in ledger.budgets.list() if one.escalate_after_minutes is not None}
        chosen = _unanswered(ledger, patient, now) if patient else {}
        look = _look(ledger, [patient[budget_id] for budget_id in chosen], now)
    found = Evaluated(len(patient))
    if not chosen:
        return found
    table = _rates(ctx, look)
    with ctx.storage.ledger(bound) as ledger:
        for budget_id, alerts in chosen.items():
            for alert in alerts:
                status = _stands(ledger, patient[budget_id], alert.period_start, table, now)
                if status is not None and ledger.alerts.escalate(alert.alert_id, now):
                    data = escalated_data(status, alert.alert_id, alert.threshold, alert.fired_at)
                    ledger.outbox.add(ESCALATED, data, now)
                    found = replace(found, escalated=found.escalated + 1)
    return found


def sweep(ctx: Context, watch: Callable[[], None] = lambda: None) -> Evaluated:
    """Look at the budgets of all organisations: forecasts, and what time alone brings. For the owner.

    `watch` is called before each organisation; what it raises ends the sweep.
    """
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        ids = installation.alerts.watching()
    return _each(ids, lambda one: evaluate(ctx, one), watch)


def escalate_all(ctx: Context, watch: Callable[[], None] = lambda: None) -> Evaluated:
    """Tell once more of all alerts that nobody has answered in time, whoever's they are. For the owner; see `sweep`."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        ids = installation.alerts.waiting(ctx.clock() - ANSWERABLE)
    return _each(ids, lambda one: escalate(ctx, one), watch)


def _each(ids: Iterable[str], work: Callable[[str], Evaluated], watch: Callable[[], None]) -> Evaluated:
    found = Evaluated()
    for organization_id in ids:
        watch()
        try:
            found += work(organization_id)
        except NotFound:  # it is gone by now
            continue
    return found


def _look(ledger: Ledger, budgets: Collection[Budget], now: datetime, *, by_day: bool = False) -> Look:
    """What has fired of budgets, then what is spent of them: what is known to have fired did so at an earlier state."""
    look = Look.at(budgets, now)
    for group in look.groups():
        look.know(ledger.alerts.fired([one.budget.budget_id for one in group], min(one.since for one in group)))
    _read_spends(ledger, look, by_day=by_day)
    return look


def _read_spends(ledger: Ledger, look: Look, *, by_day: bool) -> None:
    for group in look.groups():
        look.moves |= ledger.budgets.spends({one.budget.number: one.needed_us for one in group}, by_day=by_day)


def _rates(ctx: Context, look: Look) -> RateTable:
    """The rates that lead to the budgets' currencies, where anything was spent in others."""
    own = {one.budget.number: one.budget.currency for one in look.watched}
    foreign = [key for key in look.moves if key.currency not in ("", own[key.number])]
    if not foreign:
        return RateTable(())
    currencies = {key.currency for key in foreign} | {own[key.number] for key in foreign}
    first, last = (from_us(choose(key.day for key in foreign) * DAY_US).date() for choose in (min, max))
    with ctx.storage.installation() as installation:
        return RateTable(installation.exchange_rates.between(first - timedelta(days=MAX_AGE_DAYS), last, currencies))


def _tell(ctx: Context, ledger: Ledger, budgets: Collection[Budget], table: RateTable, now: datetime) -> list[DueKind]:
    """Keep what is due and write it down, always in the same order: those who do so at once wait for one another."""
    look = _look(ledger, budgets, now, by_day=True)
    held = ledger.budgets.held([one.budget.number for one in look.watched], now)
    found = sorted(
        look.found(table, status_of, held),
        key=lambda one: (one.due.kind is DueKind.RECOVERED, one.status.budget.budget_id, one.status.period.start),
    )  # what is due of a budget and period stays in order
    return [one.due.kind for one in found if (_recover(ledger, one) if one.due.alert_id else _fire(ctx, ledger, one))]


def _fire(ctx: Context, ledger: Ledger, found: Found) -> bool:
    status, what = found
    alert_id = random_identity(ctx.random_bits, "alert")
    data = alert_data(status, alert_id, what.threshold)
    alert = Alert(
        alert_id=alert_id,
        budget_id=status.budget.budget_id,
        period_start=status.period.start,
        kind=kind_of(what.kind),
        threshold=what.threshold,
        fired_at=status.as_of,
        organization_id=ledger.organization_id,
        spend_e10=status.spent_e10,
        limit_e10=status.limit_e10,
        currency=status.budget.currency,
        detail=data,
    )
    if not ledger.alerts.add(alert):
        return False
    ledger.outbox.add(EVENT_OF[what.kind], data, status.as_of)
    return True


def _recover(ledger: Ledger, found: Found) -> bool:
    status, what = found
    if what.alert_id is None or not ledger.alerts.recover(what.alert_id, status.as_of):
        return False
    ledger.outbox.add(EVENT_OF[what.kind], alert_data(status, what.alert_id, what.threshold), status.as_of)
    return True


def _unanswered(ledger: Ledger, patient: dict[str, Budget], now: datetime) -> dict[str, list[FiredAlert]]:
    """The alerts to escalate, by budget, always in the same order."""
    waiting: dict[str, list[FiredAlert]] = {}
    for alert in ledger.alerts.unanswered(now - ANSWERABLE):
        if alert.budget_id in patient:
            waiting.setdefault(alert.budget_id, []).append(alert)
    chosen = {budget_id: to_escalate(patient[budget_id], waiting[budget_id], now) for budget_id in sorted(waiting)}
    return {budget_id: alerts for budget_id, alerts in chosen.items() if alerts}


def _stands(ledger: Ledger, budget: Budget, start: datetime, table: RateTable, now: datetime) -> BudgetStatus | None:
    """How a budget stands in the period that holds an instant; None where it has none any more."""
    period = budget.periods.at(start)
    if period is None:
        return None
    moves = ledger.budgets.spends({budget.number: to_us(earliest_needed(budget, period))}, by_day=True)
    held = ledger.budgets.held([budget.number], now).get((budget.number, period.start_us), 0)
    return status_of(budget, period, spends_by_number(moves, [budget], table)[budget.number], held, now)
