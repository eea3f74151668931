"""`kill -9` in the middle of load: `python -m tests.scenarios.kill_nine --database sqlite|postgres --kills 20`.

A real server on a real ledger is loaded by several clients and killed at a random moment, again and again. On
PostgreSQL the database is hit in turn, too: shut down at once as by a power cut, or one of its processes killed. After
every kill and restart: each acknowledged record is there once, with the amount that was said, nothing is there twice,
and rollups equal records. Clients send what was not acknowledged again, under the same keys; at the end everything that
was ever sent is there once. Only processes that were started here are ended.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cost_ops.bootstrap import Application
from cost_ops.domain.money import decimal_from_e10
from tests.scenarios.crash_clients import Client, Memory
from tests.scenarios.durable_postgres import DurablePostgres
from tests.scenarios.running_ledger import RunningServer, open_ledger, prepare_ledger

ORGANIZATIONS = ("crash-a", "crash-b")
CLIENTS = 8
PATIENCE_SECONDS = 60
SHORTEST_SECONDS, LONGEST_SECONDS = 0.15, 1.2
KINDS = {"sqlite": ("server",), "postgres": ("server", "database", "server", "backend")}
"""What is killed, in turn: our server, PostgreSQL as a whole, or one of PostgreSQL's processes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found after one kill; `acknowledged` counts records from the beginning on."""

    kill: int
    what: str
    acknowledged: int
    stored: int
    lost: int
    double: int
    wrong_amount: int
    rollup_differences: int
    contradictions: int

    @property
    def well(self) -> bool:
        """Whether nothing was lost, double, wrong or contradicted."""
        return not (self.lost or self.double or self.wrong_amount or self.rollup_differences or self.contradictions)


class Scenario:
    """One server, its database and its clients."""

    def __init__(self, url: str, folder: Path, postgres: DurablePostgres | None, seed: int) -> None:
        self._url = url
        self._postgres = postgres
        self._chance = random.Random(seed)
        self._memory = Memory()
        keys = {organization_id: prepare_ledger(url, organization_id) for organization_id in ORGANIZATIONS}
        self.server = RunningServer(url, folder / "server.log", settings={"logging.level": "error"})
        self._clients = [
            Client(self._memory, number=n, port=self.server.port, organization_id=organization_id, key=keys[organization_id])
            for n in range(CLIENTS)
            for organization_id in [ORGANIZATIONS[n % len(ORGANIZATIONS)]]
        ]  # fmt: skip

    def run(self, kinds: Sequence[str]) -> Iterator[Outcome]:
        """Kill, restart and check as often as `kinds` says, then drain and check for the last time."""
        self.server.start()
        try:
            for client in self._clients:
                client.start()
            for number, kind in enumerate(kinds, 1):
                yield self._round(number, kind)
            yield self._drained()
        finally:
            for client in self._clients:
                client.ended = True
                client.join()
            self.server.stop()

    def _round(self, number: int, kind: str) -> Outcome:
        before = len(self._memory.acknowledged)
        for client in self._clients:
            client.resume()
        # A kill before any answer would show little.
        self._until(lambda: len(self._memory.acknowledged) > before, "an answer")
        time.sleep(self._chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        self._kill(kind)
        for client in self._clients:
            client.pause()
        self._restart(kind)
        return self._checked(number, kind)

    def _kill(self, kind: str) -> None:
        if kind == "server" or self._postgres is None:
            self.server.kill()
        elif kind == "database":
            self._postgres.crash()
        else:
            self._postgres.kill_backend()

    def _restart(self, kind: str) -> None:
        """Whatever was ended is started again. The server outlives its database: it is not restarted for that."""
        if kind == "server" or self._postgres is None:
            self.server.start()
        elif kind == "database":
            self._postgres.start()
        else:
            self._postgres.wait()

    def _drained(self) -> Outcome:
        """Everything that was ever sent, answered at last."""
        for client in self._clients:
            client.draining = True
            client.resume()
        self._until(lambda: not any(client.unanswered for client in self._clients), "all answers")
        for client in self._clients:
            client.pause()
        never = self._memory.sent - self._memory.acknowledged.keys()
        if never:
            raise AssertionError(f"{len(never)} records were never acknowledged, such as {sorted(never)[:3]}")
        return self._checked(0, "nothing: all that was sent")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            for client in self._clients:
                if client.failure is not None:
                    raise AssertionError(f"{client.name} failed") from client.failure
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {PATIENCE_SECONDS} s for {what} in vain")
            time.sleep(0.01)

    def _checked(self, number: int, what: str) -> Outcome:
        application = open_ledger(self._url)
        try:
            return _compare(application, self._memory, number, what)
        finally:
            application.close()


def _compare(application: Application, memory: Memory, number: int, what: str) -> Outcome:
    """The ledger, read from the database itself, beside what clients remember."""
    stored: Counter[str] = Counter()
    wrong = differences = 0
    for organization_id in ORGANIZATIONS:
        with application.storage.ledger(organization_id) as ledger:
            differences += len(ledger.costs.rollup_differences())
            for record in ledger.usage.stream(start_us=None, end_us=None, filters=()):
                key = record.metadata["key"]
                stored[key] += 1
                said = memory.acknowledged.get(key)
                amount = None if record.cost_e10 is None else decimal_from_e10(record.cost_e10)
                if said is not None and (said.organization_id, said.usage_id, said.cost) != (
                    organization_id,
                    record.usage_id,
                    amount,
                ):
                    wrong += 1
    return Outcome(
        kill=number,
        what=what,
        acknowledged=len(memory.acknowledged),
        stored=stored.total(),
        lost=len(memory.acknowledged.keys() - stored.keys()),
        double=sum(count - 1 for count in stored.values()),
        wrong_amount=wrong,
        rollup_differences=differences,
        contradictions=len(memory.contradictions),
    )


def run(database: str, kills: int, *, seed: int = 9) -> Iterator[Outcome]:
    """Outcomes of `kills` kills on a new ledger, and of the drain at the end."""
    kinds = [KINDS[database][n % len(KINDS[database])] for n in range(kills)]
    with _database(database) as (url, folder, postgres):
        yield from Scenario(url, folder, postgres, seed).run(kinds)


@contextmanager
def _database(database: str) -> Iterator[tuple[str, Path, DurablePostgres | None]]:
    with TemporaryDirectory(prefix="cost-ops-kill-") as name:
        folder = Path(name)
        if database == "sqlite":
            yield f"sqlite:{folder / 'ledger.db'}", folder, None
            return
        folder.chmod(0o755)  # the database runs as a user of its own
        postgres = DurablePostgres(folder / "postgresql")
        try:
            yield postgres.start(), folder, postgres
        finally:
            postgres.crash()


def main() -> None:
    """Print a line a kill; exit with 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=tuple(KINDS), required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    fields = tuple(Outcome.__dataclass_fields__)
    sys.stdout.write(f"| {' | '.join(name.replace('_', ' ') for name in fields)} |\n|{'---|' * len(fields)}\n")
    well = True
    for outcome in run(options.database, options.kills, seed=options.seed):
        values = [f"{value:,}" if isinstance(value, int) else value for value in (getattr(outcome, f) for f in fields)]
        sys.stdout.write(f"| {' | '.join(values)} |\n")
        sys.stdout.flush()
        well = well and outcome.well
    sys.stdout.write("\nNothing lost, double or wrong.\n" if well else "\n**Something was lost, double or wrong.**\n")
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
