"""Whatever is sent is taken or refused with a reason; nothing else is raised, and what is taken keeps its promises.

A short run of what `make fuzz` does a million times.
"""

import random
from collections.abc import Iterator

import pytest

from tests.fuzz.mutating import Mutator, encoded
from tests.fuzz.running import run, world
from tests.fuzz.targets import Target, World, all_targets, input_of

INPUTS = 400
TARGETS = all_targets()


@pytest.fixture(scope="module")
def installation() -> Iterator[World]:
    with world() as found:
        yield found


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_hostile_input_is_taken_whole_or_refused_with_a_reason(installation: World, target: Target) -> None:
    found = run(installation, [target], seed=1, first=0, count=INPUTS)
    assert [f"{fault.fault}\n{fault.shown}" for fault in found.findings.values()] == []
    assert 0 < found.taken[target.name] < INPUTS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_number_gives_the_same_input_again(target: Target) -> None:
    first, second = ([input_of(target, 3, number) for number in range(20)] for _ in range(2))
    assert [repr(sent) for sent in first] == [repr(sent) for sent in second]


def test_variations_are_many_and_can_be_sent() -> None:
    bodies = set()
    for number in range(500):
        mutator = Mutator(random.Random(number), ("usage", "total_tokens"))
        bodies.add(encoded(mutator.varied({"usage": {"prompt_tokens": 3, "total_tokens": [4, 5]}})))
    assert len(bodies) > 300
