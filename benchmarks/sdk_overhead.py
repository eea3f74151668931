"""What instrumentation adds to a call of openai's client on this machine: ours, Langfuse's, OpenLLMetry's.

Each contender has a process of its own, because all of them change the same library, and they take turns in rounds of
calls, so that what the machine does meanwhile meets them all. The provider is a process that answers at once. Nothing
is exported: what is measured is what the calling thread waits for. Ours is measured with its real delivery, too.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Report, Row, at_most

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, CALLS = 150, 10
CONTENDERS = {
    "bare": "the client alone",
    "ours": "llm_cost_ops",
    "ours-delivering": "llm_cost_ops, delivering to a ledger that takes everything",
    "langfuse": "Langfuse's",
    "openllmetry": "OpenLLMetry's",
}
MICROSECONDS, SHARE = 100, 2
WARM = 3
"""Rounds that are not counted."""


class Call(NamedTuple):
    """Nanoseconds of a call, and those that its thread worked; the rest it waited, for the provider or for a core."""

    took: int
    worked: int


def run(*, quick: bool = False) -> Report:
    """Medians of a whole answer and of a stream of twenty chunks, and what each contender adds to the bare client's."""
    rounds = 15 if quick else ROUNDS
    with ExitStack() as stack:
        url = stack.enter_context(_answering())
        workers = {name: stack.enter_context(_worker(name, url)) for name in CONTENDERS}
        rows = [row for kind in ("whole", "stream") for row in _rows(kind, _measured(workers, kind, rounds))]
    bound = f"Ours has to add at most {MICROSECONDS} µs or {SHARE} % of the bare call, whichever is more."
    return Report(f"Overhead of instrumentation ({rounds} × {CALLS} calls each, in turns)", rows, [bound])


def _measured(workers: dict[str, subprocess.Popen[str]], kind: str, rounds: int) -> dict[str, list[Call]]:
    """Every call. Who begins changes with each round."""
    found: dict[str, list[Call]] = {name: [] for name in workers}
    names = list(workers)
    for number in range(WARM + 1 + rounds):
        if not number % 10:
            print(f"sdk_overhead: {kind}, round {number} of {rounds}", file=sys.stderr)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            times = _asked(workers[name], f"{kind} {CALLS}")
            if number > WARM:
                found[name] += times
    return found


def _rows(kind: str, found: dict[str, list[Call]]) -> Iterator[Row]:
    medians = {name: statistics.median(call.took for call in calls) / 1000 for name, calls in found.items()}
    worked = {name: statistics.median(call.worked for call in calls) / 1000 for name, calls in found.items()}
    bare = medians["bare"]
    yield Row(f"{kind}: {CONTENDERS['bare']}", bare, "µs")
    for name, median in medians.items():
        if name != "bare":
            target = at_most(max(MICROSECONDS, bare * SHARE / 100)) if name.startswith("ours") else None
            added = median - bare
            note = f"{100 * added / bare:+.1f} %; its thread works {worked[name] - worked['bare']:+,.0f} µs"
            yield Row(f"{kind}: {CONTENDERS[name]} adds", added, "µs", target, note)


@contextmanager
def _answering() -> Iterator[str]:
    with _python("benchmarks.sdk_calls", "provider") as process:
        yield f"http://127.0.0.1:{_line(process)}"


@contextmanager
def _worker(name: str, url: str) -> Iterator[subprocess.Popen[str]]:
    with _python("benchmarks.sdk_calls", name, url) as process:
        _line(process)
        yield process


@contextmanager
def _python(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _asked(process: subprocess.Popen[str], what: str) -> list[Call]:
    assert process.stdin is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    return [Call(*times) for times in json.loads(_line(process))]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended")
    return line.strip()
