"""Background jobs in a database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.cli.jobs_backend import Document, JobSearch
from cost_ops.domain.jobs import Job, JobStatus
from cost_ops.domain.periods import format_instant
from cost_ops.interfaces.context import Context
from cost_ops.services import jobs

_INSTANTS = ("run_at", "created_at", "started_at", "finished_at", "leased_until")


class DirectJobs:
    """Jobs as the installation's owner."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with a context."""
        self._application = application
        self._ctx = ctx

    def search(self, wanted: JobSearch) -> tuple[list[Document], int]:
        """Jobs, newest first, and how many there are in all."""
        status = JobStatus(wanted.status) if wanted.status else None
        found, total = jobs.list_jobs(self._ctx, jobs.JobQuery(status, wanted.kind, page_size=wanted.limit))
        return [job_document(job) for job in found], total

    def get(self, job_id: str) -> Document:
        """One job."""
        return job_document(jobs.get_job(self._ctx, job_id))

    def run(self, kind: str) -> Document:
        """Queue a job of a kind."""
        return job_document(jobs.run_kind(self._ctx, kind))

    def run_here(self, kind: str) -> Document:
        """Do a job of a kind here and now."""
        from cost_ops.workers.runner import Runner

        job = jobs.run_kind(self._ctx, kind)
        Runner(self._application, threads=1).run_one(job.job_id)
        return self.get(job.job_id)

    def retry(self, job_id: str) -> Document:
        """Have a dead job, or one that waits, run now."""
        return job_document(jobs.retry_job(self._ctx, job_id))


def job_document(job: Job) -> Document:
    """A job in the shape of the HTTP API."""
    found: dict[str, Any] = asdict(job)
    instants = {name: None if found[name] is None else format_instant(found[name]) for name in _INSTANTS}
    return {**found, **instants, "status": str(job.status)}
