"""Re-pricing runs and how far they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.reprice_runs import Reach, RepriceRequest, RepriceRun, RunStatus, Tally
from cost_ops.storage.tables import reprice_runs
from cost_ops.storage.transaction import Transaction

r = reprice_runs.c


class StoredRepriceRuns:
    """Re-pricing runs of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._mine = select(reprice_runs).where(r.organization_id == organization_id)

    def get(self, number: int) -> RepriceRun | None:
        """One run."""
        found = self._tx.rows(self._mine.where(r.number == number))
        return _run(found[0]) if found else None

    def newest(self, limit: int) -> list[RepriceRun]:
        """The newest runs first."""
        return [_run(row) for row in self._tx.rows(self._mine.order_by(r.number.desc()).limit(limit))]

    def running(self) -> list[RepriceRun]:
        """Those that are said to run."""
        return [_run(row) for row in self._tx.rows(self._mine.where(r.status == RunStatus.RUNNING.value))]

    def add(
        self, request: RepriceRequest, *, reach: Reach, holder: int, book: int, actor: str, now: datetime
    ) -> RepriceRun:
        """Store a run that begins."""
        begun = RepriceRun(
            number=0,
            organization_id=self._organization_id,
            request=request,
            status=RunStatus.RUNNING,
            reach=reach,
            tally=Tally(),
            holder=holder,
            books=(book, book),
            actor=actor,
            created_at=now,
            updated_at=now,
        )
        row = {
            "organization_id": self._organization_id,
            "request": request.to_json(),
            "status": begun.status.value,
            "progress": begun.progress_to_json(),
            "actor": actor,
            "created_at": to_us(now),
            "updated_at": to_us(now),
        }
        return _run(self._tx.write(insert(reprice_runs).values(row).returning(reprice_runs)).one())

    def save(self, run: RepriceRun) -> None:
        """Keep a run's status, holder and progress."""
        values = {
            "status": run.status.value,
            "progress": run.progress_to_json(),
            "updated_at": to_us(run.updated_at),
        }
        mine = (r.number == run.number, r.organization_id == self._organization_id)
        self._tx.write(update(reprice_runs).where(*mine).values(values))


def _run(row: Any) -> RepriceRun:
    begun = RepriceRun(
        number=row.number,
        organization_id=row.organization_id,
        request=RepriceRequest.from_json(row.request),
        status=RunStatus(row.status),
        reach=Reach(0, 0),
        tally=Tally(),
        holder=0,
        books=(0, 0),
        actor=row.actor,
        created_at=from_us(row.created_at),
        updated_at=from_us(row.updated_at),
    )
    return begun.with_progress(row.progress)
