"""Audit events. Nothing here changes or deletes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select

from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.tables import audit_events
from cost_ops.storage.transaction import Transaction

a = audit_events.c


class StoredAudit:
    """Audit events of an organisation; without one, of all and of the installation."""

    def __init__(self, tx: Transaction, organization_id: str | None) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def add(self, event: AuditEvent) -> AuditEvent:
        """Store an event; it comes back with its number."""
        bound = replace(event, organization_id=self._organization_id or event.organization_id)
        row = {
            "organization_id": bound.organization_id,
            "at": to_us(bound.at),
            "actor": bound.actor,
            "action": str(bound.action),
            "resource": bound.resource,
            "request_id": bound.request_id,
            "detail": dict(bound.detail) if bound.detail else None,
        }
        number = self._tx.write(insert(audit_events).values(row).returning(a.number)).scalar_one()
        return replace(bound, number=int(number))

    def page(
        self, *, organization_id: str | None = None, action: str | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[AuditEvent], int]:
        """Events, newest first, and how many there are in all."""
        wanted: list[ColumnElement[bool]] = []
        if (owner := self._organization_id or organization_id) is not None:
            wanted.append(a.organization_id == owner)
        if action is not None:
            wanted.append(a.action == action)
        newest = select(audit_events).where(*wanted).order_by(a.number.desc())
        total = self._tx.rows(select(func.count()).select_from(audit_events).where(*wanted))[0][0]
        return [_event(row) for row in self._tx.rows(newest.limit(limit).offset(offset))], total


def _event(row: Any) -> AuditEvent:
    return AuditEvent(
        action=row.action,
        resource=row.resource,
        actor=row.actor,
        at=from_us(row.at),
        organization_id=row.organization_id,
        request_id=row.request_id,
        detail=row.detail,
        number=row.number,
    )
