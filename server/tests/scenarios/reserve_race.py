"""A thousand callers on one hard budget of 100.00: do they pass it, is one refused while there is room, how long does
a decision take?

    python -m tests.scenarios.reserve_race --database sqlite --processes 4 --callers 1000

A caller reserves 0.10, "makes its call" (waits), settles with what it cost (0.01 to 0.10), and begins again, until the
budget is used up. Each process has the real machinery of a server process, its decider and its committer; the callers
are tasks of its event loop. `--alone` has one caller only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cost_ops.api.process import Process, assemble
from cost_ops.api.reserving import Settlement
from cost_ops.api.server import COLLECT_AFTER, SWITCH_SECONDS
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.lease_requests import LeaseRequest, read_lease_request
from cost_ops.domain.money import E10, format_e10
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.services import leases, organizations, pricing, usage
from cost_ops.services.leases import Granted, Refused
from tests.postgres_server import fresh_database
from tests.scenarios.durable_postgres import DurablePostgres
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

ORGANIZATION, BUDGET = "race", "budget-race"
LEASE_E10 = E10 // 10
TOKENS_A_LEASE = 100_000
"""One token costs a millionth of a dollar."""


@dataclass
class Tally:
    """What happened to the callers of one process."""

    granted: int = 0
    refused: int = 0
    refused_with_room: int = 0
    settled_e10: int = 0
    errors: int = 0


def prepare(url: str, limit: int = 100) -> None:
    """An organisation with a price and the budget."""
    prepare_ledger(url, ORGANIZATION)
    application = open_ledger(url)
    try:
        ctx = application.context(OWNER)
        organizations.ensure(ctx, ORGANIZATION)
        rates = rates_from_fields({"input_price_per_million": "1", "output_price_per_million": "1"})
        pricing.add(ctx, ORGANIZATION, pricing.NewPrice("openai", "race-model", rates))
        budget = read_budget(
            {"amount": limit, "enforcement": "hard", "period": "yearly"},
            organization_id=ORGANIZATION,
            budget_id=BUDGET,
            by="race",
            now=ctx.clock(),
            names=same_names,
        )
        with application.storage.ledger(ORGANIZATION) as ledger:
            ledger.budgets.add(budget)
    finally:
        application.close()


class Callers:
    """The callers of one process."""

    def __init__(self, application: Application, process: Process, call_seconds: float, seed: int) -> None:
        self.application, self.process, self.call_seconds = application, process, call_seconds
        self.random = random.Random(seed)
        self.tally = Tally()
        self.latencies: list[float] = []
        self.settling: list[float] = []
        self.over = False

    async def caller(self, number: int) -> None:
        """Reserve, call, settle, until nothing is left."""
        await asyncio.sleep(self.random.random() * self.call_seconds)
        while not self.over:
            begun = time.perf_counter()
            outcome = await self.process.decider.decide(self._request(number))
            self.latencies.append(time.perf_counter() - begun)
            if isinstance(outcome, Granted):
                self.tally.granted += 1
                await asyncio.sleep(self.call_seconds * (0.5 + self.random.random()))
                await self._settle(outcome)
            elif isinstance(outcome, Refused):
                self._refused(outcome)
                await asyncio.sleep(self.call_seconds * (0.5 + self.random.random()))
            else:
                self.tally.errors += 1

    def _refused(self, outcome: Refused) -> None:
        self.tally.refused += 1
        stands = outcome.decision.refusing[0].status
        self.tally.refused_with_room += stands.available_e10 >= LEASE_E10
        self.over = stands.limit_e10 - stands.spent_e10 < LEASE_E10 and not stands.held_e10

    def _request(self, number: int) -> LeaseRequest:
        document = {"amount": format_e10(LEASE_E10), "user_id": f"caller-{number}", "ttl_seconds": 3600}
        intake = Intake(self.application.books.current().names, 0, organization_id=ORGANIZATION)
        return read_lease_request(document, intake, default_ttl=timedelta(hours=1))

    async def _settle(self, granted: Granted) -> None:
        tokens = self.random.randint(TOKENS_A_LEASE // 10, TOKENS_A_LEASE)
        sent, problems = read_fields(
            {
                "organization_id": ORGANIZATION,
                "provider": "openai",
                "model_id": "race-model",
                "input_tokens": tokens,
                "output_tokens": 0,
                "idempotency_key": granted.lease.lease_id,
            }
        )
        book = self.application.books.current()
        submission = build(sent, Intake(book.names, to_us(self.application.clock())), problems)
        priced = usage.price(self.application.context(OWNER), book, submission)
        begun = time.perf_counter()
        recorded = await self.process.committer.submit(Settlement(priced, granted.lease.lease_id))
        self.settling.append(time.perf_counter() - begun)
        if isinstance(recorded, CostOpsError):
            self.tally.errors += 1
        else:
            self.tally.settled_e10 += recorded.cost_e10


async def work(url: str, callers: int, call_seconds: float, seed: int, seconds: float) -> dict[str, Any]:
    """Run the callers of one process; what they found."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    application = open_ledger(url, database__pool_size=10)
    process = assemble(application)
    process.committer.start()
    _spent_and_held(application)  # as a server that has served before: the price book is loaded
    all_ = Callers(application, process, call_seconds, seed)
    tasks = [asyncio.create_task(all_.caller(number)) for number in range(callers)]
    begun = time.perf_counter()
    try:
        await asyncio.wait(tasks, timeout=seconds)
        all_.over = True
        await asyncio.gather(*tasks)
        took = time.perf_counter() - begun
    finally:
        await asyncio.to_thread(process.decider.stop)
        await asyncio.to_thread(process.committer.stop)
        await process.authenticator.close()
        application.close()
    return {**vars(all_.tally), "latencies": all_.latencies, "settling": all_.settling, "seconds": took}


def measure(
    url: str, *, processes: int, callers: int, call_seconds: float, seconds: float, limit: int = 100
) -> dict[str, Any]:
    """The whole race, and what the ledger says afterwards."""
    commands = [
        [
            sys.executable, "-m", "tests.scenarios.reserve_race", "--worker", url, "--callers", str(callers // processes),
            "--call-seconds", str(call_seconds), "--seed", str(seed), "--seconds", str(seconds),
        ]
        for seed in range(processes)
    ]  # fmt: skip
    folder = Path(__file__).parents[2]
    with ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        pairs = zip(commands, outputs, strict=True)
        running = [subprocess.Popen(command, stdout=output, cwd=folder) for command, output in pairs]
        most_e10 = watch(url, running)
        if failed := [one.returncode for one in running if one.returncode]:
            raise RuntimeError(f"processes of the race failed with {failed}")
        found = []
        for output in outputs:
            output.seek(0)
            found.append(json.loads(output.read()))
    return summed(found, most_e10, standing(url), limit * E10)


def watch(url: str, running: list[subprocess.Popen[bytes]]) -> int:
    """The most that was ever spent and held at once, as others see it while the race is on."""
    application = open_ledger(url)
    most = 0
    try:
        while any(one.poll() is None for one in running):
            most = max(most, _spent_and_held(application)[0])
            time.sleep(0.05)
    finally:
        application.close()
    return most


def standing(url: str) -> tuple[int, int]:
    """(spent and held, held) in the end."""
    application = open_ledger(url)
    try:
        return _spent_and_held(application)
    finally:
        application.close()


def _spent_and_held(application: Application) -> tuple[int, int]:
    intake = Intake(application.books.current().names, 0, organization_id=ORGANIZATION)
    asked = read_lease_request({"amount": "0.0000000001"}, intake, default_ttl=timedelta(minutes=1))
    stands = leases.look(application.context(OWNER), asked).decision.levels[0].status
    return stands.spent_e10 + stands.held_e10, stands.held_e10


def summed(found: list[dict[str, Any]], most_e10: int, end: tuple[int, int], limit_e10: int) -> dict[str, Any]:
    """One table row from what the processes found."""
    latencies = sorted(second for one in found for second in one["latencies"])
    settling = sorted(second for one in found for second in one["settling"])
    total = {name: sum(one[name] for one in found) for name in Tally.__dataclass_fields__}
    seconds = max(one["seconds"] for one in found)
    return {
        **total,
        "overshoot_e10": max(0, most_e10 - limit_e10, end[0] - limit_e10),
        "spent_e10": end[0],
        "held_e10": end[1],
        "ledger_agrees": end[0] - end[1] == total["settled_e10"],
        "decisions_per_second": len(latencies) / seconds,
        "p50_ms": _percentile(latencies, 0.5),
        "p99_ms": _percentile(latencies, 0.99),
        "settle_p50_ms": _percentile(settling, 0.5),
        "settle_p99_ms": _percentile(settling, 0.99),
    }


def _percentile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))] * 1000 if values else 0.0


def main() -> None:
    """Race, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--callers", type=int, default=1000)
    parser.add_argument("--call-seconds", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        found = asyncio.run(work(given.worker, given.callers, given.call_seconds, given.seed, given.seconds))
        sys.stdout.write(json.dumps(found))
        return
    with ExitStack() as stack:
        if given.database == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:{folder}/race.db"
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            Path(folder).chmod(0o755)  # the server has a user of its own
            server = DurablePostgres(Path(folder) / "postgres")
            stack.callback(server.stop)
            url = stack.enter_context(fresh_database(server.start()))
        prepare(url)
        found = measure(
            url,
            processes=given.processes,
            callers=given.callers,
            call_seconds=given.call_seconds,
            seconds=given.seconds,
        )
    about = f"{given.processes} process(es), {given.callers} callers, call {given.call_seconds} s"
    sys.stdout.write(f"{given.database}, {about}\n")
    for name, value in found.items():
        shown = format_e10(value) if name.endswith("_e10") else f"{value:.2f}" if isinstance(value, float) else value
        sys.stdout.write(f"  {name.removesuffix('_e10'):<22} {shown}\n")


if __name__ == "__main__":
    main()
