"""What services need of a database. One implementation per engine, one test suite for all.

Three ways in, each a context manager and one transaction: committed when the block ends, rolled back when it raises.

- `Storage.ledger(organization_id)`: the unit of work of one organisation. No method below it takes an organisation id,
  so none can forget it.
- `Storage.recorder()`: group commit of usage. Every row carries the organisation that its submission was bound to.
- `Storage.installation()`: what belongs to nobody in particular: organisations, keys by id, catalogue prices, the book.

Errors: `Unavailable` where the database cannot be reached or stays locked; `Conflict` where a unique row exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cost_ops.domain.access import Organization
from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.repricing import CostedUsage, NewCost
from cost_ops.domain.rollups import Contribution, Cube, Window
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces import notifications
from cost_ops.interfaces.alerts import AlertDirectory, AlertRepository
from cost_ops.interfaces.budgets import BudgetRepository, LeaseRepository
from cost_ops.interfaces.changes import AuditRepository, RepriceRunRepository, RetentionRepository, RevisionRepository
from cost_ops.interfaces.jobs import JobRepository
from cost_ops.interfaces.limits import PermitStore
from cost_ops.interfaces.login import AttemptRepository
from cost_ops.interfaces.people import ApiKeyRepository, CredentialRepository, PeopleRepository
from cost_ops.interfaces.price_reviews import PriceReviewRepository
from cost_ops.interfaces.recording import Recorder
from cost_ops.interfaces.terms import ContractRepository, ExchangeRateRepository


class Position(NamedTuple):
    """Where a keyset page ended: the next page is what lies before, or beyond where the oldest come first."""

    timestamp_us: int
    uid: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A cost that supersedes the current one of a record. The reason is kept for good."""

    timestamp_us: int
    uid: int
    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    reason: str
    run: int | None = None
    """The re-pricing run that made it."""
    step_prices: Sequence[int | None] = ()

    @classmethod
    def of(cls, usage: CostedUsage, new: NewCost, reason: str, run: int | None = None) -> Correction:
        """What puts a new cost in place of a record's current one."""
        status, currency, cost_e10, price_number, step_prices = new
        return cls(usage.timestamp_us, usage.uid, status, currency, cost_e10, price_number, reason, run, step_prices)


class UsageRepository(Protocol):
    """Stored usage of the bound organisation, each record with its current cost."""

    def get(self, timestamp_us: int, uid: int) -> UsageRecord | None:
        """One record."""

    def find_by_key(self, key_hash: bytes) -> UsageRecord | None:
        """The record that an idempotency key led to."""

    def page(
        self,
        *,
        start_us: int | None,
        end_us: int | None,
        filters: Sequence[Filter],
        limit: int,
        before: Position | None = None,
        offset: int = 0,
    ) -> list[UsageRecord]:
        """Records of a range, newest first by (timestamp, uid), at most `limit`."""

    def stream(self, *, start_us: int | None, end_us: int | None, filters: Sequence[Filter]) -> Iterator[UsageRecord]:
        """All records of a range, oldest first, in constant memory."""

    def unpriced_models(self) -> list[UnpricedModel]:
        """What has no known cost, by provider and model."""

    def unpriced(
        self, *, provider: str | None, model_id: str | None, after: Position | None, limit: int
    ) -> list[UsageRecord]:
        """Records whose current cost is unpriced, oldest first by (timestamp, uid), those beyond `after`."""

    def costed(
        self, *, start_us: int, end_us: int, filters: Sequence[Filter], after: Position | None, limit: int
    ) -> list[CostedUsage]:
        """Records of a range as costing them again needs them, oldest first, those beyond `after`.

        `filters` are on provider, model and project.
        """


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """Usage without a price: how often, since when, how much."""

    provider: str
    model_id: str
    requests: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class CostVersion:
    """One cost of a record: version 0 is the first, a later one supersedes it."""

    version: int
    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    reason: str
    created_at: datetime
    run: int | None = None


class CostRepository(Protocol):
    """Sums and corrections of the bound organisation's costs."""

    def versions(self, timestamp_us: int, uid: int) -> list[CostVersion]:
        """All costs that a record has had, the first first; empty where there is no such record."""

    def sum_cube(
        self, cube: Cube, windows: Sequence[Window], dimensions: Sequence[str], filters: Sequence[Filter]
    ) -> Iterable[SummedRow]:
        """Sums from rollups: one row per slot, values of `dimensions`, currency and status."""

    def sum_records(
        self, windows: Sequence[Window], dimensions: Sequence[str], filters: Sequence[Filter]
    ) -> Iterable[SummedRow]:
        """The same from records with their current costs; windows in microseconds."""

    def newest_us(self) -> int | None:
        """The timestamp of the newest usage; None where there is none."""

    def oldest_us(self) -> int | None:
        """The timestamp of the oldest usage; None where there is none."""

    def lock(self) -> None:
        """Let one transaction at a time supersede costs here; what is read from now on is the newest."""

    def supersede(
        self, changes: Sequence[tuple[CostedUsage, NewCost]], *, reason: str, now: datetime, run: int | None = None
    ) -> None:
        """Append a superseding cost row for each change, and move the rollups by the difference."""

    def correct(self, corrections: Sequence[Correction], now: datetime) -> None:
        """Append superseding cost rows."""

    def fold(self, contributions: Sequence[Contribution]) -> None:
        """Add to the rollups and to the budgets concerned (negative measures take away)."""

    def rebuild_rollups(self) -> None:
        """Throw the organisation's rollups away and sum them anew from records."""

    def rollup_differences(self) -> list[str]:
        """Where rollups and records disagree, in words; empty when all is well. Changes nothing."""


class PriceRepository(Protocol):
    """Prices that the bound organisation sees: its own, the installation's and the catalogue's.

    On `Installation.prices` the same, without any organisation's own.
    """

    def get(self, number: int) -> Price | None:
        """One visible price."""

    def timeline(self, layer: Layer, provider: str, model_id: str) -> list[Price]:
        """All versions of a model's price in one layer (own layers: of the bound organisation), oldest first."""

    def page(
        self,
        *,
        provider: str | None = None,
        model_id: str | None = None,
        layer: Layer | None = None,
        current_at: datetime | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> tuple[list[Price], int]:
        """Visible prices by provider, model and start, and how many there are in all."""

    def add(self, price: Price, now: datetime) -> Price:
        """Store a price; it comes back with its number. Own layers are stored for the bound organisation."""

    def add_many(self, prices: Sequence[Price], now: datetime) -> None:
        """Store many prices at once, as a sync does."""

    def number_of(self, price: Price, now: datetime) -> int:
        """The number of a price that a book found; one under a contract is stored at its first use, once."""

    def end(self, number: int, at: datetime) -> None:
        """Set the end of a price."""

    def bump_version(self) -> int:
        """Make every book older than this transaction stale; the new version."""


class Ledger(Protocol):
    """The unit of work of one organisation."""

    organization_id: str
    usage: UsageRepository
    costs: CostRepository
    prices: PriceRepository
    contracts: ContractRepository
    api_keys: ApiKeyRepository
    people: PeopleRepository
    reprice_runs: RepriceRunRepository
    revisions: RevisionRepository
    audit: AuditRepository
    budgets: BudgetRepository
    alerts: AlertRepository
    outbox: notifications.OutboxRepository
    channels: notifications.ChannelRepository
    deliveries: notifications.DeliveryRepository

    def project_ids(self) -> list[str]:
        """The projects seen so far."""


class Installation(Protocol):
    """The unit of work of the installation's owner."""

    prices: PriceRepository
    contracts: ContractRepository
    exchange_rates: ExchangeRateRepository
    api_keys: ApiKeyRepository
    credentials: CredentialRepository
    attempts: AttemptRepository
    audit: AuditRepository
    leases: LeaseRepository
    alerts: AlertDirectory
    outbox: notifications.OutboxQueue
    channels: notifications.ChannelDirectory
    deliveries: notifications.DeliveryQueue
    data_keys: notifications.DataKeyRepository
    jobs: JobRepository
    retention: RetentionRepository
    price_reviews: PriceReviewRepository

    def organizations(self) -> list[Organization]:
        """All organisations by id."""

    def organization(self, organization_id: str) -> Organization | None:
        """One organisation."""

    def add_organization(self, organization: Organization) -> None:
        """Create an organisation; nothing happens where it exists. Its quota is set by itself."""

    def rename_organization(self, organization_id: str, name: str) -> None:
        """Put a name in place of the old one."""

    def book_prices(self) -> list[Price]:
        """Every price of every layer and organisation."""

    def aliases(self) -> list[Alias]:
        """The catalogue's other names of models."""

    def replace_aliases(self, aliases: Sequence[Alias]) -> None:
        """Put new aliases in place of all old ones."""

    def price_version(self) -> int:
        """The version of the price book."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """Whether the database itself keeps organisations apart, beside the program: by a role that units of work take on.

    Without a role, `problem` says why not and `advice` what to do. `bypassing`: the connecting user is above all rules.
    """

    role: str | None
    problem: str = ""
    advice: str = ""
    bypassing: bool = False


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """What a health check wants to know."""

    engine: str
    version: str
    schema_revision: str | None
    schema_head: str
    isolation: Isolation | None = None
    """None where the database cannot do it, or was told not to."""

    @property
    def migrated(self) -> bool:
        """Whether the schema is the newest this program knows."""
        return self.schema_revision == self.schema_head


class Storage(Protocol):
    """A database."""

    recorders: int
    """How many threads may usefully record at once: one where there is one writer."""

    def ledger(self, organization_id: str) -> AbstractContextManager[Ledger]:
        """A transaction bound to one organisation. Raises NotFound where it does not exist."""

    def recorder(self) -> AbstractContextManager[Recorder]:
        """A transaction that stores usage (on SQLite it takes the write lock at once)."""

    def installation(self) -> AbstractContextManager[Installation]:
        """A transaction of the installation's owner."""

    def status(self) -> StorageStatus:
        """Engine and schema. Raises Unavailable."""

    def permit_store(self) -> PermitStore:
        """Where requests are counted against limits. It lives as long as the database is open."""

    def make_partitions(self, months_ahead: int, now: datetime) -> list[str]:
        """Create the monthly partitions up to `months_ahead` beyond `now`; their names. Empty on SQLite."""

    def statistics(self) -> Mapping[str, int]:
        """Sizes in bytes and row counts, for `doctor` and benchmarks."""

    def close(self) -> None:
        """Let go of all connections."""
