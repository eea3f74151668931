"""Background jobs: what kinds there are, when they are due, and how often a failure is tried again.

A job is `queued` until a worker takes it under a lease, `running` while it holds that, then `done`; one that failed is
`queued` again for later, with its error, until it has had all its attempts: then it is `dead`, until a person retries
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cost_ops.domain.periods import format_instant

MAX_ATTEMPTS = 5
BACKOFF_SECONDS = (30, 120, 600, 3_600)
"""How long a job waits after its first, second … failure; after any further one as long as after the last."""

COALESCING = "~"
"""A slot that begins so is let go when its job is taken: new work can be queued while the job runs."""

ERROR_LENGTH = 2_000


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job. With `cron` (five fields, in `zone`) it is scheduled.

    Without `keep` its jobs are forgotten when they are done, but for the last that was scheduled.
    """

    name: str
    description: str
    cron: str | None = None
    zone: str = "UTC"
    max_attempts: int = MAX_ATTEMPTS
    keep: bool = True


KINDS = (
    JobKind("partitions.make", "make the monthly partitions of the next three months", "10 0 * * *"),
    JobKind("prices.sync", "import what is new in the installed price catalogue", "20 2 * * *"),
    JobKind("rollups.verify", "compare sums with the records, and repair them", "40 3 * * *"),
    JobKind("budgets.verify", "compare what is spent of budgets with the ledger, and repair it", "5 4 * * *"),
    JobKind("retention.apply", "remove usage that is older than [retention] usage_days", "15 4 2 * *"),
    JobKind("alerts.evaluate", "look at the budgets of an organisation whose spend has moved", keep=False),
    JobKind("alerts.sweep", "look at all budgets: forecasts, and what time alone brings", "*/10 * * * *", keep=False),
    JobKind("alerts.escalate", "tell again of alerts that nobody has acknowledged in time", "* * * * *", keep=False),
    JobKind("leases.expire", "note the leases that have run out", "* * * * *", keep=False),
    JobKind("channels.disabled", "write to whose channel was turned off because nothing arrived there"),
    JobKind("deliveries.prune", "forget deliveries that ended more than [jobs] keep_days ago", "55 4 * * *"),
    JobKind("jobs.prune", "forget jobs that ended more than [jobs] keep_days ago", "50 4 * * *"),
)
"""All kinds of jobs. What each does stands in `workers.tasks`."""


def kind_of(name: str) -> JobKind | None:
    """The kind of a name."""
    return next((kind for kind in KINDS if kind.name == name), None)


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be done once, not before `run_at`. Of a `slot` there is one job at a time, ever or until it is let go."""

    kind: str
    run_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    slot: str | None = None
    organization_id: str | None = None
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job. `attempts` counts how often it was taken; with `worker` it says whose the lease is."""

    job_id: str
    kind: str
    status: JobStatus
    payload: Mapping[str, Any]
    attempts: int
    max_attempts: int
    run_at: datetime
    created_at: datetime
    slot: str | None = None
    organization_id: str | None = None
    worker: str | None = None
    leased_until: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far the workers are behind: jobs that are due and not taken, since when, those that run, the dead."""

    due: int
    due_since: datetime | None
    running: int
    dead: int

    def lag(self, now: datetime) -> timedelta:
        """How long the oldest due job has waited."""
        return timedelta() if self.due_since is None else max(now - self.due_since, timedelta())


def cron_slot(kind: str, at: datetime) -> str:
    """The slot of a kind's run at an instant.

    >>> from datetime import UTC
    >>> cron_slot("prices.sync", datetime(2026, 11, 22, 1, tzinfo=UTC))
    'prices.sync@2026-11-22T01:00:00Z'
    """
    return f"{kind}@{format_instant(at)}"


def next_attempt(attempts: int, max_attempts: int, now: datetime) -> datetime | None:
    """When a job that failed for the `attempts`-th time is tried again; None: never."""
    if attempts >= max_attempts:
        return None
    return now + timedelta(seconds=BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1])
