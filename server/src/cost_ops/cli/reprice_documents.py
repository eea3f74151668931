"""Re-pricing as documents in the shapes of the HTTP API."""

from __future__ import annotations

from typing import Any

from cost_ops.cli.documents import Document, amount, instant
from cost_ops.domain.periods import from_us
from cost_ops.domain.reprice_runs import DryRun, RepriceRun, RunStatus, Tally


def dry_run_document(found: DryRun) -> Document:
    """What a re-pricing would do."""
    changes = [
        {
            "day": f"{row.day:%Y-%m-%d}",
            "provider": row.provider,
            "model_id": row.model_id,
            "currency": row.currency,
            "records": row.records,
            **_before_and_after(row.before_e10, row.after_e10),
        }
        for row in found.rows
    ]
    counted = _counted(found.tally)
    return {"dry_run": True, **counted, "change_count": len(changes), "changes": changes}


def run_document(run: RepriceRun) -> Document:
    """A run and how far it is."""
    request = run.request.to_json()
    done, whole = run.reach.share
    return {
        "number": run.number,
        "organization_id": run.organization_id,
        "status": run.status.value,
        "request": {
            "start_date": request["start"],
            "end_date": request["end"],
            "filters": request["filters"],
            "reason": request["reason"],
            "unprice": request["unprice"],
        },
        "progress": 1 if run.status is RunStatus.FINISHED else done * 10_000 // whole / 10_000,
        "processed_through": None if run.reach.done_us is None else instant(from_us(run.reach.done_us)),
        **_counted(run.tally),
        "prices_changed": run.books[0] != run.books[1],
        "actor": run.actor,
        "created_at": instant(run.created_at),
        "updated_at": instant(run.updated_at),
    }


def _counted(tally: Tally) -> Document:
    before, after = tally.before_e10, tally.after_e10
    return {
        "examined_records": tally.examined,
        "changed_records": tally.changed,
        "final_records": tally.final,
        "no_price_records": tally.no_price,
        "totals": [
            {"currency": currency, **_before_and_after(before.get(currency, 0), after.get(currency, 0))}
            for currency in sorted(before.keys() | after.keys())
        ],
    }


def _before_and_after(before_e10: int, after_e10: int) -> dict[str, Any]:
    return {"before": amount(before_e10), "after": amount(after_e10), "difference": amount(after_e10 - before_e10)}
