"""Group commit: what recording usage needs of a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from cost_ops.domain.prices import Price
from cost_ops.domain.rollups import Contribution
from cost_ops.domain.usage import UsageRecord, UsageSubmission
from cost_ops.interfaces.budgets import LeaseRepository


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

    leases: LeaseRepository

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

    def fold(self, contributions: Sequence[Contribution]) -> None:
        """Add to the rollups, and to the budgets that the records count for."""

    def default_price(self, price: Price, now: datetime) -> Price:
        """The stored price with the same owner, layer, provider and model id; stored now (and the book's version
        bumped) where there is none. `model_id` stands for its content.
        """

    def number_of(self, price: Price, now: datetime) -> int:
        """The number of a price that a book found; one under a contract is stored at its first use, once."""

    def get(self, organization_id: str, refs: Sequence[tuple[int, int]]) -> list[UsageRecord]:
        """Stored records by (timestamp_us, uid), in any order: the first answers of replays."""
