"""One open transaction, and the caches that outlive it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.budget_index import BudgetIndex
from cost_ops.domain.budgets import Budget
from cost_ops.domain.rollups import Dimension, Series
from cost_ops.interfaces.recording import NewRecord

Key = TypeVar("Key")
Value = TypeVar("Value")

RollupRow = tuple[int, int, int, int, int, int, int, int, int]
"""cube set, bucket, dimension, series, then the five sums."""

SpendRow = tuple[int, int, int, str, int, int, int]
"""budget, period start in microseconds, UTC day, currency, organisation number, cost, requests."""

CostRow = tuple[int, int, int, int | None, int, int | None, int, str, str | None, str, int | None, str | None]
"""The values of a superseding cost, in the order of its table's columns; instants in microseconds, JSON as text."""

KeyRow = tuple[bytes, int, int, int, int]
"""key hash, timestamp_us, payload hash, organisation number, uid of the record (0: it is made from the hash)."""


class Kept(Generic[Key, Value]):
    """A bounded cache: when the newer half is full, what was not asked for since the last time is forgotten."""

    __slots__ = ("_half", "_new", "_old")

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` entries."""
        self._half = capacity // 2
        self._new: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """The value of a key that is still held."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Key, value: Value) -> None:
        """Hold a value."""
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}
        self._new[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._old, self._new = {}, {}


@dataclass(frozen=True, slots=True)
class Watch:
    """What of an organisation's usage is watched: its budgets, and the events of single records that someone wants."""

    budgets: BudgetIndex
    events: frozenset[str] = frozenset()


class Names:
    """Committed ids of a database: what it knows under which number."""

    def __init__(self) -> None:
        self.organizations: Kept[str, int] = Kept(20_000)
        self.cube_sets: Kept[tuple[str, int, str], int] = Kept(50_000)
        self.dimensions: Kept[tuple[str, Dimension], int] = Kept(100_000)
        self.series: Kept[Series, int] = Kept(20_000)
        self.series_by_id: Kept[int, Series] = Kept(20_000)
        self.values_by_id: Kept[int, str] = Kept(100_000)
        self.collations: tuple[str | None, ...] = ()
        self.budgets: Kept[str, tuple[int, list[Budget]]] = Kept(2_000)
        self.watches: dict[str, Watch] = {}
        self.watched = -1
        self.version = -1
        self.lock = Lock()

    def know_version(self, version: int, watched: int) -> None:
        """Forget the numbers of dimensions where names were taken out of the database since they were learnt, and what
        is watched where that was changed.
        """
        if watched != self.watched:
            with self.lock:
                self.watches = {}
                self.watched = watched
        if version != self.version:
            with self.lock:
                self.dimensions.clear()
                self.values_by_id.clear()
                self.version = version

    def forget(self) -> None:
        """Another database may be there now."""
        self.__init__()  # type: ignore[misc]


class Ids(Generic[Key]):
    """Ids as a transaction sees them: the committed ones, and new ones that are published at its end."""

    __slots__ = ("committed", "fresh")

    def __init__(self, committed: Kept[Key, int]) -> None:
        self.committed = committed
        self.fresh: dict[Key, int] = {}

    def get(self, key: Key) -> int | None:
        """The id of a key, if it is known here."""
        found = self.committed.get(key)
        return self.fresh.get(key) if found is None else found

    def publish(self) -> None:
        """Make the new ids known to all."""
        for key, number in self.fresh.items():
            self.committed.put(key, number)


@dataclass(frozen=True, slots=True)
class NameTable:
    """A table that gives numbers to names: its columns beside `id`, and their types on PostgreSQL."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]


class Driver(Protocol):
    """The hot statements of one engine, on the driver's own connection."""

    name: str

    def bind(self, tx: Transaction, organization_id: str, number: int) -> None:
        """Hold a transaction to the rows of one organisation, where the database can do that."""

    def begin_write(self, tx: Transaction) -> None:
        """Make sure that the transaction may write and sees what is committed."""

    def read_one_state(self, tx: Transaction) -> None:
        """Begin a reading transaction anew, in which all statements see the same state, however long they take."""

    def names_version(self, tx: Transaction) -> tuple[int, int]:
        """The versions of names and of what is watched; until this transaction ends, nobody changes either."""

    def lock_names(self, tx: Transaction) -> None:
        """Wait until nobody writes rollups, and let nobody do so until this transaction ends."""

    def lock_costs(self, tx: Transaction, organization: int) -> None:
        """Let one transaction at a time correct the costs of an organisation."""

    def lock_records(self, tx: Transaction) -> None:
        """Let nobody else touch records and rollups until this transaction ends."""

    def drop_before(self, tx: Transaction, end_us: int) -> list[str]:
        """Drop the partitions that lie wholly before an instant; their names."""

    def make_room(self, tx: Transaction, table: str, timestamps_us: Iterable[int]) -> None:
        """Have somewhere for rows of these instants to go, before any is stored."""

    def claims(self, tx: Transaction, hashes: Sequence[bytes]) -> list[KeyRow]:
        """The rows of stored keys."""

    def insert_keys(self, tx: Transaction, rows: Sequence[KeyRow]) -> int:
        """Store keys, given in order; how many were not there."""

    def insert_usage(self, tx: Transaction, records: Sequence[NewRecord]) -> None:
        """Store usage rows."""

    def insert_costs(self, tx: Transaction, rows: Sequence[CostRow]) -> None:
        """Store superseding costs, given in the order of their key."""

    def add_spends(self, tx: Transaction, rows: Sequence[SpendRow]) -> None:
        """Add to what is spent of budgets, rows given in order."""

    def add_rollups(self, tx: Transaction, rows: Sequence[RollupRow]) -> None:
        """Add sums to rollup rows, given in order."""

    def find_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of those keys that are stored."""

    def make_ids(
        self, tx: Transaction, lookup: NameTable, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], int]:
        """The ids of keys, given in order, stored where they were not."""


class Transaction:
    """A connection inside a transaction, with the ids it knows."""

    def __init__(self, connection: Connection, driver: Driver, names: Names) -> None:
        self.connection = connection
        self.driver = driver
        self.names = names
        self.raw: Any = connection.connection.driver_connection
        self.organizations = Ids(names.organizations)
        self.cube_sets = Ids(names.cube_sets)
        self.dimensions = Ids(names.dimensions)
        self.series = Ids(names.series)
        self.at_end: list[Callable[[], None]] = []
        self.before_commit: list[Callable[[], None]] = []
        self.after_commit: list[Callable[[], None]] = []
        self.audited: list[AuditEvent] = []
        self.bound: tuple[str, int] | None = None
        self.writing = False
        self.names_version: int | None = None
        self.watched: int | None = None

    @property
    def postgres(self) -> bool:
        """Whether this is PostgreSQL."""
        return self.driver.name == "postgresql"

    def rows(self, statement: Any, parameters: Any = None) -> Sequence[Any]:
        """All rows of a reading statement."""
        return self.connection.execute(statement, parameters).all()

    def write(self, statement: Any, parameters: Any = None) -> Any:
        """Run a writing statement."""
        self.begin_write()
        return self.connection.execute(statement, parameters)

    def begin_write(self) -> None:
        """Make sure that the transaction may write and sees what is committed."""
        if not self.writing:
            self.driver.begin_write(self)
            self.writing = True

    def check_names(self) -> None:
        """Know the names as they stand in the database, and keep them so until this transaction ends."""
        if self.names_version is None:
            self.begin_write()
            self.names_version, self.watched = self.driver.names_version(self)
            self.names.know_version(self.names_version, self.watched)

    def finish(self) -> None:
        """Write what was put off to the end of the transaction."""
        for work in self.before_commit:
            work()

    def release(self) -> None:
        """Give back what was held for the transaction, however it ended."""
        while self.at_end:
            self.at_end.pop()()

    def publish(self) -> None:
        """After the commit: let all know the new ids."""
        for ids in (self.organizations, self.cube_sets, self.series):
            ids.publish()
        with self.names.lock:
            if self.names_version == self.names.version:
                self.dimensions.publish()
        for known in self.after_commit:
            known()
