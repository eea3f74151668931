"""What both engines share: opening units of work, and knowing how they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from cost_ops.domain.errors import NotFound
from cost_ops.interfaces.limits import PermitStore
from cost_ops.interfaces.storage import Isolation, StorageStatus
from cost_ops.storage.failures import Explain, translated
from cost_ops.storage.ledger import StoredInstallation, StoredLedger
from cost_ops.storage.migrating import revision_of
from cost_ops.storage.recorder import StoredRecorder
from cost_ops.storage.revision import SCHEMA_HEAD
from cost_ops.storage.sql import organizations, rollups
from cost_ops.storage.sql.limits import StoredPermits
from cost_ops.storage.transaction import Driver, Names, Transaction

LIGHT_SECONDS = 5.0
"""How long a light transaction waits for a connection, a lock or an answer."""


class Database(ABC):
    """A database. Every unit of work is one transaction: committed at the end of its block, or not at all."""

    def __init__(self, driver: Driver, explain: Explain) -> None:
        self.driver = driver
        self.names = Names()
        self._explain = explain

    @abstractmethod
    def _connected(self, *, recording: bool) -> AbstractContextManager[Transaction]:
        """A transaction that is committed where the block ends well."""

    @abstractmethod
    def _light(self) -> AbstractContextManager[Transaction]:
        """The same beside all others, on a connection of its own: a crash may undo the newest of them."""

    @abstractmethod
    def _version(self, tx: Transaction) -> str:
        """The engine's version."""

    def _isolation(self, tx: Transaction) -> Isolation | None:  # noqa: ARG002
        """Whether the database keeps organisations apart. Raises Unavailable where it has to and does not."""
        return None

    @abstractmethod
    def _sizes(self, tx: Transaction) -> dict[str, int]:
        """Bytes of each table with its indexes, and in all."""

    @abstractmethod
    def make_partitions(self, months_ahead: int, now: datetime) -> list[str]:
        """Create the monthly partitions up to `months_ahead` beyond `now`; their names."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""

    @contextmanager
    def transaction(self, *, recording: bool = False) -> Iterator[Transaction]:
        """A transaction whose failures are told in our words; new ids are shared once it is committed."""
        with translated(self._explain):
            with self._connected(recording=recording) as tx:
                yield tx
                tx.finish()
            tx.publish()

    @contextmanager
    def ledger(self, organization_id: str) -> Iterator[StoredLedger]:
        """A transaction bound to one organisation. Raises NotFound where it does not exist."""
        with self.transaction() as tx:
            number = organizations.number_of(tx, organization_id)
            if number is None:
                raise NotFound(f"No organization {organization_id[:64]!r}")
            self.driver.bind(tx, organization_id, number)
            yield StoredLedger(tx, organization_id, number)

    @contextmanager
    def recorder(self) -> Iterator[StoredRecorder]:
        """A transaction that stores usage (on SQLite it takes the write lock at once)."""
        with self.transaction(recording=True) as tx:
            yield StoredRecorder(tx)

    @contextmanager
    def installation(self) -> Iterator[StoredInstallation]:
        """A transaction of the installation's owner."""
        with self.transaction() as tx:
            yield StoredInstallation(tx)

    def permit_store(self) -> PermitStore:
        """Where requests are counted against limits. It lives as long as the database is open."""
        return StoredPermits(self._light_transaction, self.driver.name)

    @contextmanager
    def _light_transaction(self) -> Iterator[Transaction]:
        with translated(self._explain), self._light() as tx:
            yield tx

    def status(self) -> StorageStatus:
        """Engine and schema. Raises Unavailable."""
        with self.transaction() as tx:
            revision = revision_of(tx.connection)
            isolation = self._isolation(tx) if revision == SCHEMA_HEAD else None
            return StorageStatus(self.driver.name, self._version(tx), revision, SCHEMA_HEAD, isolation)

    def statistics(self) -> Mapping[str, int]:
        """`<table>_bytes` with indexes (partitions added up), `total_bytes`, and `usage_records`, a count."""
        with self.transaction() as tx:
            return {"usage_records": rollups.record_count(tx), **self._sizes(tx)}
