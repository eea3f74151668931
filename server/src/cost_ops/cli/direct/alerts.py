"""Alerts in a database."""

from __future__ import annotations

from datetime import datetime, timedelta

from cost_ops.cli.alert_documents import alert_document, silence_document
from cost_ops.cli.alerts_backend import AlertsWanted
from cost_ops.cli.backend import Document
from cost_ops.domain.alerts import AlertStatus
from cost_ops.interfaces.context import Context
from cost_ops.services import alerts
from cost_ops.services.alerts import AlertQuery


class DirectAlerts:
    """Alerts as the installation's owner sees them."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def search(self, organization_id: str | None, wanted: AlertsWanted) -> tuple[list[Document], int]:
        """Alerts, newest first, and how many there are in all."""
        status = None if wanted.status is None else AlertStatus(wanted.status)
        query = AlertQuery(wanted.budget_id, status, wanted.since, page_size=wanted.limit)
        found, total = alerts.page(self._ctx, organization_id, query)
        return [alert_document(alert) for alert in found], total

    def get(self, organization_id: str | None, alert_id: str) -> Document:
        """One alert."""
        return alert_document(alerts.get(self._ctx, organization_id, alert_id))

    def acknowledge(self, organization_id: str | None, alert_id: str, comment: str | None) -> Document:
        """Say that an alert was seen."""
        return alert_document(alerts.acknowledge(self._ctx, organization_id, alert_id, comment))

    def silence(
        self,
        organization_id: str | None,
        budget_id: str,
        *,
        until: datetime | None,
        minutes: int | None,
        reason: str | None,
    ) -> Document:
        """Have nobody told of a budget's alerts for a while."""
        end = until or self._ctx.clock() + timedelta(minutes=minutes or 0)
        return silence_document(alerts.silence(self._ctx, organization_id, budget_id, until=end, reason=reason))

    def unsilence(self, organization_id: str | None, budget_id: str) -> Document:
        """Have people told again."""
        return silence_document(alerts.unsilence(self._ctx, organization_id, budget_id))
