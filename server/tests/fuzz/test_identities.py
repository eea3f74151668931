"""No payload that we know contradicts itself unnoticed, and the buckets of every one add up to the provider's total."""

from typing import Any

import pytest

from cost_ops.catalog.usage_shapes import load_shapes
from tests.domain.usage_fixtures import cases
from tests.fuzz.identities import IDENTITIES, NO_IDENTITY, booked, contradictions, sides, usage_object

BOOK = load_shapes()
CASES = cases("expect")


def test_every_shape_has_an_identity_or_a_reason_to_have_none() -> None:
    assert set(IDENTITIES) | set(NO_IDENTITY) == set(BOOK.shapes)
    assert not set(IDENTITIES) & set(NO_IDENTITY)


def test_most_payloads_that_we_know_are_held_to_an_identity() -> None:
    held = [case for _, case in CASES if _held(case) is not None]
    assert len(held) > len(CASES) // 2


def _held(case: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """The identity and the usage object of a case, where it has both: one response or usage object, in one step."""
    identity = IDENTITIES.get(case["expect"]["shape"])
    if identity is None or isinstance(case["payload"], list):
        return None
    usage = usage_object(identity, case["payload"]) if case["whole_response"] else case["payload"]
    return None if usage is None or usage.get("iterations") else (identity, usage)


@pytest.mark.parametrize("case", [case for _, case in CASES if _held(case)], ids=[n for n, c in CASES if _held(c)])
def test_buckets_add_up_to_what_the_provider_states_or_the_payload_is_flagged(case: dict[str, Any]) -> None:
    held = _held(case)
    assert held is not None
    found = BOOK.extract(case["provider"], case["payload"], whole_response=case["whole_response"])
    faults = list(contradictions(*held))
    assert bool(found.discrepancies) or faults == []
    if not found.discrepancies:
        stated = sides(*held)
        assert [ours for ours, theirs in zip(booked(found.quantities), stated, strict=True) if theirs is not None] == [
            theirs for theirs in stated if theirs is not None
        ]
