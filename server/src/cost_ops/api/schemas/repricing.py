"""Re-pricing in JSON: what a dry run found, and runs with how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import Money, MoneyWriter
from cost_ops.domain.periods import PRESETS, from_us
from cost_ops.domain.reprice_runs import DryRun, RepriceRequest, RepriceRun, RunStatus, Tally
from cost_ops.domain.statuses import CostStatus

MOST_CHANGES = 10_000
_TEXTS = {"type": ["array", "null"], "items": {"type": "string"}, "minItems": 1, "maxItems": 1000}
_TIME = {"type": ["string", "null"], "format": "date-time"}
FIELDS = {"provider": "provider", "model_id": "model", "project_id": "project", "status": "status"}
"""Field of a body → dimension that it limits."""

REPRICE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "organization_id": {"type": ["string", "null"], "examples": ["org-123"]},
        "start_date": _TIME,
        "end_date": _TIME,
        "range": {"type": ["string", "null"], "enum": [*PRESETS, None]},
        "timezone": {"type": ["string", "null"], "examples": ["Europe/Berlin"]},
        "provider": _TEXTS,
        "model_id": _TEXTS,
        "project_id": _TEXTS,
        "status": {**_TEXTS, "items": {"type": "string", "enum": [str(status) for status in CostStatus]}},
        "dry_run": {
            "type": ["boolean", "null"],
            "default": True,
            "description": "say what would change, and change nothing",
        },
        "unprice": {
            "type": ["boolean", "null"],
            "default": False,
            "description": "take the cost of records whose price is gone; otherwise they keep it",
        },
        "reason": {
            "type": ["string", "null"],
            "maxLength": 256,
            "description": "stands in every cost row that is written",
        },
    },
}


class SumChange(Struct):
    """The sum of all that was looked at, before and after, in one currency."""

    currency: str
    before: Money
    after: Money
    difference: Money


class ChangeView(Struct):
    """What changes for one model on one day (UTC) in one currency; `records` are those that change."""

    day: str
    provider: str
    model_id: str
    currency: str
    records: int
    before: Money
    after: Money
    difference: Money


class DryRunView(Struct):
    """What a re-pricing would do. `changes` has at most 10,000 rows, `change_count` says how many there are."""

    dry_run: bool
    examined_records: int
    changed_records: int
    final_records: Annotated[int, Meta(description="reported or invoiced: not ours to change")]
    no_price_records: Annotated[int, Meta(description="their price is gone; they keep their cost")]
    totals: list[SumChange]
    change_count: int
    changes: list[ChangeView]


class DryRunAnswer(Struct):
    """The outcome of a dry run."""

    data: DryRunView


class RequestView(Struct):
    """What a run was asked to do."""

    start_date: datetime
    end_date: datetime
    filters: list[dict[str, Any]]
    reason: str
    unprice: bool


class RunView(Struct):
    """A run. `progress` goes by time, from 0 to 1; `processed_through` is the last record that is done."""

    number: int
    organization_id: str
    status: Annotated[str, Meta(description="running, stopped (it can be resumed) or finished")]
    request: RequestView
    progress: Annotated[float, Meta(ge=0, le=1)]
    processed_through: datetime | None
    examined_records: int
    changed_records: int
    final_records: int
    no_price_records: int
    totals: list[SumChange]
    prices_changed: Annotated[bool, Meta(description="prices changed while it ran; run it again to cost all alike")]
    actor: str
    created_at: datetime
    updated_at: datetime


class RunAnswer(Struct):
    """One run."""

    data: RunView


class RunList(Struct):
    """The newest runs first."""

    data: list[RunView]


def sum_changes(tally: Tally, money: MoneyWriter) -> list[SumChange]:
    """Totals by currency."""
    before, after = tally.before_e10, tally.after_e10
    found = []
    for currency in sorted(before.keys() | after.keys()):
        old, new = before.get(currency, 0), after.get(currency, 0)
        found.append(SumChange(currency, money(old), money(new), money(new - old)))
    return found


def dry_run_view(found: DryRun, money: MoneyWriter) -> DryRunView:
    """What a dry run found."""
    tally = found.tally
    changes = [
        ChangeView(
            f"{row.day:%Y-%m-%d}",
            row.provider,
            row.model_id,
            row.currency,
            row.records,
            money(row.before_e10),
            money(row.after_e10),
            money(row.difference_e10),
        )
        for row in found.rows[:MOST_CHANGES]
    ]
    return DryRunView(
        True,
        tally.examined,
        tally.changed,
        tally.final,
        tally.no_price,
        sum_changes(tally, money),
        len(found.rows),
        changes,
    )


def _request_view(request: RepriceRequest) -> RequestView:
    kept = request.to_json()
    return RequestView(request.span.start, request.span.end, kept["filters"], request.reason, request.unprice)


def run_view(run: RepriceRun, money: MoneyWriter) -> RunView:
    """A run in JSON."""
    done, whole = run.reach.share
    tally = run.tally
    return RunView(
        number=run.number,
        organization_id=run.organization_id,
        status=run.status.value,
        request=_request_view(run.request),
        progress=1 if run.status is RunStatus.FINISHED else done * 10_000 // whole / 10_000,
        processed_through=None if run.reach.done_us is None else from_us(run.reach.done_us),
        examined_records=tally.examined,
        changed_records=tally.changed,
        final_records=tally.final,
        no_price_records=tally.no_price,
        totals=sum_changes(tally, money),
        prices_changed=run.books[0] != run.books[1],
        actor=run.actor,
        created_at=run.created_at,
        updated_at=run.updated_at,
    )
