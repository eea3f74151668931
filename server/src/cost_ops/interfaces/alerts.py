"""What alerts need of a database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cost_ops.domain.alerts import Alert, AlertStatus, FiredAlert


@dataclass(frozen=True, slots=True)
class AlertSearch:
    """Which alerts: of some budgets (None: of any), of a status, fired since an instant."""

    budget_ids: Collection[str] | None = None
    status: AlertStatus | None = None
    since: datetime | None = None
    limit: int = 20
    offset: int = 0


class AlertRepository(Protocol):
    """Alerts of the bound organisation."""

    def fired(self, budget_ids: Collection[str], since: datetime) -> list[FiredAlert]:
        """What has fired of budgets in periods that begin at an instant or later."""

    def unanswered(self, since: datetime) -> list[FiredAlert]:
        """Open alerts that have not been escalated, fired at an instant or later."""

    def add(self, alert: Alert) -> bool:
        """Keep an alert; False where its threshold has fired in its period before: then nothing is kept."""

    def recover(self, alert_id: str, at: datetime) -> bool:
        """Note that an alert's threshold is no longer reached; False where that was noted before."""

    def escalate(self, alert_id: str, at: datetime) -> bool:
        """Note that an alert was escalated; False where it was, or is not open any more."""

    def acknowledge(self, alert_id: str, *, by: str, comment: str | None, at: datetime) -> bool:
        """Note who has answered an alert; False where somebody had."""

    def get(self, alert_id: str) -> Alert | None:
        """One alert."""

    def page(self, wanted: AlertSearch) -> tuple[list[Alert], int]:
        """Alerts, newest first, and how many there are in all."""


class AlertDirectory(Protocol):
    """Whose budgets have to be looked at."""

    def watching(self) -> list[str]:
        """The organisations that have budgets, by id."""

    def waiting(self, since: datetime) -> list[str]:
        """The organisations with open alerts, fired at an instant or later, that have not been escalated."""
