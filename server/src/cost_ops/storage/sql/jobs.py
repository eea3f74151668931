"""The job table. On PostgreSQL workers skip what others hold locked; on SQLite there is one writer at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, literal_column, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from cost_ops.domain.audit import clean, plain
from cost_ops.domain.jobs import COALESCING, ERROR_LENGTH, Backlog, Job, JobStatus, NewJob, cron_slot
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.random_text import random_identity
from cost_ops.storage.notification_tables import jobs
from cost_ops.storage.sql.access_rows import instant
from cost_ops.storage.transaction import Transaction

j = jobs.c
_QUEUED, _RUNNING, _DONE, _DEAD = (str(status) for status in JobStatus)
_OPEN: ColumnElement[bool] = literal_column("status IN ('queued', 'running')")
"""As the index has it: with bound values it would not be used."""

_ORPHANED = "the worker went away in the last attempt"


class StoredJobs:
    """The jobs of the installation."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def enqueue(self, job: NewJob, now: datetime) -> bool:
        """Queue a job; False where its slot is taken."""
        insert = postgresql.insert(jobs) if self._tx.postgres else sqlite.insert(jobs)
        values = {
            "job_id": random_identity(secrets.randbits, "job"),
            "kind": job.kind,
            "slot": job.slot,
            "organization_id": job.organization_id,
            "payload": plain(dict(job.payload)),
            "status": _QUEUED,
            "attempts": 0,
            "max_attempts": job.max_attempts,
            "run_at": to_us(job.run_at),
            "created_at": to_us(now),
        }
        new = insert.values(values).on_conflict_do_nothing(index_elements=[j.slot]).returning(j.job_id)
        return bool(self._tx.write(new).all())

    def claim(self, worker: str, now: datetime, *, limit: int, lease: timedelta, only: str | None = None) -> list[Job]:
        """Take jobs that are due, and those whose lease has run out, the oldest first."""
        wanted = _due(now).order_by(j.run_at, j.job_id).limit(limit)
        if only is not None:
            wanted = wanted.where(j.job_id == only)
        if self._tx.postgres:
            wanted = wanted.with_for_update(skip_locked=True)
        else:
            if not self._tx.rows(wanted.limit(1)):
                return []  # the usual case takes no write lock
            self._tx.begin_write()
        found = self._tx.rows(wanted)
        left = [row for row in found if _is_spent(row)]
        self._set(left, status=_DEAD, error=_ORPHANED, finished_at=to_us(now), leased_until=None)
        taken = [row for row in found if not _is_spent(row)]
        self._set([row for row in taken if (row.slot or "").startswith(COALESCING)], slot=None)
        held = {"worker": worker, "leased_until": to_us(now + lease), "started_at": to_us(now)}
        self._set(taken, status=_RUNNING, attempts=j.attempts + 1, **held)
        if not taken:
            return []
        claimed = select(jobs).where(j.job_id.in_([row.job_id for row in taken])).order_by(j.run_at, j.job_id)
        return [_job(row) for row in self._tx.rows(claimed)]

    def _set(self, rows: Sequence[Any], **values: Any) -> None:
        if rows:
            self._tx.write(update(jobs).where(j.job_id.in_([row.job_id for row in rows])).values(**values))

    def heartbeat(self, job: Job, leased_until: datetime) -> bool:
        """Hold a claimed job on; False where it is another's by now."""
        return self._held(job, leased_until=to_us(leased_until))

    def finish(self, job: Job, result: Mapping[str, Any] | None, now: datetime, *, keep: bool = True) -> bool:
        """A claimed job is done; False where it is another's by now."""
        scheduled = job.slot is not None and job.slot.startswith(f"{job.kind}@")
        if not keep and not scheduled:
            return bool(self._tx.write(delete(jobs).where(_mine(job))).rowcount)
        kept = None if result is None else plain(dict(result))
        done = self._held(job, status=_DONE, result=kept, error=None, finished_at=to_us(now), leased_until=None)
        if done and not keep:
            older = (j.kind == job.kind) & (j.status == _DONE) & _scheduled() & (j.slot < job.slot)
            self._tx.write(delete(jobs).where(older))
        return done

    def fail(self, job: Job, error: str, now: datetime, retry_at: datetime | None) -> bool:
        """A claimed job failed: queued again for `retry_at`, dead without; False where it is another's by now."""
        told = {"error": clean(error)[:ERROR_LENGTH], "leased_until": None}
        if retry_at is None:
            return self._held(job, status=_DEAD, finished_at=to_us(now), **told)
        return self._held(job, status=_QUEUED, run_at=to_us(retry_at), **told)

    def give_back(self, job: Job, now: datetime) -> bool:
        """A claimed job was not done, by no fault of its own; the attempt does not count."""
        return self._held(
            job, status=_QUEUED, run_at=to_us(now), attempts=j.attempts - 1, worker=None, leased_until=None
        )

    def _held(self, job: Job, **values: Any) -> bool:
        """Change a job that is still its worker's."""
        return bool(self._tx.write(update(jobs).where(_mine(job)).values(**values)).rowcount)

    def get(self, job_id: str) -> Job | None:
        """One job."""
        found = self._tx.rows(select(jobs).where(j.job_id == job_id))
        return _job(found[0]) if found else None

    def find(self, slot: str) -> Job | None:
        """The job that holds a slot."""
        found = self._tx.rows(select(jobs).where(j.slot == slot))
        return _job(found[0]) if found else None

    def page(
        self, *, status: JobStatus | None = None, kind: str | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are in all."""
        asked = ((j.status, status), (j.kind, kind))
        wanted = [column == str(value) for column, value in asked if value is not None]
        newest_first = select(jobs).where(*wanted).order_by(j.created_at.desc(), j.job_id.desc())
        rows = self._tx.rows(newest_first.limit(limit).offset(offset))
        total = self._tx.rows(select(func.count()).select_from(jobs).where(*wanted))[0][0]
        return [_job(row) for row in rows], total

    def retry(self, job_id: str, now: datetime) -> bool:
        """Have a dead or waiting job run now, with all its attempts again."""
        again = (j.job_id == job_id) & j.status.in_((_QUEUED, _DEAD))
        fresh = {"status": _QUEUED, "attempts": 0, "run_at": to_us(now), "finished_at": None, "worker": None}
        return bool(self._tx.write(update(jobs).where(again).values(**fresh)).rowcount)

    def backlog(self, now: datetime) -> Backlog:
        """How far the workers are behind."""
        due = select(func.count(), func.min(j.run_at, type_=j.run_at.type)).where(_is_due(now))
        waiting, since = self._tx.rows(due)[0]
        by_status = select(j.status, func.count()).where(or_(_OPEN, j.status == _DEAD)).group_by(j.status)
        counts = {row[0]: row[1] for row in self._tx.rows(by_status)}
        return Backlog(waiting, instant(since), counts.get(_RUNNING, 0), counts.get(_DEAD, 0))

    def prune(self, before: datetime, now: datetime) -> int:
        """Forget jobs that ended before an instant, but for the last scheduled one of each kind; how many."""
        old = j.status.in_((_DONE, _DEAD)) & (j.finished_at < to_us(before))
        not_ahead = j.slot <= j.kind + cron_slot("", now.replace(microsecond=0))
        last = [
            row[0] for row in self._tx.rows(select(func.max(j.slot)).where(_scheduled(), not_ahead).group_by(j.kind))
        ]
        spared = or_(j.slot.is_(None), j.slot.not_in(last)) if last else true()
        return int(self._tx.write(delete(jobs).where(old, spared)).rowcount)


def _scheduled() -> ColumnElement[bool]:
    """Whether a job was queued by its schedule."""
    return j.slot.startswith(j.kind + "@")


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(_OPEN, j.run_at <= to_us(now), or_(j.status == _QUEUED, j.leased_until < to_us(now)))


def _due(now: datetime) -> Select[Any]:
    return select(jobs).where(_is_due(now))


def _mine(job: Job) -> ColumnElement[bool]:
    """Whether nobody else took a claimed job: each claim counts an attempt."""
    return and_(j.job_id == job.job_id, j.status == _RUNNING, j.worker == job.worker, j.attempts == job.attempts)


def _is_spent(row: Any) -> bool:
    """Whether a row's worker went away in its last attempt."""
    return bool(row.status == _RUNNING and row.attempts >= row.max_attempts)


def _job(row: Any) -> Job:
    return Job(
        row.job_id,
        row.kind,
        JobStatus(row.status),
        row.payload,
        row.attempts,
        row.max_attempts,
        from_us(row.run_at),
        from_us(row.created_at),
        row.slot,
        row.organization_id,
        row.worker,
        instant(row.leased_until),
        instant(row.started_at),
        instant(row.finished_at),
        row.result,
        row.error,
    )
