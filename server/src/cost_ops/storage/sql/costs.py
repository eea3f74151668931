"""Sums and corrections of an organisation's costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select

from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.errors import NotFound
from cost_ops.domain.identity import usage_id
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.repricing import CostedUsage, NewCost, moves
from cost_ops.domain.rollups import Contribution, Cube, Window
from cost_ops.interfaces.storage import Correction, CostVersion
from cost_ops.storage.rows import STATUS_CODE, STATUS_NAME, compact
from cost_ops.storage.sql import cube_sums, differences, rebuild, record_sums, sums
from cost_ops.storage.sql.usage import StoredUsage
from cost_ops.storage.tables import cost_records, usage_records
from cost_ops.storage.transaction import CostRow, Transaction

u = usage_records.c
c = cost_records.c


class StoredCosts:
    """Costs of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str, number: int, usage: StoredUsage) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._number = number
        self._usage = usage

    def sum_cube(
        self, cube: Cube, windows: Sequence[Window], dimensions: Sequence[str], filters: Sequence[Filter]
    ) -> Iterable[SummedRow]:
        """Sums from rollups: one row per slot, values of `dimensions`, currency and status."""
        return cube_sums.sums(
            self._tx, self._organization_id, self._number, cube, windows, dimensions=dimensions, filters=filters
        )

    def sum_records(
        self, windows: Sequence[Window], dimensions: Sequence[str], filters: Sequence[Filter]
    ) -> Iterable[SummedRow]:
        """The same from records with their current costs; windows in microseconds."""
        return record_sums.sums(self._tx, self._organization_id, windows, dimensions, filters)

    def newest_us(self) -> int | None:
        """The timestamp of the newest usage; None where there is none."""
        mine = select(u.timestamp).where(u.organization_id == self._organization_id)
        return self._tx.connection.execute(mine.order_by(u.timestamp.desc()).limit(1)).scalar()

    def oldest_us(self) -> int | None:
        """The timestamp of the oldest usage; None where there is none."""
        mine = select(u.timestamp).where(u.organization_id == self._organization_id)
        return self._tx.connection.execute(mine.order_by(u.timestamp).limit(1)).scalar()

    def supersede(
        self, changes: Sequence[tuple[CostedUsage, NewCost]], *, reason: str, now: datetime, run: int | None = None
    ) -> None:
        """Append a superseding cost row for each change, and move the rollups by the difference."""
        self.correct([Correction.of(usage, new, reason, run) for usage, new in changes], now)
        self.fold([move for usage, new in changes for move in moves(usage, new)])

    def correct(self, corrections: Sequence[Correction], now: datetime) -> None:
        """Append superseding cost rows.

        Raises Conflict where a record was corrected by someone else since this transaction read it, NotFound where
        there is no such record.
        """
        if not corrections:
            return
        tx = self._tx
        tx.driver.lock_costs(tx, self._number)
        tx.driver.make_room(tx, cost_records.name, (one.timestamp_us for one in corrections))
        created_us = to_us(now)
        rows: list[CostRow] = [
            (
                one.timestamp_us,
                one.uid,
                created_us,
                one.cost_e10,
                self._next_version(one),
                one.price_number,
                STATUS_CODE[one.status],
                self._organization_id,
                one.currency or None,
                one.reason,
                one.run,
                compact({"step_prices": list(one.step_prices)}) if one.step_prices else None,
            )
            for one in sorted(corrections, key=lambda one: (one.timestamp_us, one.uid))
        ]
        tx.driver.insert_costs(tx, rows)

    def lock(self) -> None:
        """Let one transaction at a time supersede costs here; what is read from now on is the newest."""
        self._tx.driver.lock_costs(self._tx, self._number)

    def _next_version(self, correction: Correction) -> int:
        """One more than this transaction has seen of the record, so that nobody else's correction is passed over."""
        place = (correction.timestamp_us, correction.uid)
        versions = self._usage.versions
        if place not in versions and self._usage.get(*place) is None:
            raise NotFound(f"No usage record with id {usage_id(*place)!r}")
        versions[place] += 1
        return versions[place]

    def versions(self, timestamp_us: int, uid: int) -> list[CostVersion]:
        """All costs that a record has had, the first first; empty where there is no such record."""
        tx, mine = self._tx, self._organization_id
        first = select(u.cost_status, u.currency, u.cost_e10, u.price_id, u.received_at).where(
            u.organization_id == mine, u.timestamp == timestamp_us, u.uid == uid
        )
        later = (
            select(cost_records)
            .where(c.organization_id == mine, c.timestamp == timestamp_us, c.uid == uid)
            .order_by(c.version)
        )
        found = [
            CostVersion(0, STATUS_NAME[r.cost_status], r.currency, r.cost_e10, r.price_id, "as it came", from_us(r[4]))
            for r in tx.rows(first)
        ]
        return found + [
            CostVersion(
                r.version,
                STATUS_NAME[r.cost_status],
                r.currency,
                r.cost_e10,
                r.price_id,
                r.reason,
                from_us(r.created_at),
                r.run,
            )
            for r in (tx.rows(later) if found else ())
        ]

    def fold(self, contributions: Sequence[Contribution]) -> None:
        """Add to the rollups and to the budgets concerned (negative measures take away)."""
        sums.add(self._tx, contributions)

    def rebuild_rollups(self) -> None:
        """Throw the organisation's rollups away and sum them anew from records."""
        rebuild.rebuild(self._tx, self._organization_id, self._number)

    def rollup_differences(self) -> list[str]:
        """Where rollups and records disagree, in words; empty when all is well. Changes nothing."""
        return differences.found(self._tx, self._organization_id, self._number)
