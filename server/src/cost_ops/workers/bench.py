"""Doing one job: under a lease that is held on, and with an end that is recorded whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.domain.jobs import Job, next_attempt
from cost_ops.interfaces.storage import Installation
from cost_ops.logs import logger
from cost_ops.workers.stats import Stats
from cost_ops.workers.workplace import LeaseLost, NotDone, Run, Task, Workplace

_log = logger("cost_ops.jobs")


class Bench:
    """Takes jobs and does them. Any number of threads may use it at once."""

    def __init__(self, workplace: Workplace, tasks: Mapping[str, Task], stats: Stats) -> None:
        """Nothing is taken yet."""
        self._workplace = workplace
        self._tasks = tasks
        self._stats = stats
        self._lease = timedelta(seconds=workplace.application.settings.jobs.lease_secs)
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def take(self, only: str | None = None) -> Run | None:
        """The job that is due for the longest time, or this one; None where there is none to take."""
        place = self._workplace
        with place.application.storage.installation() as installation:
            found = installation.jobs.claim(place.worker, place.now, limit=1, lease=self._lease, only=only)
        if not found:
            return None
        run = Run(place, found[0], place.context(found[0]))
        with self._lock:
            self._runs[run.job.job_id] = run
        return run

    def do(self, run: Run) -> str:
        """Do a job that was taken, and record how it ended: the outcome. Raises nothing."""
        started = time.monotonic()
        try:
            outcome = self._attempt(run)
        except Unavailable as error:
            _log.warning("the end of a job could not be recorded: it will be done again", **_about(run, error))
            outcome = "unrecorded"
        except Exception:  # noqa: BLE001 (the last line: the worker goes on, the log has the cause)
            _log.exception("the end of a job could not be recorded: it will be done again", **_about(run))
            outcome = "unrecorded"
        finally:
            with self._lock:
                self._runs.pop(run.job.job_id, None)
        seconds = time.monotonic() - started
        self._stats.job(run.job.kind, outcome, seconds)
        return outcome

    def _attempt(self, run: Run) -> str:
        job = run.job
        try:
            task = self._tasks.get(job.kind)
            if task is None:
                raise KeyError(f"this program knows no job {job.kind!r}; is another version running beside it?")
            result = task(run)
        except LeaseLost:
            _log.warning("a job took longer than its lease, and is another's now", **_about(run))
            return "lost"
        except NotDone:
            return self._record(run, "given back", lambda unit: unit.jobs.give_back(job, self._workplace.now))
        except CostOpsError as error:
            _log.warning("a job failed", **_about(run, error))
            return self._failed(run, error.message)
        except Exception as error:  # noqa: BLE001 (whatever a task raises is its job's failure, not the worker's)
            _log.exception("a job failed", **_about(run))
            return self._failed(run, _told(error))
        if run.finished:
            return "done"
        return self._record(run, "done", lambda unit: run.finish(unit, result))

    def _failed(self, run: Run, error: str) -> str:
        now = self._workplace.now
        retry_at = next_attempt(run.job.attempts, run.job.max_attempts, now)
        outcome = "dead" if retry_at is None else "failed"
        return self._record(run, outcome, lambda unit: unit.jobs.fail(run.job, error, now, retry_at))

    def _record(self, run: Run, outcome: str, write: Callable[[Installation], bool | None]) -> str:
        """Write how a job ended; a database that is away is waited for as long as the lease may hold.

        Raises Unavailable.
        """
        deadline = time.monotonic() + self._lease.total_seconds()
        wait = 0.1
        while True:
            try:
                with self._workplace.application.storage.installation() as installation:
                    held = write(installation)
            except LeaseLost:
                held = False
            except Unavailable:
                if time.monotonic() + wait > deadline or self._workplace.stopping.is_set():
                    raise
                time.sleep(wait)
                wait = min(2 * wait, 5.0)
                continue
            if held is False:
                _log.warning("a job took longer than its lease, and is another's now", **_about(run))
                return "lost"
            return outcome

    def hold(self) -> None:
        """Hold all leases on. Raises Unavailable."""
        with self._lock:
            runs = list(self._runs.values())
        if not runs:
            return
        until = self._workplace.now + self._lease
        with self._workplace.application.storage.installation() as installation:
            for run in sorted(runs, key=lambda run: run.job.job_id):
                if not run.finished and not installation.jobs.heartbeat(run.job, until):
                    run.lost = True

    def give_back(self) -> list[Job]:
        """Give back what is still being done: whoever does it can record nothing any more. Raises Unavailable."""
        with self._lock:
            runs = list(self._runs.values())
        now = self._workplace.now
        with self._workplace.application.storage.installation() as installation:
            return [run.job for run in runs if installation.jobs.give_back(run.job, now)]


def _about(run: Run, error: CostOpsError | None = None) -> dict[str, Any]:
    about: dict[str, Any] = {"job": run.job.job_id, "kind": run.job.kind, "attempt": run.job.attempts}
    return about if error is None else {**about, "error": error.message}


def _told(error: Exception) -> str:
    """What went wrong, for the person who looks at the job; the log has all of it."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
