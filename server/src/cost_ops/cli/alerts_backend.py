"""What the alert commands need of a ledger, be it a database or a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertsWanted:
    """Which alerts to list: at most `limit`, the newest first."""

    budget_id: str | None = None
    status: str | None = None
    since: datetime | None = None
    limit: int = 20


class AlertsBackend(Protocol):
    """Alerts of an organisation's budgets."""

    def search(self, organization_id: str | None, wanted: AlertsWanted) -> tuple[list[Document], int]:
        """Alerts, newest first, and how many there are in all."""

    def get(self, organization_id: str | None, alert_id: str) -> Document:
        """One alert."""

    def acknowledge(self, organization_id: str | None, alert_id: str, comment: str | None) -> Document:
        """Say that an alert was seen: the alert."""

    def silence(
        self,
        organization_id: str | None,
        budget_id: str,
        *,
        until: datetime | None,
        minutes: int | None,
        reason: str | None,
    ) -> Document:
        """Have nobody told of a budget's alerts until an instant, or for some minutes: `silenced_until`."""

    def unsilence(self, organization_id: str | None, budget_id: str) -> Document:
        """Have people told again."""
