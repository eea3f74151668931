"""API keys: making, checking, changing, revoking. The secret is shown once and never stored."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cost_ops.domain.access import (
    ADMIN,
    KEY_FORM,
    PERMISSIONS,
    ApiKey,
    Organization,
    Principal,
    authorize,
    check_organization_id,
    check_permissions,
)
from cost_ops.domain.errors import NotFound, Unauthorized, invalid
from cost_ops.domain.text import text_fault
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import ApiKeyRepository

PBKDF2_ROUNDS = 10_000
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KINDS = ("live", "test", "admin")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A stored key and its secret: the only time the whole key is seen."""

    key: ApiKey
    secret: str


def derive(secret: str, salt: bytes) -> bytes:
    """PBKDF2-HMAC-SHA256 of a key's secret part, 10,000 rounds: 4 to 14 ms, so remember what was verified."""
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, PBKDF2_ROUNDS)


def create_key(
    ctx: Context,
    organization_id: str | None,
    *,
    name: str,
    kind: str = "live",
    permissions: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """A new key of an organisation (created where the owner names it first), or with kind `admin` of the installation.

    Without `permissions` the key has all of its organisation's. Raises InvalidInput, Forbidden.
    """
    authorize(ctx.principal, ADMIN)
    if kind not in _KINDS:
        raise invalid("kind", "invalid_value", f"kind must be one of {', '.join(_KINDS)}")
    if fault := text_fault(name):
        raise invalid("name", fault[0], f"name {fault[1]}")
    if kind == "admin":
        organization_id, granted = None, frozenset({ADMIN})
    else:
        if organization_id is None:
            raise invalid("organization_id", "missing_required_field", "organization_id is required")
        check_organization_id(organization_id)
        granted = frozenset(PERMISSIONS) if permissions is None else check_permissions(list(permissions))
    now = ctx.clock()
    key_id, secret = _random_text(ctx, 8).lower(), _random_text(ctx, 43)
    salt = ctx.random_bits(128).to_bytes(16, "big")
    key = ApiKey(key_id, organization_id, kind, name, granted, salt, derive(secret, salt), now, expires_at)
    with ctx.storage.installation() as installation:
        if organization_id is not None:
            installation.add_organization(Organization(organization_id, organization_id, now))
        installation.api_keys.add(key)
    return NewKey(key, f"sk_{kind}_{key_id}_{secret}")


def _random_text(ctx: Context, length: int) -> str:
    """Evenly random letters and digits; the bits beyond the length make the bias immeasurably small."""
    number = ctx.random_bits(length * 6 + 64)
    out = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        out.append(_ALPHABET[index])
    return "".join(out)


def authenticate(ctx: Context, presented: str) -> ApiKey:
    """The stored key of a presented one. Raises Unauthorized for every reason alike."""
    match = KEY_FORM.match(presented)
    if match is None:
        raise Unauthorized
    kind, key_id, secret = match.groups()
    with ctx.storage.installation() as installation:
        key = installation.api_keys.get(key_id)
    if key is None or key.kind != kind or not key.usable_at(ctx.clock()):
        derive(secret, b"no such key")  # the same work as for a known key, so that time tells nothing
        raise Unauthorized
    if not hmac.compare_digest(derive(secret, key.salt), key.secret_hash):
        raise Unauthorized
    return key


def list_keys(ctx: Context, organization_id: str | None) -> list[ApiKey]:
    """The keys of an organisation, or all of them where the owner names none."""
    bound = authorize(ctx.principal, ADMIN, organization_id)
    with ctx.storage.installation() as installation:
        keys = installation.api_keys.list()
    return [k for k in keys if bound is None or k.organization_id == bound]


def describe_key(ctx: Context, key_id: str) -> ApiKey:
    """One key by its id; `key_<id>` and the whole `sk_…` form are understood. Raises NotFound."""
    authorize(ctx.principal, ADMIN)
    with ctx.storage.installation() as installation:
        return _find(installation.api_keys, key_id)


def _find(keys: ApiKeyRepository, text: str) -> ApiKey:
    match = KEY_FORM.match(text)
    found = keys.get(match.group(2) if match else text.removeprefix("key_"))
    if found is None:
        raise NotFound(f"No API key {text[:20]!r}; `cost-ops auth list-keys` shows them")
    return found


def update_key(
    ctx: Context,
    key_id: str,
    *,
    add_permissions: Sequence[str] = (),
    remove_permissions: Sequence[str] = (),
    name: str | None = None,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Change a key's name, permissions or expiry. Raises NotFound, InvalidInput."""
    authorize(ctx.principal, ADMIN)
    added, removed = check_permissions(list(add_permissions)), check_permissions(list(remove_permissions))
    with ctx.storage.installation() as installation:
        old = _find(installation.api_keys, key_id)
        new = replace(
            old,
            permissions=(old.permissions | added) - removed,
            name=name or old.name,
            expires_at=expires_at or old.expires_at,
        )
        installation.api_keys.update(new)
    return new


def revoke_key(ctx: Context, key_id: str) -> ApiKey:
    """Turn a key off for good; again changes nothing. Raises NotFound."""
    authorize(ctx.principal, ADMIN)
    with ctx.storage.installation() as installation:
        old = _find(installation.api_keys, key_id)
        if old.revoked_at is not None:
            return old
        new = replace(old, revoked_at=ctx.clock())
        installation.api_keys.update(new)
    return new


def owner_of(organization_id: str | None) -> Principal:
    """The principal of someone who holds the database itself, bound to an organisation where one is named."""
    return Principal(organization_id, None, frozenset({ADMIN, *PERMISSIONS}))
