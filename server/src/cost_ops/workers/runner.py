"""The job runner: threads that schedule, take and do jobs, hold their leases, and keep pumps going."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

from cost_ops.bootstrap import Application
from cost_ops.domain.errors import CostOpsError
from cost_ops.logs import logger
from cost_ops.workers.bench import Bench
from cost_ops.workers.schedule import Scheduler
from cost_ops.workers.stats import Stats
from cost_ops.workers.tasks import TRADE
from cost_ops.workers.workplace import Pump, Run, Step, Trade, Workplace

IDLE_SECONDS = 0.25
"""How long a worker waits before it asks for work again."""

SCHEDULE_SECONDS = 1.0
STATE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
GRACE_SECONDS = 20.0
"""How long jobs may go on when the runner stops, before they are given back."""

_log = logger("cost_ops.jobs")


class Runner:
    """Does the background work of one process. Whatever fails is logged and tried again: it ends when it is stopped."""

    def __init__(self, application: Application, *, threads: int | None = None, trade: Trade = TRADE) -> None:
        """`threads`: jobs done at once, by the settings where it is None. Nothing is started yet."""
        self._threads = threads or application.settings.jobs.threads
        self._stopping = threading.Event()
        self._trade = trade
        self._running: list[threading.Thread] = []
        self._turn = threading.Lock()
        self.stats = Stats()
        self.workplace = Workplace(application, worker_name(), self._stopping)
        self._bench = Bench(self.workplace, trade.tasks, self.stats)
        self._scheduler = Scheduler(trade.kinds, application.storage)
        self._storage = application.storage
        self._hold_seconds = application.settings.jobs.lease_secs / 3

    def start(self) -> None:
        """Begin."""
        self._begin("schedule", lambda: self._repeat("schedule", self._schedule, SCHEDULE_SECONDS))
        self._begin("state", lambda: self._repeat("state", self._look, STATE_SECONDS))
        self._begin("leases", lambda: self._repeat("leases", self._hold, self._hold_seconds))
        for number in range(self._threads):
            self._begin(f"worker-{number + 1}", self._work)
        for pump in self._trade.pumps:
            for _ in range(pump.copies):
                self._begin(pump.name, lambda pump=pump: self._pump(pump))  # type: ignore[misc]
        _log.info("background jobs begin", worker=self.workplace.worker, threads=self._threads)

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take nothing new, let what runs come to its end for a while, and give back what does not."""
        self._stopping.set()
        deadline = time.monotonic() + grace_seconds
        for thread in self._running:
            thread.join(max(deadline - time.monotonic(), 0.0))
        try:
            for job in self._bench.give_back():
                _log.warning("a job was given back unfinished", job=job.job_id, kind=job.kind)
        except CostOpsError as error:
            _log.warning("unfinished jobs could not be given back: their leases run out", error=error.message)
        _log.info("background jobs end", worker=self.workplace.worker, **self.stats.ended)

    def metrics_text(self) -> bytes:
        """What was counted, in Prometheus' form."""
        return self.stats.text()

    def run_due(self) -> None:
        """Do everything that is due, here and now, and what follows from it; then come back."""
        holding = threading.Thread(
            target=self._repeat, args=("leases", self._hold, self._hold_seconds), name="jobs-leases", daemon=True
        )
        holding.start()
        self._schedule()
        steps = [(pump, pump.make(self.workplace)) for pump in self._trade.pumps]
        more = True
        while more and not self._stopping.is_set():
            more = False
            while not self._stopping.is_set() and (run := self._bench.take()) is not None:
                self._bench.do(run)
                more = True
            for _, step in steps:
                while not self._stopping.is_set() and step():
                    more = True
        self._stopping.set()
        holding.join()

    def run_one(self, job_id: str) -> str | None:
        """Do one job here and now: the outcome; None where another worker was quicker."""
        run = self._bench.take(job_id)
        return None if run is None else self._bench.do(run)

    def ask_to_stop(self) -> None:
        """Make `run_due` come back soon."""
        self._stopping.set()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"jobs-{name}", daemon=True)
        self._running.append(thread)
        thread.start()

    def _repeat(self, name: str, work: Callable[[], object], seconds: float) -> None:
        """Do something again and again until the runner stops; after failures at longer intervals."""
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self._survives(name, work, failures) else failures + 1
            self._stopping.wait(max(seconds, _pause(failures)))

    def _survives(self, name: str, work: Callable[[], object], failures: int) -> bool:
        """Do something; whether it went well. What goes wrong is logged, the same trouble once in a while only."""
        try:
            work()
        except CostOpsError as error:
            if failures % 10 == 0:
                _log.warning("background work has to wait", what=name, error=error.message)
            return False
        except Exception:  # noqa: BLE001 (the last line: the thread goes on, the log has the cause)
            _log.exception("background work failed", what=name)
            return False
        return True

    def _schedule(self) -> None:
        self._scheduler.queue_due(self.workplace.now)

    def _look(self) -> None:
        now = self.workplace.now
        with self._storage.installation() as installation:
            backlog = installation.jobs.backlog(now)
        self.stats.queue(backlog, now)

    def _hold(self) -> None:
        self._bench.hold()

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._turn:  # one thread asks for work, the others wait for their turn
                run = self._next()
            if run is not None:
                self._bench.do(run)

    def _next(self) -> Run | None:
        """Wait for a job; None where the runner stops."""
        found: list[Run] = []
        failures = 0

        def take() -> None:
            if (run := self._bench.take()) is not None:
                found.append(run)

        while not self._stopping.is_set():
            failures = 0 if self._survives("taking jobs", take, failures) else failures + 1
            if found:
                return found[0]
            self._stopping.wait(max(IDLE_SECONDS, _pause(failures)))
        return None

    def _pump(self, pump: Pump) -> None:
        step: Step | None = None
        failures = 0
        more = False

        def once() -> None:
            nonlocal step, more
            step = step or pump.make(self.workplace)
            more = step()

        while not self._stopping.is_set():
            more = False
            if self._survives(pump.name, once, failures):
                failures = 0
            else:
                failures += 1
                self.stats.pump_failed(pump.name)
            if not more:
                self._stopping.wait(max(pump.idle_seconds, _pause(failures)))


def worker_name() -> str:
    """A name that no other worker has: the machine's, the process's, and something random."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def _pause(failures: int) -> float:
    return 0.0 if failures == 0 else min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
