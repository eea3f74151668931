"""Correcting a record: the fields that are given put in place of what is stored, checked as a new record's are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from cost_ops.domain.errors import Problem
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.statuses import CostStatus
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import FIELD_NAMES, PAYLOAD_FIELDS, TOKEN_FIELDS, Submitted, read_fields
from cost_ops.domain.usage import (
    COUNTER_NAMES,
    INPUT_PARTS,
    OUTPUT_PARTS,
    Quantities,
    UsageRecord,
    UsageSubmission,
    token_totals,
)

CLEARABLE = frozenset(
    {
        "project_id",
        "user_id",
        "team_id",
        "session_id",
        "service_tier",
        "processing",
        "region",
        "latency_ms",
        "reported_cost",
        "tags",
        "metadata",
    }
)
"""Fields that `null` takes away; other fields that are null are left as they are."""

FIXED = frozenset({"idempotency_key", "request_id", "response_id", "default_pricing"})
"""What belongs to the record as it was sent."""

CORRECTABLE = tuple(n for n in FIELD_NAMES if n not in FIXED)
_KEPT_TEXTS = ("project_id", "user_id", "team_id", "session_id", "service_tier", "processing", "region")
_COUNTS = (*TOKEN_FIELDS, *COUNTER_NAMES)
_PARTS = (*INPUT_PARTS, *OUTPUT_PARTS)
_FLAT_METERS = frozenset({"input", "output", *COUNTER_NAMES, *(meter for _, meter in _PARTS)})


class Corrected(NamedTuple):
    """A record in its new form, its cost still the old one, and the currency of the reported cost that it has."""

    record: UsageRecord
    reported_currency: str | None


def corrected(record: UsageRecord, fields: Mapping[str, Any], intake: Intake) -> Corrected:
    """The record with these fields in place of its own.

    Raises InvalidInput with every problem. A provider's payload replaces all counts; plain counts replace one by one.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    sent, problems = read_fields(given)
    problems += _fixed(record, given, sent)
    counted = any(getattr(sent, name) is not None for name in _COUNTS)
    payload = any(name in given for name in PAYLOAD_FIELDS)
    # Meters that no plain count names stay as they are, and the totals that are checked leave them out.
    rest = {} if payload else {m: q for m, q in record.quantities.items() if m not in _FLAT_METERS}
    whole = _stored(record, rest, payload=payload, exclusive=sent.counting == "exclusive")
    for name in given:
        if name in CORRECTABLE and getattr(sent, name, None) is not None:
            setattr(whole, name, getattr(sent, name))
    if counted:
        _adjust(whole, sent, rest, problems)
    for name in CLEARABLE & {name for name, value in fields.items() if value is None}:
        setattr(whole, name, None)
    submission = build(whole, intake, problems)
    new = _as_record(record, submission, rest, counted=counted, payload=payload)
    if sent.estimated is not None:
        new = replace(new, estimated=sent.estimated)
    return Corrected(new, submission.reported_currency)


def _fixed(record: UsageRecord, given: Mapping[str, Any], sent: Submitted) -> list[Problem]:
    told = "belongs to the record as it was sent"
    problems = [Problem(name, "not_correctable", f"{name} {told}") for name in sorted(FIXED & given.keys())]
    if sent.organization_id is not None and sent.organization_id != record.organization_id:
        problems.append(Problem("organization_id", "not_correctable", "a record stays with its organization"))
    if sent.timestamp is not None and (sent.timestamp.tzinfo is None or sent.timestamp != record.timestamp):
        message = "the timestamp is part of the record's id; record the usage anew at the right time"
        problems.append(Problem("timestamp", "not_correctable", message))
    return problems


def _stored(record: UsageRecord, rest: Quantities, *, payload: bool, exclusive: bool) -> Submitted:
    """The stored record as if it had been sent with plain counts."""
    sent = Submitted(
        organization_id=record.organization_id,
        provider=record.provider,
        model_id=record.model_id,
        timestamp=record.timestamp,
        latency_ms=record.latency_ms,
        tags=dict(record.tags) or None,
        metadata=dict(record.metadata) or None,
        **{name: getattr(record, name) for name in _KEPT_TEXTS},
    )
    if record.reported_cost_e10 is not None:
        sent.reported_cost = decimal_from_e10(record.reported_cost_e10)
        sent.currency = record.currency if record.status == CostStatus.REPORTED else None
    if payload:
        return sent
    known = {meter: q for meter, q in record.quantities.items() if meter not in rest}
    for name, meter in _PARTS:
        setattr(sent, name, known.get(meter))
    for name in COUNTER_NAMES:
        setattr(sent, name, known.get(name))
    sent.input_tokens, sent.output_tokens = token_totals(known)
    if exclusive:
        sent.input_tokens, sent.output_tokens = int(known.get("input", 0)), int(known.get("output", 0))
    return sent


def _adjust(whole: Submitted, sent: Submitted, rest: Quantities, problems: list[Problem]) -> None:
    """Take out of given totals what stands in meters that plain counts do not name."""
    if sent.prompt_tokens is not None and sent.input_tokens is None:
        whole.input_tokens = None
    if sent.completion_tokens is not None and sent.output_tokens is None:
        whole.output_tokens = None
    if not rest or sent.counting == "exclusive":
        return
    rest_input, rest_output = token_totals(rest)
    for names, inside in (
        (("input_tokens", "prompt_tokens"), rest_input),
        (("output_tokens", "completion_tokens"), rest_output),
        (("total_tokens",), rest_input + rest_output),
    ):
        for name in names:
            stated = getattr(sent, name)
            if stated is None:
                continue
            if stated < inside:
                meters = ", ".join(rest)
                message = f"{name} = {stated} is less than what the record has in {meters}: {inside}; send its usage"
                problems.append(Problem(name, "exceeds_total", message))
            setattr(whole, name, max(stated - inside, 0))


def _as_record(
    old: UsageRecord, new: UsageSubmission, rest: Quantities, *, counted: bool, payload: bool
) -> UsageRecord:
    counts: dict[str, Any] = {"quantities": old.quantities, "evidence": old.evidence, "estimated": old.estimated}
    if counted or payload:
        evidence = new.evidence if payload else _without_counts(old.evidence)
        counts = {
            "quantities": {**new.quantities, **rest},
            "evidence": evidence,
            "estimated": new.estimated,
        }
    return replace(
        old,
        provider=new.provider,
        model_id=new.model_id,
        reported_cost_e10=new.reported_cost_e10,
        latency_ms=new.latency_ms,
        tags=new.tags or {},
        metadata=new.metadata or {},
        **{name: getattr(new, name) for name in _KEPT_TEXTS},
        **counts,
    )


def _without_counts(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a record's evidence still says when its counts were corrected by hand."""
    kept = {n: v for n, v in (evidence or {}).items() if n in ("requested_model_id", "response_id")}
    return kept or None


COSTED_FIELDS = (
    "provider",
    "model_id",
    "quantities",
    "service_tier",
    "processing",
    "region",
    "estimated",
    "reported_cost_e10",
)


def same_cost(old: UsageRecord, new: UsageRecord) -> bool:
    """Whether nothing changed that the cost depends on; then it stays, whatever today's prices are."""
    steps = (old.evidence or {}).get("steps") == (new.evidence or {}).get("steps")
    return steps and all(getattr(old, name) == getattr(new, name) for name in COSTED_FIELDS)
