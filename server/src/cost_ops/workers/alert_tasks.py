"""The jobs of budgets: looking at those whose spend has moved, at all of them, at what nobody has answered, at leases.

Usage comes in without end, so looking is paced: an organisation's budgets are looked at again only after ten times as
long as it took, and half a second at least. What moves meanwhile is seen then, all of it at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from cost_ops.domain.errors import NotFound
from cost_ops.domain.jobs import COALESCING, NewJob
from cost_ops.services import alerting, lease_expiry
from cost_ops.workers.workplace import Run

LEAST_REST_SECONDS = 0.5
REST_FACTOR = 10
LONGEST_REST = timedelta(minutes=1)
_MOST_REMEMBERED = 10_000


class Pace:
    """When the budgets of organisations may be looked at again. Every worker keeps its own: `whose` names it, too."""

    def __init__(self) -> None:
        """Everybody's may be looked at."""
        self._until: dict[tuple[str, str], datetime] = {}
        self._lock = Lock()

    def resting_until(self, whose: tuple[str, str], now: datetime) -> datetime | None:
        """When they may be; None for now. A clock that was set back makes nobody wait for long."""
        with self._lock:
            until = self._until.get(whose)
        return until if until is not None and now < until <= now + LONGEST_REST else None

    def took(self, whose: tuple[str, str], seconds: float, now: datetime) -> None:
        """Note how long looking took that has just ended."""
        rest = min(timedelta(seconds=max(LEAST_REST_SECONDS, seconds * REST_FACTOR)), LONGEST_REST)
        with self._lock:
            if len(self._until) >= _MOST_REMEMBERED:
                self._until = {one: until for one, until in self._until.items() if until > now}
            self._until[whose] = now + rest


_pace = Pace()


def evaluate(run: Run) -> Mapping[str, Any]:
    """Look at the budgets of one organisation, or put that off where they were looked at a moment ago."""
    organization_id = str(run.job.payload["organization_id"])
    now, whose = run.workplace.now, (run.workplace.worker, organization_id)
    if (until := _pace.resting_until(whose, now)) is not None:
        slot = f"{COALESCING}{run.job.kind}:{organization_id}"
        later = NewJob(run.job.kind, until, run.job.payload, slot=slot, organization_id=run.job.organization_id)
        with run.ctx.storage.installation() as installation:
            installation.jobs.enqueue(later, now)
        return {"later": until.isoformat()}
    begun = time.monotonic()
    try:
        found = alerting.evaluate(run.ctx, organization_id, forecasts=False)
    except NotFound:
        return {"skipped": "the organisation does not exist any more"}
    _pace.took(whose, time.monotonic() - begun, run.workplace.now)
    return asdict(found)


def sweep(run: Run) -> Mapping[str, Any]:
    """Look at everybody's budgets."""
    return asdict(alerting.sweep(run.ctx, run.go_on))


def escalate(run: Run) -> Mapping[str, Any]:
    """Tell again of what nobody has answered."""
    return asdict(alerting.escalate_all(run.ctx, run.go_on))


def expire_leases(run: Run) -> Mapping[str, Any]:
    """Note leases that have run out."""
    return {"expired": lease_expiry.expire(run.ctx)}
