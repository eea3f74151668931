"""The keys that secrets are sealed with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, text, update

from cost_ops.domain.periods import from_us, to_us
from cost_ops.interfaces.notifications import DataKey
from cost_ops.storage.notification_tables import data_keys
from cost_ops.storage.sql.access_rows import instant, stored
from cost_ops.storage.transaction import Transaction

k = data_keys.c


class StoredDataKeys:
    """Data keys of the installation."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def lock(self) -> None:
        """Let nobody else add a key until this transaction ends."""
        self._tx.begin_write()
        if self._tx.postgres:
            self._tx.connection.execute(text("LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE"))

    def all(self) -> list[DataKey]:
        """All keys, the oldest first."""
        return [_key(row) for row in self._tx.rows(select(data_keys).order_by(k.created_at, k.key_id))]

    def get(self, key_id: str) -> DataKey | None:
        """One key."""
        found = self._tx.rows(select(data_keys).where(k.key_id == key_id))
        return _key(found[0]) if found else None

    def add(self, key: DataKey) -> None:
        """Store a key."""
        values = {
            "key_id": key.key_id,
            "wrapped": key.wrapped,
            "wrapped_by": key.wrapped_by,
            "created_at": to_us(key.created_at),
            "retired_at": stored(key.retired_at),
        }
        self._tx.write(insert(data_keys).values(values))

    def rewrap(self, key_id: str, wrapped: bytes, wrapped_by: str | None) -> None:
        """Put another sealed form in place of a key's."""
        self._tx.write(update(data_keys).where(k.key_id == key_id).values(wrapped=wrapped, wrapped_by=wrapped_by))


def _key(row: Any) -> DataKey:
    return DataKey(row.key_id, bytes(row.wrapped), row.wrapped_by, from_us(row.created_at), instant(row.retired_at))
