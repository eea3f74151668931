"""Counts of permits in the database, taken in short transactions whose commits are not waited for.

What a crash of the database may lose are the counts of its last moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import bindparam, case, select, update

from cost_ops.domain.limiting import Count, Taken, Window, current, take
from cost_ops.storage.access_tables import limit_windows
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.transaction import Transaction

c = limit_windows.c
_permits = bindparam("permits", type_=c.used.type)
_read = select(c.window_seconds, c.started, c.used).where(c.holder == bindparam("of")).order_by(c.window_seconds)
_lock = _read.with_for_update()
_one = update(limit_windows).where(c.holder == bindparam("of"), c.window_seconds == bindparam("seconds"))
_put = _one.values(started=bindparam("now_started"), used=bindparam("now_used"))
_less = _one.where(c.started == bindparam("since")).values(used=case((c.used > _permits, c.used - _permits), else_=0))


class StoredPermits:
    """Permits counted in the ledger's own database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Transaction]], engine: str) -> None:
        """Nothing is connected yet; the database closes what it opened."""
        self._transaction = transaction
        self._engine = engine

    def take(self, holder: str, windows: Sequence[Window], *, needed: int, ahead: int, at: int) -> Taken:
        """Take permits out of all windows at once."""
        with self._transaction() as tx:
            tx.begin_write()
            stored = self._locked(tx, holder, windows)
            taken = take(windows, stored, needed, ahead, at)
            rows = [
                {"of": holder, "seconds": window.seconds, "now_started": count.started, "now_used": count.used}
                for window, count in zip(windows, taken.counts, strict=True)
                if stored[window.seconds] != count
            ]
            if rows:
                tx.write(_put, rows)
        return taken

    def _locked(self, tx: Transaction, holder: str, windows: Sequence[Window]) -> dict[int, Count]:
        """The stored counts of a holder, which nobody else changes until the transaction ends."""
        found = _counts(tx, holder)
        missing = sorted(window.seconds for window in windows if window.seconds not in found)
        if missing:
            empty = [{"holder": holder, "window_seconds": seconds, "started": 0, "used": 0} for seconds in missing]
            tx.write(insert_or_ignore(tx, limit_windows), empty)
            found = _counts(tx, holder)
        return found

    def give_back(self, holder: str, starts: Sequence[tuple[int, int]], permits: int) -> None:
        """Put unused permits back where the stretch they were taken from still runs."""
        rows = [{"of": holder, "seconds": s, "since": started, "permits": permits} for s, started in sorted(starts)]
        with self._transaction() as tx:
            tx.write(_less, rows)

    def counts(self, holder: str, windows: Sequence[Window], at: int) -> tuple[Count, ...]:
        """How many permits each window has given out by now."""
        with self._transaction() as tx:
            stored = _by_seconds(tx.rows(_read, {"of": holder}))
        return tuple(current(window, stored.get(window.seconds), at) for window in windows)

    def check(self) -> str:
        """What it is, in words, once it was seen to work."""
        with self._transaction() as tx:
            tx.rows(select(c.holder).limit(1))
        return f"the database ({self._engine})"

    def close(self) -> None:
        """Nothing: the database is closed by who opened it."""


def _counts(tx: Transaction, holder: str) -> dict[int, Count]:
    return _by_seconds(tx.rows(_lock if tx.postgres else _read, {"of": holder}))


def _by_seconds(rows: Sequence[tuple[int, int, int]]) -> dict[int, Count]:
    return {seconds: Count(started, used) for seconds, started, used in rows}
