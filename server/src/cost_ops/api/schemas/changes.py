"""Corrections and erasure in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import MaybeMoney, MoneyWriter
from cost_ops.api.schemas.usage import UsageView
from cost_ops.domain.corrections import CLEARABLE, CORRECTABLE
from cost_ops.domain.revisions import Revision

CORRECTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["reason"],
    "additionalProperties": False,
    "description": "fields of a record as POST /usage takes them; only those that are given change",
    "properties": {
        "reason": {"type": "string", "minLength": 1, "maxLength": 256},
        **{name: {"description": "null takes it away"} if name in CLEARABLE else {} for name in CORRECTABLE},
    },
}

ERASURE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["organization_id", "user_id"],
    "additionalProperties": False,
    "properties": {
        "organization_id": {"type": "string", "examples": ["org-123"]},
        "user_id": {"type": "string", "examples": ["user-7"]},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}, "description": "keys of tags that go, too"},
        "dry_run": {"type": "boolean", "default": False},
    },
}


class CorrectedAnswer(Struct):
    """A record as it stands now, how often it was corrected, and whether this time changed anything."""

    data: UsageView
    revision: int
    changed: bool


class RevisionView(Struct):
    """A form that a record had until `superseded_at`. Fields without a value are left out of `record`."""

    revision: int
    superseded_at: datetime
    actor: str
    reason: str
    status: str
    cost: MaybeMoney
    currency: str | None
    record: Annotated[dict[str, Any], Meta(description="quantities by meter, names, tags, metadata, evidence")]


class RevisionList(Struct):
    """The earlier forms of a record, the first first."""

    data: list[RevisionView]


class ErasureView(Struct):
    """What told of a person: records, and earlier forms of corrected records. Amounts stay."""

    organization_id: str
    records: int
    earlier_forms: int
    dry_run: bool


class ErasureAnswer(Struct):
    """The outcome of an erasure."""

    data: ErasureView


_MONEY = frozenset({"cost_e10", "reported_cost_e10"})


def revision_view(revision: Revision, money: MoneyWriter) -> RevisionView:
    """An earlier form in JSON."""
    kept = revision.record
    own = {"status", "currency", *_MONEY}
    return RevisionView(
        revision.version,
        revision.superseded_at,
        revision.actor,
        revision.reason,
        kept["status"],
        money(kept.get("cost_e10")),
        kept.get("currency"),
        {name: value for name, value in kept.items() if name not in own},
    )
