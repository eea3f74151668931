"""Alerts of budgets as people deal with them: looked through, answered; and budgets that are quiet for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cost_ops.domain.access import authorize
from cost_ops.domain.alert_events import ACKNOWLEDGED, acknowledged_data
from cost_ops.domain.alerts import Alert, AlertStatus, answered_with, is_silent
from cost_ops.domain.audit import Action, actor_of
from cost_ops.domain.before_after import before_after
from cost_ops.domain.budgets import Budget, is_within
from cost_ops.domain.errors import NotFound, invalid
from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import format_instant
from cost_ops.domain.text import text_fault
from cost_ops.interfaces.alerts import AlertSearch
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger

READ, WRITE = "budgets:read", "budgets:write"
LONGEST_SILENCE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """A page of alerts, newest first: of a budget, of a status, fired at an instant or later."""

    budget_id: str | None = None
    status: AlertStatus | None = None
    since: datetime | None = None
    page: int = 1
    page_size: int = 20


def page(ctx: Context, organization_id: str | None, query: AlertQuery) -> tuple[list[Alert], int]:
    """Alerts of the budgets that the principal may see, and how many there are in all. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        wanted = AlertSearch(
            budget_ids=_visible(ctx, ledger, READ, query.budget_id),
            status=query.status,
            since=query.since,
            limit=query.page_size,
            offset=(query.page - 1) * query.page_size,
        )
        return ledger.alerts.page(wanted)


def get(ctx: Context, organization_id: str | None, alert_id: str) -> Alert:
    """One of them. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        return _found(ctx, ledger, READ, alert_id)


def acknowledge(ctx: Context, organization_id: str | None, alert_id: str, comment: str | None = None) -> Alert:
    """Say that an alert was seen: it is not escalated any more, nor are the lower ones of its period.

    One that somebody has acknowledged before stays as it is. Raises NotFound, and InvalidInput for an impossible text.
    """
    bound = _bound(ctx, WRITE, organization_id)
    _check_text("comment", comment)
    now, by = ctx.clock(), actor_of(ctx.principal)
    with ctx.storage.ledger(bound) as ledger:
        alert = _found(ctx, ledger, WRITE, alert_id)
        if alert.acknowledged_at is not None or not ledger.alerts.acknowledge(alert_id, by=by, comment=comment, at=now):
            return _found(ctx, ledger, WRITE, alert_id)
        others = answered_with(alert, ledger.alerts.fired([alert.budget_id], alert.period_start))[1:]
        for other in others:
            ledger.alerts.acknowledge(other.alert_id, by=by, comment=None, at=now)
        budget = ledger.budgets.get(alert.budget_id)
        silenced = budget is not None and is_silent(budget, now)
        data = acknowledged_data(alert, _name(ctx, ledger) or by, comment, now, silenced=silenced)
        ledger.outbox.add(ACKNOWLEDGED, data, now)
        detail = {
            "budget_id": alert.budget_id,
            "threshold": format_decimal(alert.threshold),
            "period_start": format_instant(alert.period_start),
            "with": [other.alert_id for other in others],
            **before_after({"acknowledged_at": None}, {"acknowledged_at": format_instant(now)}),
        }
        ledger.audit.add(ctx.event(Action.ALERT_ACKNOWLEDGED, alert_id, organization_id=bound, detail=detail))
        return _found(ctx, ledger, WRITE, alert_id)


def silence(
    ctx: Context, organization_id: str | None, budget_id: str, *, until: datetime, reason: str | None = None
) -> Budget:
    """Have nobody told of a budget's alerts until an instant: they are kept all the same.

    Raises NotFound, and InvalidInput for an instant that is past or more than a year away.
    """
    bound = _bound(ctx, WRITE, organization_id)
    now = ctx.clock()
    _check_text("reason", reason)
    if not now < until <= now + LONGEST_SILENCE:
        message = f"until must lie ahead, by at most {LONGEST_SILENCE.days} days; got {format_instant(until)}"
        raise invalid("until", "out_of_range", message)
    return _quiet(ctx, bound, budget_id, until, reason)


def unsilence(ctx: Context, organization_id: str | None, budget_id: str) -> Budget:
    """Have people told of a budget's alerts again, of those from now on. Raises NotFound."""
    return _quiet(ctx, _bound(ctx, WRITE, organization_id), budget_id, None, None)


def _quiet(ctx: Context, bound: str, budget_id: str, until: datetime | None, reason: str | None) -> Budget:
    with ctx.storage.ledger(bound) as ledger:
        ledger.budgets.lock()
        old = ledger.budgets.get(budget_id)
        if old is None or not is_within(old.scope, ctx.principal.scope_of(WRITE)):
            raise NotFound(f"No budget {budget_id[:64]!r}")
        new = replace(old, silenced_until=until)
        if new == old:
            return old
        ledger.budgets.save(new)
        detail = before_after({"silenced_until": old.silenced_until}, {"silenced_until": until})
        if reason is not None:
            detail["reason"] = reason
        action = Action.BUDGET_UNSILENCED if until is None else Action.BUDGET_SILENCED
        ledger.audit.add(ctx.event(action, budget_id, organization_id=bound, detail=detail))
    return new


def _bound(ctx: Context, permission: str, organization_id: str | None) -> str:
    bound = authorize(ctx.principal, permission, organization_id)
    if bound is None:
        raise invalid(
            "organization_id", "missing_required_field", "organization_id is required: whose budgets they are"
        )
    return bound


def _visible(ctx: Context, ledger: Ledger, permission: str, budget_id: str | None) -> list[str] | None:
    """The budgets whose alerts are meant and may be seen, ended ones too; None: all. Raises NotFound."""
    scope = ctx.principal.scope_of(permission)
    if scope.is_everything and budget_id is None:
        return None
    newest = {budget.budget_id: budget for budget in ledger.budgets.list(ended=True)}
    seen = [one.budget_id for one in newest.values() if is_within(one.scope, scope)]
    if budget_id is not None and budget_id not in seen:
        raise NotFound(f"No budget {budget_id[:64]!r}")
    return seen if budget_id is None else [budget_id]


def _found(ctx: Context, ledger: Ledger, permission: str, alert_id: str) -> Alert:
    found = ledger.alerts.get(alert_id)
    if found is not None:
        seen = _visible(ctx, ledger, permission, None)
        if seen is None or found.budget_id in seen:
            return found
    raise NotFound(f"No alert {alert_id[:64]!r}")


def _name(ctx: Context, ledger: Ledger) -> str | None:
    """What the organisation calls whoever asks; None where they are no member."""
    member = None if ctx.principal.user_id is None else ledger.people.member(ctx.principal.user_id)
    return None if member is None else member.name


def _check_text(field: str, text: str | None) -> None:
    if text is not None and (fault := text_fault(text)):
        raise invalid(field, fault[0], f"{field} {fault[1]}")
