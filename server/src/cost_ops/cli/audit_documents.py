"""Audit events and verdicts on their chains as documents in the shapes of the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from cost_ops.cli.documents import Document, instant
from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.audit_chain import Verdict
from cost_ops.domain.periods import to_us
from cost_ops.services.audit import ChainedEvent


def audit_document(event: AuditEvent) -> Document:
    """One audit event."""
    return {
        "number": event.number,
        "sequence": event.sequence,
        "at": None if "at" in event.unreadable else instant(event.at),
        "actor": event.actor,
        "action": str(event.action),
        "resource": event.resource,
        "organization_id": event.organization_id,
        "address": event.address,
        "request_id": event.request_id,
        "detail": None if event.detail is None else dict(event.detail),
        "hash": event.hash.hex(),
        "unreadable": list(event.unreadable),
    }


def chained_document(chained: ChainedEvent) -> Document:
    """One event with everything that its hash is made of."""
    event = chained.event
    timeless = "at" in event.unreadable
    return {
        "chain": event.chain,
        "sequence": event.sequence,
        "previous_hash": chained.previous_hash.hex(),
        "at": None if timeless else instant(event.at),
        "at_us": None if timeless else to_us(event.at),
        "actor": event.actor,
        "action": str(event.action),
        "resource": event.resource,
        "request_id": event.request_id,
        "address": event.address,
        "detail": None if event.detail is None else dict(event.detail),
        "hash": event.hash.hex(),
        "number": event.number,
        "unreadable": list(event.unreadable),
    }


def verdicts_document(verdicts: Sequence[Verdict]) -> Document:
    """Verdicts on chains."""
    return {
        "whole": all(verdict.whole for verdict in verdicts),
        "data": [
            {
                "chain": verdict.chain,
                "whole": verdict.whole,
                "events": verdict.events,
                "head": str(verdict.head),
                "faults": [_fault(asdict(fault)) for fault in verdict.faults],
                "more_faults": verdict.more_faults,
            }
            for verdict in verdicts
        ],
    }


def _fault(fault: Document) -> Document:
    return {name: fault[name] for name in ("sequence", "number", "message")} | {"kind": str(fault["kind"])}
