"""Attempts, counted from the first one on, beside the windows of request limits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cost_ops.domain.attempts import AttemptLimit
from cost_ops.domain.periods import to_us
from cost_ops.storage.access_tables import limit_windows
from cost_ops.storage.transaction import Transaction

w = limit_windows.c
_SECOND_US = 1_000_000


class StoredAttempts:
    """Each is one statement, so that of many at once exactly as many are let through as may."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def claim(self, holder: str, limit: AttemptLimit, now: datetime) -> int:
        """Count an attempt; 0 where it may be made, otherwise the seconds until the next (it is not counted then)."""
        second = to_us(now) // _SECOND_US
        mine, over = _mine(holder, limit), w.started <= second - limit.seconds
        insert = postgresql.insert(limit_windows) if self._tx.postgres else sqlite.insert(limit_windows)
        first = {"holder": _name(holder, limit), "window_seconds": limit.seconds, "started": second, "used": 1}
        counted = insert.values(first).on_conflict_do_update(
            index_elements=[w.holder, w.window_seconds],
            set_={"started": case((over, second), else_=w.started), "used": case((over, 1), else_=w.used + 1)},
            where=over | (w.used < limit.most),
        )
        found = self._tx.write(counted.returning(w.used)).all()
        if not found:
            started = self._tx.rows(select(w.started).where(mine))[0][0]
            return max(1, int(started) + limit.seconds - second)
        if found[0].used == 1:
            self._forget_old(limit, second)
        return 0

    def give_back(self, holder: str, limit: AttemptLimit) -> None:
        """Do not count one attempt."""
        self._tx.write(update(limit_windows).where(_mine(holder, limit), w.used > 0).values(used=w.used - 1))

    def clear(self, holder: str, limit: AttemptLimit) -> None:
        """Count from nothing again."""
        self._tx.write(delete(limit_windows).where(_mine(holder, limit)))

    def _forget_old(self, limit: AttemptLimit, second: int) -> None:
        """Whoever was counted long ago is counted no more. Rows that somebody else holds are left to them."""
        old = (w.window_seconds == limit.seconds) & w.holder.startswith(f"{limit.kind}:", autoescape=True)
        gone = select(w.holder).where(old, w.started <= second - 2 * limit.seconds).limit(100)
        if self._tx.postgres:
            gone = gone.with_for_update(skip_locked=True)
        self._tx.write(delete(limit_windows).where(old, w.holder.in_(gone.scalar_subquery())))


def _name(holder: str, limit: AttemptLimit) -> str:
    return f"{limit.kind}:{holder}"


def _mine(holder: str, limit: AttemptLimit) -> ColumnElement[bool]:
    return (w.holder == _name(holder, limit)) & (w.window_seconds == limit.seconds)
