"""API keys, without their secrets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, insert, select, true, update

from cost_ops.domain.access import ApiKey
from cost_ops.domain.errors import NotFound
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.tables import api_keys
from cost_ops.storage.transaction import Transaction


class StoredApiKeys:
    """The keys of an organisation; of all where it is None."""

    def __init__(self, tx: Transaction, organization_id: str | None) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def _visible(self) -> ColumnElement[bool]:
        if self._organization_id is None:
            return true()
        return api_keys.c.organization_id == self._organization_id

    def get(self, key_id: str) -> ApiKey | None:
        """One key, revoked ones included."""
        found = self._tx.rows(select(api_keys).where(self._visible(), api_keys.c.key_id == key_id))
        return _key(found[0]) if found else None

    def list(self) -> list[ApiKey]:
        """All keys, newest first."""
        newest_first = select(api_keys).where(self._visible()).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
        return [_key(row) for row in self._tx.rows(newest_first)]

    def add(self, key: ApiKey) -> None:
        """Store a new key. Raises Conflict where its id exists."""
        if self._organization_id is not None and key.organization_id != self._organization_id:
            raise NotFound(f"No organization {key.organization_id!r} for this ledger")
        self._tx.write(insert(api_keys).values(_values(key)))

    def update(self, key: ApiKey) -> None:
        """Replace name, permissions, expiry and revocation of a stored key. Raises NotFound."""
        new = {name: _values(key)[name] for name in ("name", "permissions", "expires_at", "revoked_at")}
        done = self._tx.write(update(api_keys).where(self._visible(), api_keys.c.key_id == key.key_id).values(new))
        if done.rowcount == 0:
            raise NotFound(f"No API key {key.key_id!r}")


def _values(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "organization_id": key.organization_id,
        "kind": key.kind,
        "name": key.name,
        "permissions": sorted(key.permissions),
        "salt": key.salt,
        "secret_hash": key.secret_hash,
        "created_at": to_us(key.created_at),
        "expires_at": None if key.expires_at is None else to_us(key.expires_at),
        "revoked_at": None if key.revoked_at is None else to_us(key.revoked_at),
    }


def _key(row: Any) -> ApiKey:
    return ApiKey(
        row.key_id,
        row.organization_id,
        row.kind,
        row.name,
        frozenset(row.permissions),
        bytes(row.salt),
        bytes(row.secret_hash),
        from_us(row.created_at),
        None if row.expires_at is None else from_us(row.expires_at),
        None if row.revoked_at is None else from_us(row.revoked_at),
    )
