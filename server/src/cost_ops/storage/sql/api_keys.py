"""API keys, without their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, true, update

from cost_ops.domain.access import ApiKey
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.sql.access_rows import instant, stored
from cost_ops.storage.tables import api_keys
from cost_ops.storage.transaction import Transaction

_CHANGEABLE = ("name", "permissions", "projects", "expires_at", "revoked_at", "replaced_by")


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
        """Replace name, permissions, projects, expiry, revocation and successor of a stored key.

        Raises NotFound, and Conflict where the key got another successor meanwhile.
        """
        k = api_keys.c
        new = {name: _values(key)[name] for name in _CHANGEABLE}
        mine = self._visible() & (k.key_id == key.key_id)
        if key.replaced_by is not None:
            mine &= k.replaced_by.is_(None) | (k.replaced_by == key.replaced_by)
        if self._tx.write(update(api_keys).where(mine).values(new)).rowcount == 0:
            if self.get(key.key_id) is not None:
                raise Conflict(f"The key key_{key.key_id} was rotated meanwhile; rotate the key that took its place")
            raise NotFound(f"No API key {key.key_id!r}")

    def used(self, last_used: Sequence[tuple[str, datetime]]) -> None:
        """Note when keys were last used; never moves an instant back."""
        k = api_keys.c
        for key_id, at in sorted(last_used):
            earlier = k.last_used_at.is_(None) | (k.last_used_at < to_us(at))
            mine = self._visible() & (k.key_id == key_id) & earlier
            self._tx.write(update(api_keys).where(mine).values(last_used_at=to_us(at)))


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
        "expires_at": stored(key.expires_at),
        "revoked_at": stored(key.revoked_at),
        "projects": list(key.projects) or None,
        "created_by": key.created_by,
        "replaced_by": key.replaced_by,
        "last_used_at": stored(key.last_used_at),
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
        instant(row.expires_at),
        instant(row.revoked_at),
        tuple(row.projects or ()),
        row.created_by,
        row.replaced_by,
        instant(row.last_used_at),
    )
