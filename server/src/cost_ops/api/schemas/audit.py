"""Audit events and verdicts on their chains in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.audit_chain import Verdict
from cost_ops.domain.periods import to_us
from cost_ops.services.audit import ChainedEvent

_Unreadable = Annotated[
    list[str], Meta(description="columns whose stored value cannot be read, which takes a change by hand; else empty")
]


class AuditView(Struct):
    """One event: who did what to which thing, when, from where, and by which request."""

    number: int
    sequence: Annotated[int, Meta(description="its place in the chain of its organisation, or of the installation")]
    at: datetime | None
    actor: Annotated[str, Meta(description="`user:ID`, the id of a key, `owner`, or `unknown`")]
    action: str
    resource: str
    organization_id: str | None
    address: str | None
    request_id: str | None
    detail: dict[str, Any] | None
    hash: Annotated[str, Meta(description="SHA-256 over the event and the hash before it, in hex")]
    unreadable: _Unreadable


class AuditPage(Struct):
    """A page of events, newest first."""

    data: list[AuditView]
    pagination: Pagination


class ChainedView(Struct):
    """An event with everything that its hash is made of."""

    chain: Annotated[str, Meta(description="the organisation, or empty for the installation's own events")]
    sequence: int
    previous_hash: Annotated[str, Meta(description="the hash of the event before it; empty for the first")]
    at: datetime | None
    at_us: Annotated[int | None, Meta(description="the same in microseconds since 1970")]
    actor: str
    action: str
    resource: str
    request_id: str | None
    address: str | None
    detail: dict[str, Any] | None
    hash: str
    number: int
    unreadable: _Unreadable


class FaultView(Struct):
    """One thing that is wrong with a chain."""

    kind: Annotated[str, Meta(description="changed, missing, inserted, reordered, cut_off, head or anchor")]
    sequence: int | None
    number: int | None
    message: str


class VerdictView(Struct):
    """What became of one chain: the events that were read, its last link, and what is wrong."""

    chain: Annotated[str, Meta(description="the organisation, or empty for the installation's own events")]
    whole: bool
    events: int
    head: Annotated[str, Meta(description="SEQUENCE:HASH, to be noted elsewhere and given as `expect` later")]
    faults: list[FaultView]
    more_faults: Annotated[int, Meta(description="faults beyond those that are listed")]


class VerifyAnswer(Struct):
    """The verdict on every chain; `whole` where nothing is wrong with any."""

    whole: bool
    data: list[VerdictView]


def audit_view(event: AuditEvent) -> AuditView:
    """An event in JSON."""
    return AuditView(
        number=event.number or 0,
        sequence=event.sequence,
        at=None if "at" in event.unreadable else event.at,
        actor=event.actor,
        action=str(event.action),
        resource=event.resource,
        organization_id=event.organization_id,
        address=event.address,
        request_id=event.request_id,
        detail=None if event.detail is None else dict(event.detail),
        hash=event.hash.hex(),
        unreadable=list(event.unreadable),
    )


def chained_view(chained: ChainedEvent) -> ChainedView:
    """An event of an export in JSON."""
    event = chained.event
    timeless = "at" in event.unreadable
    return ChainedView(
        chain=event.chain,
        sequence=event.sequence,
        previous_hash=chained.previous_hash.hex(),
        at=None if timeless else event.at,
        at_us=None if timeless else to_us(event.at),
        actor=event.actor,
        action=str(event.action),
        resource=event.resource,
        request_id=event.request_id,
        address=event.address,
        detail=None if event.detail is None else dict(event.detail),
        hash=event.hash.hex(),
        number=event.number or 0,
        unreadable=list(event.unreadable),
    )


def verdict_view(verdict: Verdict) -> VerdictView:
    """A verdict in JSON."""
    return VerdictView(
        chain=verdict.chain,
        whole=verdict.whole,
        events=verdict.events,
        head=str(verdict.head),
        faults=[FaultView(str(f.kind), f.sequence, f.number, f.message) for f in verdict.faults],
        more_faults=verdict.more_faults,
    )
