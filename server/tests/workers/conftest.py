"""An installation on each real database, with a clock that is moved by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.jobs import Job, JobKind, NewJob
from cost_ops.settings import load_settings
from cost_ops.workers.runner import Runner
from cost_ops.workers.workplace import Pump, Task, Trade

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
PATIENCE_SECONDS = 30


@dataclass
class Shop:
    """An installation whose time stands still, and what is to be known of its jobs."""

    application: Application
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def pass_(self, **time: float) -> None:
        self.clock[0] += timedelta(**time)

    def add(self, kind: str, **fields: object) -> None:
        with self.application.storage.installation() as installation:
            assert installation.jobs.enqueue(NewJob(kind, self.now, **fields), self.now)  # type: ignore[arg-type]

    def jobs(self, kind: str | None = None) -> list[Job]:
        with self.application.storage.installation() as installation:
            return installation.jobs.page(kind=kind, limit=1_000)[0]

    def job(self, kind: str) -> Job:
        [found] = self.jobs(kind)
        return found

    def runner(self, *kinds: JobKind, pumps: tuple[Pump, ...] = (), threads: int = 2, **tasks: Task) -> Runner:
        """A runner that knows these tasks, and schedules these kinds, alone."""
        return Runner(self.application, threads=threads, trade=Trade(kinds, tasks, pumps))

    def run_due(self, *kinds: JobKind, **tasks: Task) -> Runner:
        runner = Runner(self.application, threads=2, trade=Trade(kinds, tasks))
        runner.run_due()
        return runner


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    migrate(f"sqlite:{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    template = request.getfixturevalue("sqlite_template")
    return f"sqlite:{shutil.copy(template, tmp_path / 'ledger.db')}"


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    clock = [NOW]
    settings = load_settings(environment={}, flags={"database.url": database_url, "jobs.lease_secs": 30})
    application = open_application(settings, lambda: clock[0])
    yield Shop(application, clock)
    application.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Wait for what a thread does; the test fails where it does not come."""
    import threading
    import time

    def wait(done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"{what} did not come"
            threading.Event().wait(0.02)

    return wait
