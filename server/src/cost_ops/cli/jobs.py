"""`cost-ops jobs`: background jobs, what became of them and when they come; and `cost-ops worker`, which does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Command, Group
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.output import Part

Document = Mapping[str, Any]
STATUSES = ("queued", "running", "done", "dead")


@click.group(
    cls=Group,
    examples=(
        "cost-ops jobs list --status dead",
        "cost-ops jobs run prices.sync",
        "cost-ops jobs schedules",
    ),
)
def jobs() -> None:
    """What is done in the background: inside the server, or by `cost-ops worker`."""


@jobs.command(
    "list",
    examples=(
        "cost-ops jobs list",
        "cost-ops jobs list --status dead --output json",
        "cost-ops jobs list --kind prices.sync",
    ),
)
@click.option("--status", type=click.Choice(STATUSES), help="only jobs that stand there")
@click.option("--kind", metavar="KIND", help="only jobs of this kind; `jobs schedules` names them")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="jobs at most")
@pass_session
def list_jobs(session: Session, /, *, status: str | None, kind: str | None, limit: int) -> None:
    """Jobs, newest first. One that failed is queued again with its error, and dead after its last attempt."""
    from cost_ops.cli.jobs_backend import JobSearch
    from cost_ops.cli.output import Column, Table

    found, total = session.backend.jobs.search(JobSearch(status, kind, limit))
    rows = [(j["job_id"], j["kind"], j["status"], _when(j), _told(j)) for j in found]
    columns = [Column("job", "id"), Column("kind", "id"), *map(Column, ("status", "when (UTC)", "what came of it"))]
    parts: list[Part] = [Table(columns, rows)] if rows else ["No jobs found."]
    if total > len(found):
        parts.append(f"{len(found):,} of {total:,} jobs; --limit shows more.")
    session.output.show(found, *parts, rows=[_flat(job) for job in found])


@jobs.command(examples=("cost-ops jobs show job_4kq0v5m1c9xw7z2t",))
@click.argument("job_id")
@pass_session
def show(session: Session, /, *, job_id: str) -> None:
    """Everything about one job."""
    _show(session, session.backend.jobs.get(job_id))


@jobs.command(examples=("cost-ops jobs run prices.sync", "cost-ops jobs run rollups.verify --now"))
@click.argument("kind")
@click.option("--now", is_flag=True, help="do it in this process, instead of waiting for a worker")
@pass_session
def run(session: Session, /, *, kind: str, now: bool) -> None:
    """Have a job of a kind done. With --now the exit code is 1 where it failed."""
    from cost_ops.logs import configure

    backend = session.backend.jobs
    if now:
        configure(session.settings.logging)
    job = backend.run_here(kind) if now else backend.run(kind)
    _show(session, job)
    if not now:
        session.output.notice(f"A worker does it soon; `cost-ops jobs show {job['job_id']}` tells what came of it.")
    elif job["status"] != "done":
        current_context().exit(1)


@jobs.command(examples=("cost-ops jobs retry job_4kq0v5m1c9xw7z2t",))
@click.argument("job_id")
@pass_session
def retry(session: Session, /, *, job_id: str) -> None:
    """Have a dead job, or one that waits, run now, with all its attempts again."""
    _show(session, session.backend.jobs.retry(job_id))


@jobs.command(examples=("cost-ops jobs schedules", "cost-ops jobs schedules --output json"))
@pass_session
def schedules(session: Session) -> None:
    """The kinds of jobs, when they come next by this machine's clock, and how the last one went."""
    from cost_ops.cli.jobs_backend import JobSearch
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.question import now
    from cost_ops.domain.jobs import KINDS
    from cost_ops.domain.periods import format_instant
    from cost_ops.workers.cron import Cron

    found = []
    for kind in KINDS:
        last, _ = session.backend.jobs.search(JobSearch(kind=kind.name, limit=1))
        cron = None if kind.cron is None else Cron(kind.cron, kind.zone)
        found.append(
            {
                "kind": kind.name,
                "description": kind.description,
                "cron": kind.cron,
                "timezone": None if cron is None else kind.zone,
                "next": None if cron is None else format_instant(next(cron.after(now()))),
                "last_status": last[0]["status"] if last else None,
                "last_at": _last_at(last[0]) if last else None,
            }
        )
    rows = [(k["kind"], _cron(k), _short(k["next"]), k["last_status"], k["description"]) for k in found]
    columns = [Column("kind", "id"), *map(Column, ("cron", "next (UTC)", "last", "what it does"))]
    session.output.show(found, Table(columns, rows))


@click.command(cls=Command, examples=("cost-ops worker", "cost-ops worker --threads 8", "cost-ops worker --once"))
@click.option("--threads", type=click.IntRange(1, 64), help="jobs done at once; [jobs] threads by default")
@click.option("--once", is_flag=True, help="do what is due, one after the other, and end")
@pass_session
def worker(session: Session, /, *, threads: int | None, once: bool) -> None:
    """Do background jobs until interrupted. The server does them itself, unless [jobs] in_server is false.

    Any number of workers and servers share the work: each job is one worker's at a time.
    """
    from cost_ops.cli.direct.backend import open_ready
    from cost_ops.logs import configure
    from cost_ops.workers.alone import serve
    from cost_ops.workers.runner import Runner

    if session.is_remote:
        raise click.UsageError("a worker works on a database only; name it with --database-url")
    configure(session.settings.logging)
    application = open_ready(session.settings)
    try:
        serve(Runner(application, threads=threads), once=once)
    finally:
        application.close()


def _show(session: Session, job: Document) -> None:
    from cost_ops.cli.output import Column, Table
    from cost_ops.domain.exact_json import json_text

    rows = [
        (name, json_text(value) if isinstance(value, Mapping) else value)
        for name, value in job.items()
        if value is not None and value != {}
    ]
    session.output.show(job, Table((Column("job"), Column("")), rows), rows=[_flat(job)])


def _cron(kind: Document) -> str | None:
    cron: str | None = kind["cron"]
    return cron if cron is None or kind["timezone"] == "UTC" else f"{cron} ({kind['timezone']})"


def _last_at(job: Document) -> str | None:
    found: str | None = job["finished_at"] or job["started_at"]
    return found


def _when(job: Document) -> str | None:
    """When it ended, or began, or is to begin."""
    return _short(job["finished_at"] or (job["started_at"] if job["status"] == "running" else job["run_at"]))


def _short(instant: str | None) -> str | None:
    return None if instant is None else instant[:16].replace("T", " ")


def _told(job: Document) -> str | None:
    if job["error"]:
        return f"attempt {job['attempts']} of {job['max_attempts']}: {job['error']}"
    return _words(job["result"])


def _words(result: Document | None) -> str | None:
    """A result in a few words."""
    if not result:
        return None
    return ", ".join(f"{name} {_word(value)}" for name, value in result.items() if value) or None


def _word(value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    return str(len(value)) if isinstance(value, Sequence | Mapping) else "none"


def _flat(job: Document) -> dict[str, Any]:
    from cost_ops.domain.exact_json import json_text

    return {name: json_text(value) if isinstance(value, Mapping) else value for name, value in job.items()}
