"""Background jobs: what ran, what waits, what failed; starting one, and trying one again. With an admin key only."""

from __future__ import annotations

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of
from cost_ops.api.parameters_known import PAGE, PAGE_SIZE
from cost_ops.api.schemas.jobs import REQUESTED, JobOne, JobPage, job_view
from cost_ops.domain.access import ADMIN
from cost_ops.domain.errors import invalid
from cost_ops.domain.jobs import KINDS, JobStatus
from cost_ops.services import jobs
from cost_ops.services.jobs import JobQuery

routes = Routes("Jobs")
_STATUSES = [str(status) for status in JobStatus]
_KINDS = [kind.name for kind in KINDS]
STATUS = Parameter("status", "only jobs of this status", {"type": "string", "enum": _STATUSES}, one_of(_STATUSES))
KIND = Parameter("kind", "only jobs of this kind", {"type": "string", "enum": _KINDS}, one_of(_KINDS))


@routes.add(
    "GET",
    "/api/v1/jobs",
    summary="Background jobs, newest first",
    answer=JobPage,
    permission=ADMIN,
    parameters=(STATUS, KIND, PAGE, PAGE_SIZE),
    scoped=True,
)
def list_jobs(call: Call) -> JobPage:
    """A page of jobs."""
    page, page_size = call.given.get("page", 1), call.given.get("page_size", 20)
    status = call.given.get("status")
    query = JobQuery(JobStatus(status) if status else None, call.given.get("kind"), page, page_size)
    found, total = jobs.list_jobs(call.ctx, query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return JobPage([job_view(job) for job in found], about)


@routes.add(
    "POST",
    "/api/v1/jobs/run",
    summary="Have a job of a kind done now; one that was asked for and still waits is returned",
    answer=JobOne,
    status=202,
    permission=ADMIN,
    body=BodyOf(REQUESTED, {"prices": {"kind": "prices.sync"}}),
    errors=(409,),
    scoped=True,
)
def run_kind(call: Call) -> Reply:
    """Queue a job."""
    fields = Fields(call.body, tuple(REQUESTED["properties"]), what="a request for a job")
    kind = fields.text("kind", required=True)
    if kind is not None:
        fields.attempt(lambda: jobs.check_kind(kind))
    fields.done()
    if kind is None:
        raise invalid("kind", "missing_required_field", "kind is required")
    return Reply(202, JobOne(job_view(jobs.run_kind(call.ctx, kind))))


@routes.add("GET", "/api/v1/jobs/{job_id}", summary="One background job", answer=JobOne, permission=ADMIN, scoped=True)
def get_job(call: Call) -> JobOne:
    """A job by its id."""
    return JobOne(job_view(jobs.get_job(call.ctx, call.path["job_id"])))


@routes.add(
    "POST",
    "/api/v1/jobs/{job_id}/retry",
    summary="Have a dead job, or one that waits, run now with all its attempts; 409 for one that runs or is done",
    answer=JobOne,
    permission=ADMIN,
    errors=(409,),
    scoped=True,
)
def retry_job(call: Call) -> JobOne:
    """Try a job again."""
    return JobOne(job_view(jobs.retry_job(call.ctx, call.path["job_id"])))
