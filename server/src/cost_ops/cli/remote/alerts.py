"""Alerts of a server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cost_ops.cli.alerts_backend import AlertsWanted
from cost_ops.cli.backend import Document
from cost_ops.cli.documents import instant
from cost_ops.cli.remote.client import Client


class RemoteAlerts:
    """Alerts as the holder of a key sees them."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, organization_id: str | None, wanted: AlertsWanted) -> tuple[list[Document], int]:
        """Alerts, newest first, and how many there are in all."""
        parameters = {
            "organization_id": organization_id,
            "budget_id": wanted.budget_id,
            "status": wanted.status,
            "since": instant(wanted.since),
        }
        return self._client.pages("/alerts", parameters, wanted.limit)

    def get(self, organization_id: str | None, alert_id: str) -> Document:
        """One alert."""
        return self._one("GET", f"/alerts/{alert_id}", organization_id)

    def acknowledge(self, organization_id: str | None, alert_id: str, comment: str | None) -> Document:
        """Say that an alert was seen."""
        body = {} if comment is None else {"comment": comment}
        return self._one("POST", f"/alerts/{alert_id}/acknowledge", organization_id, body)

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
        given = {"until": instant(until), "minutes": minutes, "reason": reason}
        body = {name: value for name, value in given.items() if value is not None}
        return self._one("POST", f"/budgets/{budget_id}/silence", organization_id, body)

    def unsilence(self, organization_id: str | None, budget_id: str) -> Document:
        """Have people told again."""
        return self._one("DELETE", f"/budgets/{budget_id}/silence", organization_id)

    def _one(self, method: str, path: str, organization_id: str | None, body: Any = None) -> Document:
        parameters = {"organization_id": organization_id}
        found: Document = self._client.send(method, path, parameters=parameters, body=body)["data"]
        return found
