"""Alerts of budgets: each fires once, whoever notices it first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from cost_ops.domain.alerts import Alert, AlertKind, AlertStatus, FiredAlert
from cost_ops.domain.event_data import data_of, stored_data
from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import from_us, to_us
from cost_ops.interfaces.alerts import AlertSearch
from cost_ops.storage.budget_tables import budget_alerts, budgets
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.transaction import Transaction

a = budget_alerts.c
_FIRED = (
    a.alert_id,
    a.budget_id,
    a.period_start,
    a.kind,
    a.threshold,
    a.fired_at,
    a.recovered_at,
    a.acknowledged_at,
    a.escalated_at,
)
_UNANSWERED = (a.acknowledged_at.is_(None), a.escalated_at.is_(None), a.recovered_at.is_(None))
_STATUS: dict[AlertStatus, tuple[ColumnElement[bool], ...]] = {
    AlertStatus.OPEN: (a.recovered_at.is_(None), a.acknowledged_at.is_(None)),
    AlertStatus.ACKNOWLEDGED: (a.recovered_at.is_(None), a.acknowledged_at.is_not(None)),
    AlertStatus.RECOVERED: (a.recovered_at.is_not(None),),
}
_CHUNK = 500


class StoredAlerts:
    """Alerts of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def fired(self, budget_ids: Collection[str], since: datetime) -> list[FiredAlert]:
        """What has fired of budgets in periods that begin at an instant or later."""
        found: list[FiredAlert] = []
        ids = sorted(budget_ids)
        for place in range(0, len(ids), _CHUNK):
            mine = self._mine(a.budget_id.in_(ids[place : place + _CHUNK]), a.period_start >= to_us(since))
            found += map(_fired, self._tx.rows(select(*_FIRED).where(*mine)))
        return found

    def unanswered(self, since: datetime) -> list[FiredAlert]:
        """Open alerts that have not been escalated, fired at an instant or later."""
        mine = self._mine(a.fired_at >= to_us(since), *_UNANSWERED)
        return [_fired(row) for row in self._tx.rows(select(*_FIRED).where(*mine))]

    def add(self, alert: Alert) -> bool:
        """Keep an alert; False where its threshold has fired in its period before: then nothing is kept."""
        new = insert_or_ignore(self._tx, budget_alerts).values(_values(alert))
        return self._tx.write(new.returning(a.alert_id)).first() is not None  # PostgreSQL's driver counts no rows here

    def recover(self, alert_id: str, at: datetime) -> bool:
        """Note that an alert's threshold is no longer reached; False where that was noted before."""
        return self._note(alert_id, (a.recovered_at.is_(None),), recovered_at=to_us(at))

    def escalate(self, alert_id: str, at: datetime) -> bool:
        """Note that an alert was escalated; False where it was, or is not open any more."""
        return self._note(alert_id, _UNANSWERED, escalated_at=to_us(at))

    def acknowledge(self, alert_id: str, *, by: str, comment: str | None, at: datetime) -> bool:
        """Note who has answered an alert; False where somebody had."""
        open_ones = (a.acknowledged_at.is_(None),)
        if not self._note(alert_id, open_ones, acknowledged_at=to_us(at), acknowledged_by=by):
            return False
        if comment is not None:
            detail = self._tx.rows(select(a.detail).where(*self._mine(a.alert_id == alert_id)))[0][0]
            self._note(alert_id, (), detail={**detail, _COMMENT: comment})
        return True

    def get(self, alert_id: str) -> Alert | None:
        """One alert."""
        found = self._tx.rows(select(budget_alerts).where(*self._mine(a.alert_id == alert_id)))
        return _alert(found[0]) if found else None

    def page(self, wanted: AlertSearch) -> tuple[list[Alert], int]:
        """Alerts, newest first, and how many there are in all."""
        mine = self._mine(*(() if wanted.status is None else _STATUS[wanted.status]))
        if wanted.budget_ids is not None:
            mine.append(a.budget_id.in_(sorted(wanted.budget_ids)))
        if wanted.since is not None:
            mine.append(a.fired_at >= to_us(wanted.since))
        newest = select(budget_alerts).where(*mine).order_by(a.fired_at.desc(), a.budget_id, a.threshold.desc(), a.kind)
        total = self._tx.rows(select(func.count()).select_from(budget_alerts).where(*mine))[0][0]
        return [_alert(row) for row in self._tx.rows(newest.limit(wanted.limit).offset(wanted.offset))], total

    def _mine(self, *conditions: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        return [a.organization_id == self._organization_id, *conditions]

    def _note(self, alert_id: str, conditions: Collection[ColumnElement[bool]], **values: Any) -> bool:
        mine = self._mine(a.alert_id == alert_id, *conditions)
        return bool(self._tx.write(update(budget_alerts).where(*mine).values(**values)).rowcount)


class StoredAlertDirectory:
    """Alerts of all organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def watching(self) -> list[str]:
        """The organisations that have budgets, by id."""
        in_force = select(budgets.c.organization_id).distinct().where(budgets.c.ended_at.is_(None))
        return sorted(row[0] for row in self._tx.rows(in_force))

    def waiting(self, since: datetime) -> list[str]:
        """The organisations with open alerts, fired at an instant or later, that have not been escalated."""
        open_ones = select(a.organization_id).distinct().where(a.fired_at >= to_us(since), *_UNANSWERED)
        return sorted(row[0] for row in self._tx.rows(open_ones))


_COMMENT = "$comment"
"""Where a row's detail keeps what was said when it was acknowledged, beside the data of the event."""


def _values(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "organization_id": alert.organization_id,
        "budget_id": alert.budget_id,
        "period_start": to_us(alert.period_start),
        "kind": str(alert.kind),
        "threshold": format_decimal(alert.threshold),
        "fired_at": to_us(alert.fired_at),
        "spend_e10": alert.spend_e10,
        "limit_e10": alert.limit_e10,
        "currency": alert.currency,
        "detail": stored_data(alert.detail),
    }


def _fired(row: Any) -> FiredAlert:
    return FiredAlert(**_known(row))


def _alert(row: Any) -> Alert:
    detail = dict(row.detail)
    comment = detail.pop(_COMMENT, None)
    return Alert(
        **_known(row),
        organization_id=row.organization_id,
        spend_e10=row.spend_e10,
        limit_e10=row.limit_e10,
        currency=row.currency,
        detail=data_of(detail),
        acknowledged_by=row.acknowledged_by,
        comment=comment,
    )


def _known(row: Any) -> dict[str, Any]:
    return {
        "alert_id": row.alert_id,
        "budget_id": row.budget_id,
        "period_start": from_us(row.period_start),
        "kind": AlertKind(row.kind),
        "threshold": Decimal(row.threshold),
        "fired_at": from_us(row.fired_at),
        "recovered_at": _instant(row.recovered_at),
        "acknowledged_at": _instant(row.acknowledged_at),
        "escalated_at": _instant(row.escalated_at),
    }


def _instant(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else from_us(instant_us)
