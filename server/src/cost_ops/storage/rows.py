"""A usage record as a row, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from cost_ops.domain.exact_json import json_text
from cost_ops.domain.identity import usage_id
from cost_ops.domain.meters import CACHE_WRITE_METERS
from cost_ops.domain.periods import from_us
from cost_ops.domain.statuses import STATUS_CODES, STATUS_OF_CODE
from cost_ops.domain.usage import Quantities, UsageRecord, UsageSubmission, cached_tokens, token_totals
from cost_ops.interfaces.recording import NewRecord
from cost_ops.storage.tables import cost_records, usage_records

COLUMNS = tuple(column.name for column in usage_records.columns)
COST_COLUMNS = tuple(column.name for column in cost_records.columns)
ESTIMATED = 1
"""A bit of `flags`: the submission's split into meters had to be assumed."""
DISCREPANT = 2
"""A bit of `flags`: the provider's own numbers contradict each other; `evidence` has both."""

_PLAIN = frozenset({"input", "input_cache_read", "input_cache_write_5m", "output", "output_reasoning"})
STATUS_CODE: dict[str, int] = {status.value: code for status, code in STATUS_CODES.items()}
STATUS_NAME: dict[int, str] = {code: status.value for code, status in STATUS_OF_CODE.items()}


def compact(value: Any) -> str | None:
    """JSON without spaces; None for nothing."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else None


def compact_exact(value: Any) -> str | None:
    """The same for values that may hold Decimals: they are plain numbers, every digit kept."""
    try:
        return compact(value)
    except TypeError:
        return json_text(value)


def compact_tags(tags: Mapping[str, str] | None) -> str | None:
    """Tags as JSON; the same few sets come again and again."""
    return _known_tags(tuple(tags.items())) if tags else None


@lru_cache(maxsize=16_384)
def _known_tags(items: tuple[tuple[str, str], ...]) -> str | None:
    return compact(dict(items))


def token_columns(quantities: Mapping[str, Any]) -> tuple[int, int, int | None, int | None, int | None, str | None]:
    """(input, output, cached, cache write, reasoning, meters): `meters` only where the five do not say it all."""
    get = quantities.get
    cached, reasoning = get("input_cache_read", 0), get("output_reasoning", 0)
    if quantities.keys() <= _PLAIN:
        written = get("input_cache_write_5m", 0)
        whole_input, whole_output = get("input", 0) + cached + written, get("output", 0) + reasoning
        return whole_input, whole_output, cached or None, written or None, reasoning or None, None
    written = sum(int(q) for meter, q in quantities.items() if meter in CACHE_WRITE_METERS)
    exact = {meter: format(q, "f") if isinstance(q, Decimal) else q for meter, q in quantities.items()}
    return (
        *token_totals(quantities),
        cached_tokens(quantities) or None,
        written or None,
        int(reasoning) or None,
        compact(exact),
    )


def values_of(record: NewRecord) -> tuple[Any, ...]:
    """The values of a new row, in the order of `COLUMNS`; JSON as text, instants in microseconds."""
    submission = record.submission
    whole_input, whole_output, cached, written, reasoning, meters = token_columns(submission.quantities)
    return (
        submission.timestamp_us,
        record.uid,
        submission.received_us,
        whole_input,
        whole_output,
        record.cost_e10,
        cached,
        written,
        reasoning,
        submission.reported_cost_e10,
        record.price_number,
        submission.latency_ms,
        STATUS_CODE[record.status],
        _flags(submission) if submission.estimated or submission.evidence else None,
        submission.organization_id,
        submission.provider,
        submission.model_id,
        record.currency or None,
        submission.project_id or None,
        submission.user_id or None,
        submission.team_id or None,
        submission.session_id or None,
        submission.api_key_id or None,
        submission.service_tier or None,
        submission.processing or None,
        submission.region or None,
        compact_tags(submission.tags),
        compact_exact(submission.metadata),
        meters,
        compact_exact(_evidence(record)) if submission.evidence else None,
    )


def _flags(submission: UsageSubmission) -> int | None:
    discrepant = submission.evidence is not None and submission.evidence.get("discrepancies")
    return (ESTIMATED if submission.estimated else 0) | (DISCREPANT if discrepant else 0) or None


def _evidence(record: NewRecord) -> Mapping[str, Any]:
    evidence = record.submission.evidence or {}
    return {**evidence, "step_prices": list(record.step_prices)} if record.step_prices else evidence


def quantities_of(row: Any) -> Quantities:
    """The disjoint quantities of a stored row."""
    if row.meters is not None:
        return {meter: Decimal(q) if isinstance(q, str) else q for meter, q in row.meters.items()}
    cached, written, reasoning = row.cached_tokens or 0, row.cache_write_tokens or 0, row.reasoning_tokens or 0
    quantities = {
        "input": row.input_tokens - cached - written,
        "input_cache_read": cached,
        "input_cache_write_5m": written,
        "output": row.output_tokens - reasoning,
        "output_reasoning": reasoning,
    }
    return {meter: tokens for meter, tokens in quantities.items() if tokens}


def record_of(row: Any) -> UsageRecord:
    """The record in a row of `sql.usage.selected()`: its cost is the latest correction's, or else its first."""
    corrected = row.version is not None
    return UsageRecord(
        usage_id(row.timestamp, row.uid),
        row.organization_id,
        from_us(row.timestamp),
        from_us(row.received_at),
        row.provider,
        row.model_id,
        quantities_of(row),
        STATUS_NAME[row.current_status if corrected else row.cost_status],
        row.current_currency if corrected else row.currency,
        row.current_cost_e10 if corrected else row.cost_e10,
        row.current_price_id if corrected else row.price_id,
        row.project_id,
        row.user_id,
        row.team_id,
        row.session_id,
        row.api_key_id,
        row.service_tier,
        row.processing,
        row.region,
        row.latency_ms,
        row.reported_cost_e10,
        bool((row.flags or 0) & ESTIMATED),
        row.tags or {},
        row.metadata or {},
        row.evidence,
        _step_prices(row.current_detail if corrected else row.evidence),
    )


def _step_prices(detail: Any) -> tuple[int | None, ...]:
    return tuple(detail.get("step_prices", ())) if detail else ()


def records_of(rows: Sequence[Any]) -> list[UsageRecord]:
    """The records in rows."""
    return [record_of(row) for row in rows]
