"""Workers that are killed with -9 at work: `python -m tests.scenarios.worker_kills --database sqlite|postgres --kills 20`.

Several worker processes share the jobs of one database: some write their effect in the transaction that ends the job
(`bound`), some before it (`loose`), and one comes every minute of a clock that runs sixty times as fast (`tick`). Again
and again one of the workers is killed at a random moment, and another is started. At the end every job is done: the
bound effects and those of the ticks are there once each, the loose ones at least once, no slot was queued twice, and
nothing is lost. Only processes that were started here are ended.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.audit import Action
from cost_ops.domain.jobs import JobKind, JobStatus, NewJob
from cost_ops.settings import load_settings
from cost_ops.workers.alone import serve
from cost_ops.workers.runner import Runner
from cost_ops.workers.workplace import Run, Trade
from tests.scenarios.durable_postgres import DurablePostgres

SERVER = Path(__file__).parents[2]
WORKERS = 3
PATIENCE_SECONDS = 180
SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 0.6
CLOCK_SPEED = 60
LEASE_SECONDS = 120
"""By the fast clock: a job of a worker that was killed is another's after two seconds."""

ATTEMPTS = 100
TICK = JobKind("tick", "every minute", "* * * * *", max_attempts=ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found after the last job. `again` counts loose effects beyond the first, which are allowed."""

    kills: int
    jobs: int
    not_done: int
    retaken: int
    bound_effects: int
    bound_lost: int
    bound_double: int
    loose_lost: int
    again: int
    ticks: int
    ticks_double: int
    ticks_lost: int
    minutes_missed: int

    @property
    def well(self) -> bool:
        """Whether nothing was lost, and nothing double that must not be."""
        return not (self.not_done or self.bound_lost or self.bound_double or self.loose_lost or self._ticks_wrong)

    @property
    def _ticks_wrong(self) -> int:
        return self.ticks_double + self.ticks_lost


def opened(url: str, began: float) -> Application:
    """The database with a clock that runs fast; the same for all processes."""

    def clock() -> datetime:
        return datetime.fromtimestamp(began, UTC) + CLOCK_SPEED * timedelta(seconds=time.time() - began)

    flags = {"database.url": url, "jobs.lease_secs": LEASE_SECONDS, "logging.level": "error"}
    return open_application(load_settings(environment={}, flags=flags), clock)


def bound(run: Run) -> None:
    """An effect in the transaction that ends the job."""
    time.sleep(random.uniform(0, 0.2))  # work, for the kill to hit
    with run.ctx.storage.installation() as installation:
        installation.audit.add(run.ctx.event(Action.RETENTION_APPLIED, str(run.job.slot or run.job.payload["name"])))
        run.finish(installation)


def loose(run: Run) -> None:
    """An effect in a transaction of its own."""
    with run.ctx.storage.installation() as installation:
        installation.audit.add(run.ctx.event(Action.RETENTION_APPLIED, str(run.job.payload["name"])))
    time.sleep(random.uniform(0, 0.2))


def work(url: str, began: float) -> None:
    """Be a worker until told to end."""
    application = opened(url, began)
    runner = Runner(application, threads=2, trade=Trade((TICK,), {"bound": bound, "loose": loose, "tick": bound}))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve(runner)
    application.close()


class Scenario:
    """The workers and their database."""

    def __init__(self, url: str, seed: int) -> None:
        migrate(url)
        self._url = url
        self._began = time.time()
        self._chance = random.Random(seed)
        self._application = opened(url, self._began)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._names: list[str] = []

    def run(self, kills: int, jobs: int) -> Outcome:
        """Kill and start workers while the jobs come, then wait for the last one."""
        try:
            for _ in range(WORKERS):
                self._start()
            for number in range(kills):
                self._queue(jobs * (number + 1) // kills - len(self._names))
                self._until_something_is_done()
                time.sleep(self._chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                self._kill()
                self._start()
            self._wait_for_all()
            for worker in self._workers:
                worker.send_signal(signal.SIGTERM)
            ends = [worker.wait(PATIENCE_SECONDS) for worker in self._workers]
            assert ends == [0] * WORKERS, ends
            return self._compare(kills)
        finally:
            for worker in self._workers:
                worker.kill()
                worker.communicate()
            self._application.close()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.scenarios.worker_kills", "--work", self._url, str(self._began)]
        environment = os.environ | {"PYTHONPATH": str(SERVER)}
        devnull = subprocess.DEVNULL
        worker = subprocess.Popen(command, cwd=SERVER, env=environment, stdout=subprocess.PIPE, stderr=devnull)
        self._workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n", "the worker did not start"

    def _kill(self) -> None:
        worker = self._workers.pop(self._chance.randrange(WORKERS))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.communicate()

    def _queue(self, count: int) -> None:
        now = self._application.clock()
        with self._application.storage.installation() as installation:
            for _ in range(count):
                kind = ("bound", "loose")[len(self._names) % 2]
                name = f"{kind}-{len(self._names)}"
                installation.jobs.enqueue(NewJob(kind, now, {"name": name}, max_attempts=ATTEMPTS), now)
                self._names.append(name)

    def _count(self, status: JobStatus) -> int:
        with self._application.storage.installation() as installation:
            return installation.jobs.page(status=status, limit=1)[1]

    def _until_something_is_done(self) -> None:
        before = self._count(JobStatus.DONE)
        self._until(lambda: self._count(JobStatus.DONE) > before or not self._count(JobStatus.QUEUED), "a job")

    def _wait_for_all(self) -> None:
        def left() -> int:
            with self._application.storage.installation() as installation:
                every = installation.jobs.page(limit=100_000)[0]
            return sum(job.kind != TICK.name and job.status is not JobStatus.DONE for job in every)

        self._until(lambda: left() == 0, "the last job")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {PATIENCE_SECONDS} s for {what} in vain")
            time.sleep(0.02)

    def _compare(self, kills: int) -> Outcome:
        """What is in the database; ticks that wait as the workers end are done first."""
        runner = Runner(self._application, threads=1, trade=Trade((), {"tick": bound}))
        time.sleep(LEASE_SECONDS / CLOCK_SPEED)
        runner.run_due()
        with self._application.storage.installation() as installation:
            every = installation.jobs.page(limit=100_000)[0]
            events = installation.audit.page(action="retention.applied", limit=100_000, offset=0)[0]
        effects = Counter(event.resource for event in events)
        slots = [str(job.slot) for job in every if job.kind == TICK.name]
        expected = {kind: [n for n in self._names if n.startswith(kind)] for kind in ("bound", "loose")}
        minutes = sorted(job.slot or "" for job in every if job.kind == TICK.name)
        return Outcome(
            kills=kills,
            jobs=len(every),
            not_done=sum(job.status is not JobStatus.DONE for job in every),
            retaken=sum(job.attempts > 1 for job in every),
            bound_effects=sum(effects[name] for name in expected["bound"]),
            bound_lost=_lost(expected["bound"], effects),
            bound_double=_double(expected["bound"], effects),
            loose_lost=_lost(expected["loose"], effects),
            again=_double(expected["loose"], effects),
            ticks=len(slots),
            ticks_double=_double(slots, effects) + len(slots) - len(set(slots)),
            ticks_lost=_lost(slots, effects),
            minutes_missed=_span(minutes) - len(minutes),
        )


def _lost(names: Sequence[str], effects: Counter[str]) -> int:
    return sum(effects[name] == 0 for name in names)


def _double(names: Sequence[str], effects: Counter[str]) -> int:
    return sum(max(effects[name] - 1, 0) for name in names)


def _span(slots: Sequence[str]) -> int:
    """How many minutes there are from the first slot to the last, both included."""
    first, last = (datetime.fromisoformat(slot.partition("@")[2]) for slot in (slots[0], slots[-1]))
    return (last - first) // timedelta(minutes=1) + 1


@contextmanager
def _database(database: str) -> Iterator[str]:
    with TemporaryDirectory(prefix="cost-ops-workers-") as name:
        folder = Path(name)
        if database == "sqlite":
            yield f"sqlite:{folder / 'ledger.db'}"
            return
        folder.chmod(0o755)  # the database runs as a user of its own
        postgres = DurablePostgres(folder / "postgresql")
        try:
            yield postgres.start()
        finally:
            postgres.crash()


def run(database: str, kills: int, jobs: int, *, seed: int = 9) -> Outcome:
    """What is found after so many kills and jobs, in a new database."""
    with _database(database) as url:
        return Scenario(url, seed).run(kills, jobs)


def main() -> None:
    """Print what was found; exit with 1 where anything was wrong. Or be a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        url, began = options.work
        return work(url, float(began))
    outcome = run(options.database, options.kills, options.jobs, seed=options.seed)
    for field in fields(outcome):
        sys.stdout.write(f"| {field.name.replace('_', ' ')} | {getattr(outcome, field.name):,} |\n")
    raise SystemExit(0 if outcome.well else 1)


if __name__ == "__main__":
    main()
