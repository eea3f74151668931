"""Queues what is due by the clock: one job for each kind and time, however many schedulers there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.jobs import JobKind, NewJob, cron_slot
from cost_ops.interfaces.storage import Storage
from cost_ops.workers.cron import Cron


@dataclass(slots=True)
class _Scheduled:
    """A kind's schedule, and the span of time in which nothing new is due: from its last run to before the next."""

    kind: JobKind
    cron: Cron
    settled: tuple[datetime, datetime] | None = None

    def due(self, now: datetime) -> NewJob | None:
        """The latest run up to now, where it is not known to be queued already."""
        if self.settled is not None and self.settled[0] <= now < self.settled[1]:
            return None
        at = self.cron.latest(now)
        if at is None:
            return None
        return NewJob(self.kind.name, at, slot=cron_slot(self.kind.name, at), max_attempts=self.kind.max_attempts)

    def settle(self, at: datetime) -> None:
        """Remember that the run of an instant is queued."""
        self.settled = (at, next(self.cron.after(at)))


class Scheduler:
    """The schedules of all kinds that have one.

    After a time without any scheduler only the latest run that was missed is made up for. The slot keeps a run from
    being queued twice: by another scheduler, after a restart, or as the clock was set back.
    """

    def __init__(self, kinds: Sequence[JobKind], storage: Storage) -> None:
        """Nothing is queued yet."""
        self._storage = storage
        self._scheduled = [_Scheduled(kind, Cron(kind.cron, kind.zone)) for kind in kinds if kind.cron is not None]

    def queue_due(self, now: datetime) -> list[str]:
        """Queue what is due; the slots that were new. Asks the database only where something may be."""
        due = [(scheduled, job) for scheduled in self._scheduled if (job := scheduled.due(now)) is not None]
        if not due:
            return []
        with self._storage.installation() as installation:
            new = [job.slot for _, job in due if installation.jobs.enqueue(job, now) and job.slot is not None]
        for scheduled, job in due:
            scheduled.settle(job.run_at)
        return new
