"""What a worker works with, and what a task and a pump are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.jobs import Job, JobKind, kind_of
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Installation


class LeaseLost(Exception):
    """Somebody else took the job meanwhile: what is being written for it must not be kept."""


class NotDone(Exception):
    """Raised by a task that ends early because the worker stops: the job is given back, for another to do."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """An opened installation, the name of the worker there, and whether it is to stop."""

    application: Application
    worker: str
    stopping: threading.Event

    @property
    def now(self) -> datetime:
        """The time, by the installation's clock."""
        return self.application.clock()

    def context(self, job: Job | None = None) -> Context:
        """The owner's context; audit events of what a job does carry its id as their request."""
        return self.application.context(OWNER, None if job is None else job.job_id)


@dataclass(slots=True)
class Run:
    """One attempt at a job."""

    workplace: Workplace
    job: Job
    ctx: Context
    finished: bool = False
    lost: bool = field(default=False)
    """Whether the lease is known to be another's."""

    @property
    def application(self) -> Application:
        """The opened installation."""
        return self.workplace.application

    def finish(self, installation: Installation, result: Mapping[str, Any] | None = None) -> None:
        """Say in the transaction of the job's effect that it is done, so that both happen or neither.

        Raises LeaseLost, which has to pass.
        """
        kind = kind_of(self.job.kind)
        keep = kind is None or kind.keep
        if not installation.jobs.finish(self.job, result, self.workplace.now, keep=keep):
            raise LeaseLost(self.job.job_id)
        self.finished = True

    def go_on(self) -> None:
        """Called by long tasks between their steps. Raises NotDone where the worker stops, LeaseLost."""
        if self.lost:
            raise LeaseLost(self.job.job_id)
        if self.workplace.stopping.is_set():
            raise NotDone


Task = Callable[[Run], Mapping[str, Any] | None]
"""Does a job; what it returns is kept as the job's result. It may be called again for the same job."""

Step = Callable[[], bool]
"""One bounded piece of work; whether there is more to do at once."""


@dataclass(frozen=True, slots=True)
class Pump:
    """Work without a job of its own, done as it comes: `make` gives the step that is repeated as long as there is more,
    and tried again after `idle_seconds`. Each of `copies` runs in a thread of its own.
    """

    name: str
    make: Callable[[Workplace], Step]
    idle_seconds: float = 0.25
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Trade:
    """What a worker can do: kinds with their schedules, the tasks by kind, and the pumps."""

    kinds: tuple[JobKind, ...]
    tasks: Mapping[str, Task]
    pumps: tuple[Pump, ...] = ()
