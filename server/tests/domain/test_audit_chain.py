"""A chain of audit events tells who touched it, and where."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.audit import AuditEvent, link, plain, stored
from cost_ops.domain.audit_chain import MOST_FAULTS, Anchor, ChainCheck, FaultKind, Head, Verdict, parse_anchors, verify
from cost_ops.domain.errors import InvalidInput
from tests.domain.builders import NOW


def chain(length: int, name: str = "acme") -> list[AuditEvent]:
    """A chain as it is stored."""
    found: list[AuditEvent] = []
    before = b""
    for n in range(1, length + 1):
        event = AuditEvent("keys.created", f"key_{n}", "owner", NOW + timedelta(seconds=n), name, detail={"n": n})
        before = link(event, n, before)
        found.append(replace(event, sequence=n, number=n * 10, hash=before))
    return found


def head_of(events: list[AuditEvent]) -> Head:
    return Head(events[-1].sequence, events[-1].hash)


def told(verdict: Verdict) -> list[tuple[FaultKind, int | None]]:
    return [(fault.kind, fault.sequence) for fault in verdict.faults]


def rehashed(events: list[AuditEvent]) -> list[AuditEvent]:
    """The same with every hash made anew, as someone would who knows how."""
    found, before = [], b""
    for event in events:
        before = link(event, event.sequence, before)
        found.append(replace(event, hash=before))
    return found


def put(events: list[AuditEvent], place: int, **changes: object) -> list[AuditEvent]:
    return [replace(e, **changes) if e.sequence == place else e for e in events]  # type: ignore[arg-type]


def test_a_chain_as_it_was_written_is_whole() -> None:
    events = chain(20)
    verdict = verify("acme", events, head_of(events), [Head(7, events[6].hash), head_of(events)])
    assert (verdict.whole, verdict.events, verdict.head) == (True, 20, head_of(events))
    assert verify("acme", [], None).whole


CHANGES = (
    {"actor": "somebody"},
    {"detail": {"n": 6}},
    {"detail": None},
    {"at": NOW},
    {"resource": "key_9"},
    {"organization_id": "other"},
    {"address": "10.0.0.1"},
    {"request_id": "req-1"},
    {"action": "keys.revoked"},
)


@pytest.mark.parametrize(
    "change", CHANGES, ids=lambda change: "-".join(f"{k}-{type(v).__name__}" for k, v in change.items())
)
def test_a_changed_event_is_found_alone(change: dict[str, object]) -> None:
    verdict = verify("acme", put(chain(20), 7, **change), head_of(chain(20)))
    assert told(verdict) == [(FaultKind.CHANGED, 7)]
    assert verdict.faults[0].number == 70


@pytest.mark.parametrize("wrong", [b"", b"\x00" * 32, b"abc", b"\xff" * 33])
def test_a_changed_hash_is_found_alone(wrong: bytes) -> None:
    assert told(verify("acme", put(chain(20), 7, hash=wrong), head_of(chain(20)))) == [(FaultKind.CHANGED, 7)]


def test_an_event_that_was_replaced_with_a_hash_to_fit_shows_at_the_next_one() -> None:
    events = chain(20)
    forged = replace(events[6], actor="somebody")
    events[6] = replace(forged, hash=link(forged, 7, events[5].hash))
    assert told(verify("acme", events, head_of(chain(20)))) == [(FaultKind.CHANGED, 8)]


def test_missing_events_are_named_and_the_rest_is_checked() -> None:
    events = [e for e in put(chain(20), 15, actor="x") if e.sequence not in (7, 8)]
    verdict = verify("acme", events, head_of(chain(20)))
    assert told(verdict) == [(FaultKind.MISSING, 7), (FaultKind.CHANGED, 15)]
    assert verdict.faults[0].message.startswith("events 7 to 8 are missing")
    assert told(verify("acme", chain(20)[1:], head_of(chain(20)))) == [(FaultKind.MISSING, 1)]


def test_an_event_that_was_put_in_is_found() -> None:
    events = chain(20)
    twin = replace(events[6], number=999, actor="x")
    assert told(verify("acme", [*events[:7], twin, *events[7:]], head_of(events))) == [(FaultKind.INSERTED, 7)]
    earlier = replace(twin, number=65)
    found = told(verify("acme", [*events[:6], earlier, *events[6:]], head_of(events)))
    assert found == [(FaultKind.CHANGED, 7), (FaultKind.INSERTED, 7)]
    beyond = replace(events[6], number=1, sequence=-3)
    assert told(verify("acme", [beyond, *events], head_of(events))) == [(FaultKind.INSERTED, -3)]
    moved = [replace(e, sequence=e.sequence + 1) if e.sequence >= 7 else e for e in events]
    shifted = [*moved[:6], replace(twin, sequence=7), *moved[6:]]
    kinds = told(verify("acme", shifted, Head(21, events[-1].hash)))
    assert kinds[0] == (FaultKind.CHANGED, 7)
    assert len(kinds) == 15


def test_events_that_changed_places_are_found() -> None:
    events = chain(20)
    swapped = [*events[:6], replace(events[7], sequence=7), replace(events[6], sequence=8), *events[8:]]
    found = told(verify("acme", swapped, head_of(events)))
    assert (FaultKind.REORDERED, 8) in found
    assert {sequence for _, sequence in found} == {7, 8, 9}


def test_a_tail_that_was_cut_off_is_found() -> None:
    events = chain(20)
    assert told(verify("acme", events[:17], head_of(events))) == [(FaultKind.CUT_OFF, 20)]
    assert told(verify("acme", [], head_of(events))) == [(FaultKind.CUT_OFF, 20)]
    assert told(verify("acme", events, head_of(events[:17]))) == [(FaultKind.INSERTED, 20)]
    assert told(verify("acme", events, None)) == [(FaultKind.HEAD, 20)]
    assert told(verify("acme", events, Head(20, b"x"))) == [(FaultKind.HEAD, 20)]


def test_a_chain_hashed_anew_shows_at_its_head_and_then_at_an_anchor_only() -> None:
    events = chain(20)
    forged = rehashed(put(events, 7, actor="somebody"))
    assert told(verify("acme", forged, head_of(events))) == [(FaultKind.HEAD, 20)]
    assert verify("acme", forged, head_of(forged)).whole
    assert told(verify("acme", forged, head_of(forged), [head_of(events)])) == [(FaultKind.ANCHOR, 20)]
    assert verify("acme", forged, head_of(forged), [Head(6, events[5].hash)]).whole
    assert told(verify("acme", events[:5], head_of(events[:5]), [head_of(events)])) == [(FaultKind.ANCHOR, 20)]


def test_what_cannot_be_read_was_changed() -> None:
    verdict = verify("acme", put(chain(9), 4, unreadable=("detail", "at")), head_of(chain(9)))
    assert told(verdict) == [(FaultKind.CHANGED, 4)]
    assert "detail, at cannot be read" in verdict.faults[0].message
    lost = [replace(chain(9)[3], unreadable=("chain",)), *chain(9)]
    assert told(verify("acme", lost, head_of(chain(9)))) == [(FaultKind.INSERTED, 4)]
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert told(verify("acme", put(chain(9), 4, detail=deep), head_of(chain(9)))) == [(FaultKind.CHANGED, 4)]
    while deep:
        deep = deep.pop("a")  # type: ignore[assignment]


def test_events_that_come_while_a_chain_is_read_are_no_fault() -> None:
    events = chain(20)
    check = ChainCheck("acme", head_of(events[:10]))
    for event in events[:15]:
        check.see(event)
    assert check.close(head_of(events)).whole
    check = ChainCheck("acme", None)
    assert check.close(head_of(events)).whole


def test_faults_are_told_up_to_a_bound_and_counted_beyond_it() -> None:
    events = [replace(event, actor="x") for event in chain(MOST_FAULTS + 50)]
    verdict = verify("acme", events, head_of(events))
    assert (len(verdict.faults), verdict.more_faults) == (MOST_FAULTS, 50)


ALTERATIONS: tuple[Callable[[list[AuditEvent], int], list[AuditEvent]], ...] = (
    lambda events, n: events[:n] + events[n + 1 :],
    lambda events, n: put(events, n + 1, actor="x"),
    lambda events, n: put(events, n + 1, hash=bytes(32)),
    lambda events, n: [*events[: n + 1], replace(events[n], number=5_000), *events[n + 1 :]],
    lambda events, n: events[:n],
)


@given(length=st.integers(1, 40), data=st.data())
def test_whatever_is_done_to_a_chain_is_found(length: int, data: st.DataObject) -> None:
    events = chain(length)
    altered = events
    for alter, place in data.draw(
        st.lists(st.tuples(st.sampled_from(ALTERATIONS), st.integers(0, length - 1)), min_size=1, max_size=3)
    ):
        if place < len(altered):
            altered = alter(altered, place)
    same = [replace(e, number=None) for e in altered] == [replace(e, number=None) for e in events]
    assert verify("acme", altered, head_of(events)).whole == same


def test_anchors_are_read_and_each_that_is_none_is_named() -> None:
    text = "ab" * 32
    assert parse_anchors([f"42:{text}", f"org:1:7:{text.upper()}", f":1:{text}"]) == (
        Anchor(None, Head(42, bytes.fromhex(text))),
        Anchor("org:1", Head(7, bytes.fromhex(text))),
        Anchor("", Head(1, bytes.fromhex(text))),
    )
    with pytest.raises(InvalidInput) as refused:
        parse_anchors(["42", f"42:{text}", "x:y", f"42:{text}0", f"-1:{text}", ""])
    assert len(refused.value.problems) == 5


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.decimals()
    | st.text(st.characters())
    | st.datetimes()
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner) | st.sets(st.text())
    ),
    max_leaves=20,
)


@given(VALUES)
def test_a_plain_detail_stays_as_it_is(value: object) -> None:
    once = plain(value)
    assert plain(once) == once


def test_what_is_too_deep_or_too_large_is_cut() -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    assert str(plain(deep)).count("[") == 32
    assert plain(10**5_000).startswith("0x")
    assert plain({"a\x00": "b\ud800"}) == {"a": "b?"}
    event = stored(AuditEvent("a", "r\x00\udfff", "o", NOW, "", "q\x00", {}), "acme")
    assert (event.resource, event.organization_id, event.request_id, event.detail) == ("r?", "acme", "q", None)
