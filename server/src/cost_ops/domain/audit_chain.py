"""Is a chain of audit events what was written? Pure: events go in one after the other, faults come out.

An event's hash covers the hash before it, so a change shows at the changed event, unless everything after it was hashed
anew. That shows at the chain's head, which stands apart; and where the head was changed, too, at an anchor: a sequence
and its hash that somebody noted elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cost_ops.domain.audit import AuditEvent, link
from cost_ops.domain.errors import InvalidInput, Problem

HASH_BYTES = 32
MOST_FAULTS = 100
"""How many faults of a chain are told in full; the others are counted."""

_ANCHOR = re.compile(r"(?:(?P<chain>.*):)?(?P<sequence>[0-9]{1,18}):(?P<hash>[0-9a-fA-F]{64})", re.DOTALL)
_NO_PLACE = frozenset({"chain", "sequence"})


class FaultKind(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT_OFF = "cut_off"
    HEAD = "head"
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: at which place of which chain, in the event with which number, if there is one."""

    chain: str
    kind: FaultKind
    sequence: int | None
    number: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's end: its last sequence, and the hash there."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        """The form that is noted elsewhere."""
        return f"{self.sequence}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody noted of a chain; `chain` is None for the one that is asked about."""

    chain: str | None
    head: Head


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a chain: how many events were read, its last link, what is wrong, and how much more is."""

    chain: str
    events: int
    head: Head
    faults: tuple[Fault, ...]
    more_faults: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def parse_anchors(texts: Sequence[str], name: str = "expect") -> tuple[Anchor, ...]:
    """Anchors written `SEQUENCE:HASH` or `CHAIN:SEQUENCE:HASH`. Raises InvalidInput naming each that is none."""
    found = [(text, _ANCHOR.fullmatch(text.strip())) for text in texts]
    message = "{} must be SEQUENCE:HASH as `audit verify` prints it, a hash of 64 hex digits; got {!r}"
    problems = [Problem(name, "invalid_value", message.format(name, text[:100])) for text, match in found if not match]
    if problems:
        raise InvalidInput(problems)
    return tuple(
        Anchor(match["chain"], Head(int(match["sequence"]), bytes.fromhex(match["hash"])))
        for _, match in found
        if match
    )


@dataclass(slots=True)
class ChainCheck:
    """Looks at the events of one chain, in the order of their sequence, as they are stored.

    `head` is the chain's end as it stood before the first event was read; None where the chain has none.
    """

    chain: str
    head: Head | None
    anchors: Sequence[Head] = ()
    events: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    _last: Head = Head(0, b"")
    _last_number: int = 0
    _before: tuple[bytes, ...] | None = (b"",)
    """What may stand before the next event: the hash that is stored, and the one that should be; None: not known."""

    _before_last: tuple[bytes, ...] | None = None

    def see(self, event: AuditEvent) -> None:
        """Look at the next event."""
        self.events += 1
        if event.sequence < 1 or not _NO_PLACE.isdisjoint(event.unreadable):
            self._fault(FaultKind.INSERTED, event, "it has no place in the chain")
            return
        if event.sequence == self._last.sequence:
            self._see_twin(event)
            return
        if event.sequence > self._last.sequence + 1:
            self._miss(self._last.sequence + 1, event.sequence - 1)
            self._before = None
        self._before_last = self._before
        self._before = self._checked(event)
        self._last = Head(event.sequence, event.hash)
        self._last_number = max(self._last_number, event.number or 0)
        self._compare(event)

    def close(self, head: Head | None) -> Verdict:
        """What was found, once there are no more events; `head` is the chain's end as it stands now."""
        if self.head is not None and self._last.sequence < self.head.sequence:
            first, last = self._last.sequence + 1, self.head.sequence
            self._add(FaultKind.CUT_OFF, last, None, f"{_events(first, last)} missing at the end of the chain")
        if head is None:
            if self.events:
                self._add(FaultKind.HEAD, self._last.sequence, None, "the chain's head was taken away")
        elif self._last.sequence > head.sequence:
            first, last = head.sequence + 1, self._last.sequence
            self._add(FaultKind.INSERTED, last, None, f"{_events(first, last)} beyond the chain's head")
        elif self._last.sequence == head.sequence and self._last.hash != head.hash and head != self.head:
            self._add(FaultKind.HEAD, head.sequence, None, _HEAD)
        for anchor in self.anchors:
            if anchor.sequence > self._last.sequence:
                self._add(FaultKind.ANCHOR, anchor.sequence, None, "the event that was noted is not there")
        return Verdict(self.chain, self.events, self._last, tuple(self.faults), self.more_faults)

    def _checked(self, event: AuditEvent) -> tuple[bytes, ...] | None:
        """The hashes that the next event may follow; a fault is noted where this one does not fit."""
        should = _links(event, self._before or ())
        if event.unreadable:
            self._fault(FaultKind.CHANGED, event, f"what is stored of its {', '.join(event.unreadable)} cannot be read")
            if "hash" not in event.unreadable:
                return (event.hash,)
            return tuple(should) if event.unreadable == ("hash",) and should else None
        if self._before is None:
            return (event.hash,)
        if event.hash in should:
            return (event.hash,)
        if len(event.hash) != HASH_BYTES:
            self._fault(FaultKind.CHANGED, event, f"its hash has {len(event.hash)} bytes instead of {HASH_BYTES}")
        elif event.number is not None and event.number < self._last_number:
            self._fault(FaultKind.REORDERED, event, "it was stored before the event that it stands after")
        else:
            self._fault(FaultKind.CHANGED, event, _CHANGED)
        return (event.hash, *should)

    def _see_twin(self, event: AuditEvent) -> None:
        """A second event at the same place: at least one of the two was put in."""
        genuine = not event.unreadable and event.hash in _links(event, self._before_last or ())
        told = "another event was put in at its place" if genuine else "it stands at a place that is taken"
        self._fault(FaultKind.INSERTED, event, told)
        if genuine:
            self._before = (event.hash,)
            self._last = Head(event.sequence, event.hash)

    def _miss(self, first: int, last: int) -> None:
        told = f"{_events(first, last)} missing; the next one can only be checked by those that follow it"
        self._add(FaultKind.MISSING, first, None, told)

    def _compare(self, event: AuditEvent) -> None:
        """Compare an event's hash with what was noted of its place."""
        if self.head is not None and event.sequence == self.head.sequence and event.hash != self.head.hash:
            self._fault(FaultKind.HEAD, event, _HEAD)
        for anchor in self.anchors:
            if event.sequence == anchor.sequence and event.hash != anchor.hash:
                told = "its hash is not the one that was noted: it, or one before it, was changed and hashed anew"
                self._fault(FaultKind.ANCHOR, event, told)

    def _fault(self, kind: FaultKind, event: AuditEvent, message: str) -> None:
        self._add(kind, event.sequence, event.number, message)

    def _add(self, kind: FaultKind, sequence: int | None, number: int | None, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(self.chain, kind, sequence, number, message))
        else:
            self.more_faults += 1


_CHANGED = "what it says does not fit its hash and the hash before it: it was changed, or the one before was replaced"
_HEAD = "the last hash is not that of the chain's head"


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"


def _links(event: AuditEvent, before: Sequence[bytes]) -> list[bytes]:
    """What the event's hash should be after each of some hashes."""
    try:
        return [link(event, event.sequence, one) for one in before]
    except (RecursionError, ValueError):  # a detail that nobody could have written with `stored`
        return []


def verify(chain: str, events: Iterable[AuditEvent], head: Head | None, anchors: Sequence[Head] = ()) -> Verdict:
    """The verdict on a chain that nobody adds to meanwhile."""
    check = ChainCheck(chain, head, anchors)
    for event in events:
        check.see(event)
    return check.close(head)
