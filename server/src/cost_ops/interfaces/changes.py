"""What changes of the ledger need of a database: re-pricing runs, revisions, erasure, retention, audit events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.audit_chain import Head
from cost_ops.domain.reprice_runs import Reach, RepriceRequest, RepriceRun
from cost_ops.domain.revisions import Revision
from cost_ops.domain.usage import UsageRecord


class RepriceRunRepository(Protocol):
    """Re-pricing runs of the bound organisation."""

    def get(self, number: int) -> RepriceRun | None:
        """One run."""

    def newest(self, limit: int) -> list[RepriceRun]:
        """The newest runs first."""

    def running(self) -> list[RepriceRun]:
        """Those that are said to run."""

    def add(
        self, request: RepriceRequest, *, reach: Reach, holder: int, book: int, actor: str, now: datetime
    ) -> RepriceRun:
        """Store a run that begins."""

    def save(self, run: RepriceRun) -> None:
        """Keep a run's status, holder and progress."""


class RevisionRepository(Protocol):
    """Earlier forms of corrected records of the bound organisation. Only ever appended to, but for erasure."""

    def count(self, timestamp_us: int, uid: int) -> int:
        """How often a record was corrected."""

    def of(self, timestamp_us: int, uid: int) -> list[Revision]:
        """The earlier forms of a record, the first first."""

    def supersede(self, old: UsageRecord, new: UsageRecord, *, actor: str, reason: str, now: datetime) -> int:
        """Keep the old form and put the new one in its place, its first cost left as it was; how many there are now."""

    def days_of(self, user_id: str) -> list[int]:
        """The UTC days, counted since 1970, on which a person has usage."""

    def of_user(self, user_id: str, *, start_us: int, end_us: int, limit: int) -> list[UsageRecord]:
        """Records of a person in a range, oldest first."""

    def count_of_user(self, user_id: str, *, start_us: int, end_us: int) -> int:
        """How many records a person has in a range."""

    def count_earlier(self, user_id: str) -> int:
        """How many earlier forms of records name a person."""

    def erase(self, records: Sequence[UsageRecord], tags: Collection[str]) -> int:
        """Take what tells of a person out of records, tags of these keys too, and out of their earlier forms; how many
        of those there were.
        """

    def erase_earlier(self, user_id: str, tags: Collection[str]) -> int:
        """The same for earlier forms that name a person whose records do not any more; how many there were."""

    def forget(self, user_id: str, tags: Collection[str]) -> None:
        """Take a person's name out of the rollups, and values of these tags, where they sum up nothing by now."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention took away, or would: rows of each kind."""

    usage_records: int = 0
    cost_records: int = 0
    usage_revisions: int = 0
    partitions: tuple[str, ...] = ()


class MonthOf(NamedTuple):
    """A UTC month, counted since year 0, of an organisation, and how many records it has."""

    month: int
    organization_id: str
    records: int


class RetentionRepository(Protocol):
    """Removing what is old, of all organisations."""

    def months_before(self, month: int) -> list[MonthOf]:
        """The months before one that hold records, oldest first."""

    def remove_month(self, month: int) -> Removed:
        """Remove a month, and whatever is older: records, costs, earlier forms, and what the rollups hold of it."""

    def remove_keys(self, before_us: int) -> int:
        """Remove the idempotency keys of records before an instant; how many there were."""

    def forget_names(self) -> None:
        """Take out the names of users, projects and tags that nothing is summed for any more."""


class AuditPlace(NamedTuple):
    """Where a page of events ended."""

    sequence: int
    number: int


class AuditRepository(Protocol):
    """Audit events of the bound organisation; on `Installation.audit`, of all. Only ever appended to.

    Where a chain is named, a bound repository knows its own only.
    """

    def add(self, event: AuditEvent) -> None:
        """Store an event at the end of its chain, when the transaction commits."""

    def page(
        self,
        *,
        action: str | None = None,
        actor: str | None = None,
        resource: str | None = None,
        address: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        before: AuditPlace | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> tuple[list[AuditEvent], int]:
        """Events, newest first, those before a place, and how many there are in all."""

    def chains(self) -> list[str]:
        """The names of the chains that have events or a head."""

    def head(self, chain: str) -> Head | None:
        """The end of a chain as it is kept beside it."""

    def stream(self, chain: str, after: int = 0) -> Iterator[AuditEvent]:
        """The events of a chain beyond a sequence, in their order and in constant memory, as far as they can be read;
        from 0 on those without a rightful place come first.
        """
