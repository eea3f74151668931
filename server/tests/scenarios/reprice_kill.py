"""`kill -9` in the middle of a re-pricing run, again and again, until it is done.

A process of its own works on the run and says so after every page; it is killed at a random page. Then the run is
resumed by the next process, as `cost-ops reprice --resume` would. Only processes that were started here are ended.
"""

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

from cost_ops.domain.access import OWNER
from cost_ops.domain.reprice_runs import RepriceRun
from cost_ops.services import repricing
from tests.scenarios.running_ledger import open_ledger

PAGE_SIZE = 40
SERVER = Path(__file__).parents[2]


def kill_until_done(url: str, organization_id: str, number: int, seed: int = 5) -> int:
    """Have a run done by processes that are killed after a few pages each; how many were killed."""
    chance = random.Random(seed)
    kills = 0
    while not _done_before_kill(url, organization_id, number, after_pages=chance.randint(1, 6)):
        kills += 1
    return kills


def _done_before_kill(url: str, organization_id: str, number: int, after_pages: int) -> bool:
    command = [sys.executable, "-m", "tests.scenarios.reprice_kill", url, organization_id, str(number)]
    environment = os.environ | {"PYTHONPATH": str(SERVER)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=SERVER, env=environment) as process:
        assert process.stdout is not None
        try:
            for _ in range(after_pages):
                line = process.stdout.readline().strip()
                if line == "finished":
                    return True
                assert line == "page", f"the worker said {line!r}"
        finally:
            process.kill()
    return False


def work(url: str, organization_id: str, number: int) -> None:
    """Resume a run and do the rest, telling of every page."""
    repricing.PAGE_SIZE = PAGE_SIZE
    application = open_ledger(url)
    ctx = application.context(OWNER)

    def told(_run: RepriceRun) -> bool:
        sys.stdout.write("page\n")
        sys.stdout.flush()
        return True

    run = repricing.work(ctx, repricing.resume(ctx, organization_id, number), told)
    sys.stdout.write(f"{run.status}\n")
    application.close()


def main() -> None:
    """Be the worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("organization_id")
    parser.add_argument("number", type=int)
    options = parser.parse_args()
    work(options.url, options.organization_id, options.number)


if __name__ == "__main__":
    main()
