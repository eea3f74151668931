"""Background jobs as their owner sees them: what ran, what waits, what failed; starting one, and trying one again."""

from __future__ import annotations

from dataclasses import dataclass

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.errors import Conflict, NotFound, invalid
from cost_ops.domain.jobs import COALESCING, KINDS, Backlog, Job, JobKind, JobStatus, NewJob, kind_of
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Installation


@dataclass(frozen=True, slots=True)
class JobQuery:
    """A page of jobs, newest first; of one status or kind, where they are named."""

    status: JobStatus | None = None
    kind: str | None = None
    page: int = 1
    page_size: int = 20


def list_jobs(ctx: Context, query: JobQuery) -> tuple[list[Job], int]:
    """Jobs, newest first, and how many there are in all. Raises Forbidden for anyone but the installation's owner."""
    authorize_owner(ctx.principal)
    offset = (query.page - 1) * query.page_size
    with ctx.storage.installation() as installation:
        return installation.jobs.page(status=query.status, kind=query.kind, limit=query.page_size, offset=offset)


def get_job(ctx: Context, job_id: str) -> Job:
    """One job (owner only). Raises NotFound."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        return _find(installation, job_id)


def retry_job(ctx: Context, job_id: str) -> Job:
    """Have a dead job, or one that waits to be tried again, run now (owner only). Raises NotFound, Conflict."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        old = _find(installation, job_id)
        if not installation.jobs.retry(job_id, ctx.clock()):
            raise Conflict(f"the job {job_id} is {old.status}: only one that is dead or waits can be retried")
        new = _find(installation, job_id)
        detail = {"kind": new.kind, **before_after(_described(old), _described(new))}
        installation.audit.add(ctx.event(Action.JOB_RETRIED, job_id, detail=detail))
    return new


def run_kind(ctx: Context, name: str) -> Job:
    """Queue a job of a kind now (owner only); one that was asked for and still waits is the answer to all who ask.

    Raises InvalidInput for a kind that there is not.
    """
    authorize_owner(ctx.principal)
    kind = check_kind(name)
    now = ctx.clock()
    slot = f"{COALESCING}{kind.name}"
    wanted = NewJob(kind.name, now, slot=slot, max_attempts=kind.max_attempts)
    with ctx.storage.installation() as installation:
        added = installation.jobs.enqueue(wanted, now)
        job = installation.jobs.find(slot)
        if job is None:
            raise Conflict(f"a worker took the waiting {kind.name} just now; ask again for another")
        if added:
            detail = before_after(None, {"kind": kind.name, **_described(job)})
            installation.audit.add(ctx.event(Action.JOB_REQUESTED, job.job_id, detail=detail))
    return job


def check_kind(name: str) -> JobKind:
    """The kind of a name. Raises InvalidInput."""
    found = kind_of(name)
    if found is None:
        known = ", ".join(kind.name for kind in KINDS)
        raise invalid("kind", "unknown_kind", f"kind must be one of {known}, got {name[:60]!r}")
    return found


def backlog(ctx: Context) -> Backlog:
    """How far the workers are behind (owner only)."""
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        return installation.jobs.backlog(ctx.clock())


def _find(installation: Installation, job_id: str) -> Job:
    found = installation.jobs.get(job_id)
    if found is None:
        raise NotFound(f"No job {job_id[:64]!r}")
    return found


def _described(job: Job) -> dict[str, object]:
    return {"status": str(job.status), "attempts": job.attempts, "run_at": job.run_at}
