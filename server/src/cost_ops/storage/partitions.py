"""Monthly partitions on PostgreSQL: known from the catalogue, made where a month is not covered.

A partition that somebody else made is used as it is, whatever its name and its bounds; where it leaves part of a month
open, that part gets one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.sql import SQL, Identifier, Literal

from cost_ops.domain.periods import format_instant, from_us, to_us
from cost_ops.domain.rollups import month_start_us
from cost_ops.storage.transaction import Transaction

PARTITIONED = ("usage_records", "cost_records")
_ADVISORY_LOCK = 4_731_001
_BOUNDS = re.compile(r"FOR VALUES FROM \((?P<start>.+?)\) TO \((?P<end>.+?)\)\Z")
_BEGINNING, _END = -(2**63), 2**63

_PARTITIONS = """
SELECT pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass
"""
_NAMED_PARTITIONS = _PARTITIONS.replace("SELECT ", "SELECT c.relname, ", 1)


class Stretch(NamedTuple):
    """A half-open stretch of time in microseconds since 1970."""

    start_us: int
    end_us: int


def parse_bounds(text: str) -> Stretch:
    """The stretch in PostgreSQL's words for a partition's bounds; a default partition takes everything."""
    found = _BOUNDS.match(text)
    if found is None:
        return Stretch(_BEGINNING, _END)
    return Stretch(_bound(found["start"]), _bound(found["end"]))


def _bound(text: str) -> int:
    if text in ("MINVALUE", "'-infinity'"):
        return _BEGINNING
    if text in ("MAXVALUE", "'infinity'"):
        return _END
    return to_us(datetime.fromisoformat(text.strip("'")))


def gaps(wanted: Stretch, taken: Iterable[Stretch]) -> list[Stretch]:
    """What `taken` leaves open of `wanted`, in order."""
    found = []
    start = wanted.start_us
    for stretch in sorted(taken):
        if stretch.end_us <= start or stretch.start_us >= wanted.end_us:
            continue
        if stretch.start_us > start:
            found.append(Stretch(start, stretch.start_us))
        start = max(start, stretch.end_us)
    if start < wanted.end_us:
        found.append(Stretch(start, wanted.end_us))
    return found


class Partitions:
    """Which months have partitions, as far as this process knows."""

    def __init__(self) -> None:
        self._covered: dict[str, frozenset[int]] = {}

    def known(self, table: str, months: Iterable[int]) -> bool:
        """Whether all these months are known to be covered."""
        return self._covered.get(table, frozenset()).issuperset(months)

    def forget(self) -> None:
        """Look at the catalogue again next time: somebody has dropped a partition."""
        self._covered = {}

    def cover(self, tx: Transaction, table: str, months: Sequence[int]) -> list[str]:
        """Create what partitions the months need; the names of those created. Others wait meanwhile."""
        taken = self._taken(tx, table)
        created: list[str] = []
        if any(_open(month, taken) for month in months):
            tx.raw.execute(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            taken = self._taken(tx, table)
            for month in sorted(months):
                created += [_create(tx, table, month, gap) for gap in _open(month, taken)]
        known = self._covered.get(table, frozenset()).union(months)
        tx.after_commit.append(lambda: self._covered.__setitem__(table, known))
        return created

    def drop_before(self, tx: Transaction, table: str, end_us: int) -> list[str]:
        """Drop the partitions that lie wholly before an instant; their names."""
        found = tx.raw.execute(_NAMED_PARTITIONS, [table]).fetchall()
        names = sorted(name for name, bounds in found if parse_bounds(bounds).end_us <= end_us)
        for name in names:
            tx.raw.execute(SQL("DROP TABLE {}").format(Identifier(name)))
        tx.after_commit.append(self.forget)
        return names

    @staticmethod
    def _taken(tx: Transaction, table: str) -> list[Stretch]:
        return [parse_bounds(bounds) for (bounds,) in tx.raw.execute(_PARTITIONS, [table]).fetchall()]


def _open(month: int, taken: Iterable[Stretch]) -> list[Stretch]:
    return gaps(Stretch(month_start_us(month), month_start_us(month + 1)), taken)


def _create(tx: Transaction, table: str, month: int, stretch: Stretch) -> str:
    """A partition, made beside its table and then attached: that keeps neither readers nor writers waiting."""
    name = _free_name(tx, f"{table}_{month // 12:04d}_{month % 12 + 1:02d}")
    tx.raw.execute(
        SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)").format(
            Identifier(name), Identifier(table)
        )
    )
    start, end = (Literal(format_instant(from_us(bound))) for bound in stretch)
    tx.raw.execute(
        SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            Identifier(table), Identifier(name), start, end
        )
    )
    return name


def _free_name(tx: Transaction, name: str) -> str:
    """The name, or with a number where something else is called so."""
    candidate, number = name, 1
    while tx.raw.execute("SELECT to_regclass(%s)", [candidate]).fetchone()[0] is not None:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
