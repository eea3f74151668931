"""Background jobs in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.jobs import KINDS, Job


class JobView(Struct):
    """A job: what is or was to be done, and how that went."""

    job_id: str
    kind: str
    status: Annotated[
        str,
        Meta(description="queued (again, with its error, where it failed), running, done, or dead: failed for good"),
    ]
    slot: Annotated[str | None, Meta(description="of which there is one job: a kind and a time where it was scheduled")]
    organization_id: str | None
    payload: dict[str, Any]
    attempts: Annotated[int, Meta(description="how often a worker took it")]
    max_attempts: int
    run_at: Annotated[datetime, Meta(description="not before then")]
    created_at: datetime
    started_at: Annotated[datetime | None, Meta(description="when it was taken for the last time")]
    finished_at: datetime | None
    worker: Annotated[str | None, Meta(description="who took it last: machine, process and a random part")]
    leased_until: Annotated[datetime | None, Meta(description="without a sign of life until then it is another's")]
    result: dict[str, Any] | None
    error: Annotated[str | None, Meta(description="why the last attempt failed")]


class JobOne(Struct):
    """One job."""

    data: JobView


class JobPage(Struct):
    """A page of jobs, newest first."""

    data: list[JobView]
    pagination: Pagination


def job_view(job: Job) -> JobView:
    """A job in JSON."""
    return JobView(
        job.job_id,
        job.kind,
        str(job.status),
        job.slot,
        job.organization_id,
        dict(job.payload),
        job.attempts,
        job.max_attempts,
        job.run_at,
        job.created_at,
        job.started_at,
        job.finished_at,
        job.worker,
        job.leased_until,
        None if job.result is None else dict(job.result),
        job.error,
    )


REQUESTED: Mapping[str, Any] = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {"kind": {"type": "string", "enum": [kind.name for kind in KINDS]}},
}
"""The body of POST /jobs/run."""
