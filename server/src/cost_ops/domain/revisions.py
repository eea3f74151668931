"""Earlier forms of a corrected record, and the JSON that they are kept as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.usage import UsageRecord

KEPT_FIELDS = (
    "provider",
    "model_id",
    "project_id",
    "user_id",
    "team_id",
    "session_id",
    "service_tier",
    "processing",
    "region",
    "latency_ms",
    "reported_cost_e10",
    "estimated",
    "status",
    "currency",
    "cost_e10",
    "price_id",
)
PERSONAL_FIELDS = ("user_id", "session_id", "metadata")
"""What tells of a person, beside tags that are named and a provider's raw payload."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A form that a record had until `superseded_at`, as `kept_form` wrote it. Versions count from 1."""

    version: int
    superseded_at: datetime
    actor: str
    reason: str
    record: Mapping[str, Any]


def kept_form(record: UsageRecord) -> dict[str, Any]:
    """A record as JSON that loses nothing; decimal quantities as text, fields without a value left out."""
    kept: dict[str, Any] = {name: getattr(record, name) for name in KEPT_FIELDS}
    kept["quantities"] = {m: format(q, "f") if isinstance(q, Decimal) else q for m, q in record.quantities.items()}
    kept["tags"] = dict(record.tags or {})
    kept["metadata"] = dict(record.metadata or {})
    kept["evidence"] = record.evidence
    return {name: value for name, value in kept.items() if value not in (None, {}, False)}


def without_person(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Evidence without the provider's raw object and the response's id: what was counted stays."""
    if evidence is None:
        return None
    kept = {name: evidence[name] for name in ("steps", "step_prices", "requested_model_id") if name in evidence}
    return kept or None
