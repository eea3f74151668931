"""What both engines share: opening units of work, and knowing how they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from cost_ops.domain.errors import NotFound
from cost_ops.interfaces.storage import StorageStatus
from cost_ops.storage.failures import Explain, translated
from cost_ops.storage.ledger import StoredInstallation, StoredLedger
from cost_ops.storage.migrating import revision_of
from cost_ops.storage.recorder import StoredRecorder
from cost_ops.storage.revision import SCHEMA_HEAD
from cost_ops.storage.sql import organizations, rollups
from cost_ops.storage.transaction import Driver, Names, Transaction


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
    def _version(self, tx: Transaction) -> str:
        """The engine's version."""

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
            tx.publish()

    @contextmanager
    def ledger(self, organization_id: str) -> Iterator[StoredLedger]:
        """A transaction bound to one organisation. Raises NotFound where it does not exist."""
        with self.transaction() as tx:
            number = organizations.number_of(tx, organization_id)
            if number is None:
                raise NotFound(f"No organization {organization_id[:64]!r}")
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

    def status(self) -> StorageStatus:
        """Engine and schema. Raises Unavailable."""
        with self.transaction() as tx:
            return StorageStatus(self.driver.name, self._version(tx), revision_of(tx.connection), SCHEMA_HEAD)

    def statistics(self) -> Mapping[str, int]:
        """`<table>_bytes` with indexes (partitions added up), `total_bytes`, and `usage_records`, a count."""
        with self.transaction() as tx:
            return {"usage_records": rollups.record_count(tx), **self._sizes(tx)}
