"""What the job table can do. A job is its worker's as long as the lease holds; who lost it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from cost_ops.domain.jobs import Backlog, Job, JobStatus, NewJob


class JobRepository(Protocol):
    """The jobs of the installation. `Installation.jobs`."""

    def enqueue(self, job: NewJob, now: datetime) -> bool:
        """Queue a job; False, and nothing happens, where its slot is taken."""

    def claim(self, worker: str, now: datetime, *, limit: int, lease: timedelta, only: str | None = None) -> list[Job]:
        """Take jobs that are due, and those whose lease has run out: the oldest first, at most `limit`.

        One whose lease ran out in its last attempt is dead. `only`: this job, if it is there to be taken.
        """

    def heartbeat(self, job: Job, leased_until: datetime) -> bool:
        """Hold a claimed job on; False where it is another's by now."""

    def finish(self, job: Job, result: Mapping[str, Any] | None, now: datetime, *, keep: bool = True) -> bool:
        """A claimed job is done; False where it is another's by now. See `JobKind.keep`."""

    def fail(self, job: Job, error: str, now: datetime, retry_at: datetime | None) -> bool:
        """A claimed job failed: queued again for `retry_at`, dead without; False where it is another's by now."""

    def give_back(self, job: Job, now: datetime) -> bool:
        """A claimed job was not done, by no fault of its own; the attempt does not count."""

    def get(self, job_id: str) -> Job | None:
        """One job."""

    def find(self, slot: str) -> Job | None:
        """The job that holds a slot."""

    def page(
        self, *, status: JobStatus | None = None, kind: str | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are in all."""

    def retry(self, job_id: str, now: datetime) -> bool:
        """Have a dead or waiting job run now, with all its attempts again; False where it runs, is done or is not."""

    def backlog(self, now: datetime) -> Backlog:
        """How far the workers are behind."""

    def prune(self, before: datetime, now: datetime) -> int:
        """Forget jobs that ended before an instant, but for the last scheduled one of each kind; how many."""
