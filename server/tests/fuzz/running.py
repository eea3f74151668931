"""Running numbered inputs and collecting what they find."""

import atexit
import random
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.targets import ORGANIZATION, Target, World, all_targets, input_of
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

_SHOWN = 1_500


@dataclass
class Finding:
    """One fault, with the first input that showed it and how many did."""

    target: str
    number: int
    fault: str
    shown: str
    count: int = 1


@dataclass
class Summary:
    """What a run came to. `taken` are inputs that were not refused."""

    inputs: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, other: "Summary") -> None:
        """Take another run's outcome in."""
        self.inputs += other.inputs
        self.taken += other.taken
        for key, found in other.findings.items():
            if key in self.findings:
                self.findings[key].count += found.count
            else:
                self.findings[key] = found


@contextmanager
def world() -> Iterator[World]:
    """An installation in a folder of its own, as long as the block."""
    with TemporaryDirectory(prefix="fuzz-") as folder:
        url = f"sqlite:{Path(folder) / 'ledger.db'}"
        prepare_ledger(url, ORGANIZATION)
        application = open_ledger(url)
        try:
            yield World(application)
        finally:
            application.close()


def schedule(targets: Sequence[Target], seed: int, first: int, count: int) -> Iterator[Target]:
    """Which target each of `count` inputs from `first` on goes to, by their shares."""
    names = [target for target in targets for _ in range(target.share)]
    for number in range(first, first + count):
        yield names[random.Random(f"{seed}/{number}").randrange(len(names))]


def run(world: World, targets: Sequence[Target], *, seed: int, first: int, count: int) -> Summary:
    """Put the inputs from number `first` on to the world."""
    found = Summary()
    for number, target in enumerate(schedule(targets, seed, first, count), first):
        found.inputs[target.name] += 1
        sent = input_of(target, seed, number)
        try:
            found.taken[target.name] += target.check(world, sent)
        except Exception as error:  # noqa: BLE001 (whatever is raised is the finding)
            _note(found, target, number, error, seed)
    return found


def _note(found: Summary, target: Target, number: int, error: Exception, seed: int) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    key = (target.name, f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}")
    if key in found.findings:
        found.findings[key].count += 1
        return
    told = "".join(traceback.format_exception(error, limit=-3))[-_SHOWN:]
    shown = repr(input_of(target, seed, number))
    found.findings[key] = Finding(target.name, number, told, shown[:_SHOWN])


def part(names: Sequence[str], seed: int, first: int, count: int) -> Summary:
    """A part of a run, in a process that does several: all in one installation, and with warnings as errors."""
    warnings.simplefilter("error")
    return run(_installation(), _wanted(names), seed=seed, first=first, count=count)


@cache
def _installation() -> World:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(world())


def _wanted(names: Sequence[str]) -> list[Target]:
    """The targets of these names, all of them where none is named. Raises KeyError."""
    known = all_targets()
    return [known[name] for name in names] if names else list(known.values())
