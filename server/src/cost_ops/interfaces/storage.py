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

from cost_ops.domain.access import ApiKey, Organization
from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rollups import Cube, Folded, Window
from cost_ops.domain.usage import UsageRecord, UsageSubmission


class Claim(NamedTuple):
    """A stored idempotency key: the fingerprint of the payload that came with it, and the record it led to."""

    key_hash: bytes
    organization_id: str
    payload_hash: int
    timestamp_us: int
    uid: int


class NewRecord(NamedTuple):
    """A priced submission, ready to be stored. `cost_e10`, `currency` and `price_number` are None where unpriced."""

    submission: UsageSubmission
    uid: int
    key_hash: bytes | None
    status: str
    currency: str | None
    cost_e10: int | None
    price_number: int | None
    response_hash: bytes | None = None
    """A second key that leads to the record: that of its provider's response id."""
    step_prices: Sequence[int | None] = ()
    """The price of each step, where a response had several."""


class Lost(Exception):
    """Another replica claimed a key between lookup and insert: roll back and do the batch again."""


class Recorder(Protocol):
    """Group commit: one transaction that stores usage of any number of organisations."""

    def price_version(self) -> int:
        """The version of the price book that is committed now."""

    def unknown_organizations(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that the installation does not have."""

    def add_organizations(self, ids: Iterable[str], now: datetime) -> None:
        """Create organisations that do not exist yet, named after their id."""

    def claims(self, hashes: Sequence[bytes]) -> dict[bytes, Claim]:
        """The stored claims among these key hashes."""

    def append(self, records: Sequence[NewRecord]) -> None:
        """Store records and claim their keys. Raises Lost where a key was claimed meanwhile."""

    def fold(self, sums: Folded) -> None:
        """Add to the rollups."""

    def default_price(self, price: Price, now: datetime) -> Price:
        """The stored price with the same owner, layer, provider and model id; stored now (and the book's version
        bumped) where there is none. `model_id` stands for its content.
        """

    def get(self, organization_id: str, refs: Sequence[tuple[int, int]]) -> list[UsageRecord]:
        """Stored records by (timestamp_us, uid), in any order: the first answers of replays."""


class Position(NamedTuple):
    """Where a keyset page ended: newest first, so the next page is what lies before."""

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

    def correct(self, corrections: Sequence[Correction], now: datetime) -> None:
        """Append superseding cost rows."""

    def fold(self, sums: Folded) -> None:
        """Add to the rollups (negative measures take away)."""

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

    def end(self, number: int, at: datetime) -> None:
        """Set the end of a price."""

    def bump_version(self) -> int:
        """Make every book older than this transaction stale; the new version."""


class ApiKeyRepository(Protocol):
    """API keys of the bound organisation; on `Installation.api_keys`, of all."""

    def get(self, key_id: str) -> ApiKey | None:
        """One key, revoked ones included."""

    def list(self) -> list[ApiKey]:
        """All keys, newest first."""

    def add(self, key: ApiKey) -> None:
        """Store a new key."""

    def update(self, key: ApiKey) -> None:
        """Replace name, permissions, expiry and revocation of a stored key."""


class Ledger(Protocol):
    """The unit of work of one organisation."""

    organization_id: str
    usage: UsageRepository
    costs: CostRepository
    prices: PriceRepository
    api_keys: ApiKeyRepository

    def project_ids(self) -> list[str]:
        """The projects seen so far."""


class Installation(Protocol):
    """The unit of work of the installation's owner."""

    prices: PriceRepository
    api_keys: ApiKeyRepository

    def organizations(self) -> list[Organization]:
        """All organisations by id."""

    def organization(self, organization_id: str) -> Organization | None:
        """One organisation."""

    def add_organization(self, organization: Organization) -> None:
        """Create an organisation; nothing happens where it exists."""

    def book_prices(self) -> list[Price]:
        """Every price of every layer and organisation."""

    def aliases(self) -> list[Alias]:
        """The catalogue's other names of models."""

    def replace_aliases(self, aliases: Sequence[Alias]) -> None:
        """Put new aliases in place of all old ones."""

    def price_version(self) -> int:
        """The version of the price book."""


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """What a health check wants to know."""

    engine: str
    version: str
    schema_revision: str | None
    schema_head: str

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

    def make_partitions(self, months_ahead: int, now: datetime) -> list[str]:
        """Create the monthly partitions up to `months_ahead` beyond `now`; their names. Empty on SQLite."""

    def statistics(self) -> Mapping[str, int]:
        """Sizes in bytes and row counts, for `doctor` and benchmarks."""

    def close(self) -> None:
        """Let go of all connections."""
