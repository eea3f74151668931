"""Values that storage tests begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from cost_ops.domain.access import Organization
from cost_ops.domain.identity import key_hash, parse_usage_id, uid_of_key
from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import Contribution, Measures, Series
from cost_ops.domain.usage import UsageRecord, UsageSubmission, token_totals
from cost_ops.interfaces.recording import NewRecord
from cost_ops.interfaces.storage import Storage

NOW = datetime(2025, 6, 15, 12, 30, tzinfo=UTC)
NOON = to_us(NOW)
_uids = count(1)


def organize(storage: Storage, *ids: str) -> None:
    with storage.installation() as installation:
        for organization_id in ids:
            installation.add_organization(Organization(organization_id, organization_id, NOW))


def new(
    organization_id: str = "acme",
    *,
    at: int = NOON,
    key: str | None = None,
    cost: int | None = 1_000,
    status: str | None = None,
    currency: str = "USD",
    payload: int = 7,
    **fields: Any,
) -> NewRecord:
    """A priced record; unpriced where `cost` is None."""
    chosen: dict[str, Any] = {
        "provider": "openai",
        "model_id": "gpt-4",
        "quantities": {"input": 100, "output": 10},
        "received_us": at + 1_500_000,
    } | fields
    hashed = None if key is None else key_hash(organization_id, "api", key)
    uid = next(_uids) if hashed is None else uid_of_key(hashed)
    submission = UsageSubmission(
        organization_id=organization_id, timestamp_us=at, payload_hash=payload, key=key, **chosen
    )
    priced = status or ("unpriced" if cost is None else "computed")
    return NewRecord(
        submission, uid, hashed, priced, None if cost is None else currency, cost, None if cost is None else 1
    )


def contribution(record: NewRecord) -> Contribution:
    s = record.submission
    measures = Measures(
        1,
        *token_totals(s.quantities),
        int(s.quantities.get("input_cache_read", 0)),
        record.cost_e10 or 0,
    )
    series = Series(s.provider, s.model_id, record.currency or "", record.status)
    return Contribution(s.organization_id, s.timestamp_us, series, measures, s.project_id, s.user_id, s.tags)


def store(storage: Storage, records: Iterable[NewRecord]) -> list[NewRecord]:
    """Record and roll up, in one transaction."""
    kept = list(records)
    with storage.recorder() as recorder:
        recorder.append(kept)
        recorder.fold([contribution(one) for one in kept])
    return kept


def moves(record: UsageRecord, *, currency: str | None, status: str, cost: int | None) -> list[Contribution]:
    """What correcting a record's cost does to the rollups."""
    timestamp_us, _ = parse_usage_id(record.usage_id)
    found = []
    for sign, series, amount in (
        (-1, Series(record.provider, record.model_id, record.currency or "", record.status), record.cost_e10),
        (1, Series(record.provider, record.model_id, currency or "", status), cost),
    ):
        sent, received = token_totals(record.quantities)
        measures = Measures(
            sign,
            sign * sent,
            sign * received,
            sign * int(record.quantities.get("input_cache_read", 0)),
            sign * (amount or 0),
        )
        found.append(
            Contribution(
                record.organization_id,
                timestamp_us,
                series,
                measures,
                record.project_id,
                record.user_id,
                record.tags,
            )
        )
    return found


def refs(records: Sequence[NewRecord]) -> list[tuple[int, int]]:
    return [(r.submission.timestamp_us, r.uid) for r in records]
