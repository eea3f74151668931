"""Group commit of usage: keys, records and rollups of any number of organisations in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cost_ops.domain.identity import uid_of_key
from cost_ops.domain.prices import Price
from cost_ops.domain.rollups import Contribution
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.budgets import LeaseRepository
from cost_ops.interfaces.recording import Claim, Lost, NewRecord
from cost_ops.storage.sql import organizations, prices, sums, usage, watched_events
from cost_ops.storage.sql.budget_spends import watch_of
from cost_ops.storage.sql.leases import StoredLeases
from cost_ops.storage.transaction import Transaction


class StoredRecorder:
    """The recorder of either engine."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.leases: LeaseRepository = StoredLeases(tx)

    def price_version(self) -> int:
        """The version of the price book that is committed now."""
        return prices.book_version(self._tx)

    def unknown_organizations(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that the installation does not have."""
        return set(ids) - organizations.numbers_of(self._tx, ids).keys()

    def add_organizations(self, ids: Iterable[str], now: datetime) -> None:
        """Create organisations that do not exist yet, named after their id."""
        organizations.add(self._tx, {organization_id: organization_id for organization_id in ids}, now)

    def claims(self, hashes: Sequence[bytes]) -> dict[bytes, Claim]:
        """The stored claims among these key hashes."""
        found = self._tx.driver.claims(self._tx, hashes) if hashes else []
        ids = organizations.ids_of(self._tx, {row[3] for row in found})
        return {
            hashed: Claim(hashed, ids[number], payload, timestamp_us, uid or uid_of_key(hashed))
            for hashed, timestamp_us, payload, number, uid in found
        }

    def append(self, records: Sequence[NewRecord]) -> None:
        """Store records and claim their keys. Raises Lost where a key was claimed meanwhile."""
        tx = self._tx
        tx.driver.make_room(tx, "usage_records", (r.submission.timestamp_us for r in records))
        numbers = organizations.numbers_of(tx, {r.submission.organization_id for r in records})
        keys = [
            (r.key_hash, r.submission.timestamp_us, r.submission.payload_hash, numbers[r.submission.organization_id], 0)
            for r in records
            if r.key_hash is not None
        ]
        keys += [
            (r.response_hash, r.submission.timestamp_us, 0, numbers[r.submission.organization_id], r.uid)
            for r in records
            if r.response_hash is not None
        ]
        keys.sort()
        if keys and tx.driver.insert_keys(tx, keys) < len(keys):
            raise Lost
        tx.driver.insert_usage(tx, sorted(records, key=_place))
        tx.check_names()
        wanted = {one: watch.events for one, watch in watch_of(tx, set(numbers)).items() if watch.events}
        if wanted:
            watched_events.say_recorded(tx, records, wanted)

    def fold(self, contributions: Sequence[Contribution]) -> None:
        """Add to the rollups, and to the budgets that the records count for."""
        sums.add(self._tx, contributions)

    def default_price(self, price: Price, now: datetime) -> Price:
        """The stored price with the same owner, layer, provider and model id; stored now where there is none."""
        return prices.StoredPrices(self._tx, price.organization_id).get_or_add(price, now)

    def number_of(self, price: Price, now: datetime) -> int:
        """The number of a price that a book found; one under a contract is stored at its first use."""
        return prices.StoredPrices(self._tx, price.organization_id).number_of(price, now)

    def get(self, organization_id: str, refs: Sequence[tuple[int, int]]) -> list[UsageRecord]:
        """Stored records by (timestamp_us, uid), in any order."""
        return usage.get(self._tx, organization_id, refs)


def _place(record: NewRecord) -> tuple[str, int, int]:
    """Where a record belongs among all: rows that are near in the index are written near each other."""
    submission = record.submission
    return submission.organization_id, submission.timestamp_us, record.uid
