"""Secrets at rest: AES-256-GCM under data keys, which are themselves sealed under the installation's master key.

A sealed secret is a version byte, the data key's id, a nonce and the ciphertext; what it belongs to is authenticated
with it, so that it opens nowhere else. Without a master key ([notifications] secret_key) the data key lies beside what
it seals: that keeps secrets out of sight, not out of the hands of whoever has the whole database.
"""

from __future__ import annotations

import json
import secrets
import threading
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cost_ops.domain.errors import Unavailable, invalid
from cost_ops.interfaces.clock import Clock
from cost_ops.interfaces.notifications import DataKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from cost_ops.interfaces.storage import Storage

SETTING = "notifications.secret_key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"
_ID_BYTES = 8
_MASTER_CONTEXT = b"cost-ops data key "


class StoredKeyVault:
    """Seals and opens with data keys kept in the database; each is read once."""

    def __init__(self, storage: Storage, clock: Clock, secret_key: str = "") -> None:
        """`secret_key`: the base64 of 32 bytes, or nothing. Raises InvalidInput where it is something else."""
        self._storage = storage
        self._clock = clock
        self._master = master_key(secret_key)
        self._master_id = None if self._master is None else sha256(self._master).hexdigest()[:16]
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._current: str | None = None

    def seal(self, secret: Mapping[str, Any], context: str) -> bytes:
        """What is stored of a secret. `context` is what it belongs to. Raises Unavailable."""
        key_id, key = self._newest()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(secret, separators=(",", ":")).encode()
        head = _VERSION + bytes.fromhex(key_id)
        return head + nonce + _aes(key).encrypt(nonce, plain, head + context.encode())

    def open(self, sealed: bytes, context: str) -> dict[str, Any]:
        """The secret again. Raises Unavailable where the key for it is not at hand."""
        from cryptography.exceptions import InvalidTag

        head, rest = sealed[: 1 + _ID_BYTES], sealed[1 + _ID_BYTES :]
        key = self._key(head[1:].hex())
        try:
            plain = _aes(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + context.encode())
        except InvalidTag as error:
            raise Unavailable(f"a stored secret of {context} was changed or belongs elsewhere; set it anew") from error
        found: dict[str, Any] = json.loads(plain)
        return found

    def is_protected(self) -> bool:
        """Whether every data key there is lies sealed under a master key. Raises Unavailable where that is another."""
        with self._storage.installation() as installation:
            keys = installation.data_keys.all()
        for key in keys:
            self._unwrapped(key)
        return all(key.wrapped_by is not None for key in keys)

    def _newest(self) -> tuple[str, bytes]:
        """The key that new secrets are sealed with; made when there is none that this master key opens."""
        with self._lock:
            if self._current is None:
                self._current = self._find_or_make()
            return self._current, self._keys[self._current]

    def _find_or_make(self) -> str:
        now = self._clock()
        with self._storage.installation() as installation:
            installation.data_keys.lock()
            for stored in reversed(installation.data_keys.all()):
                if stored.retired_at is None and stored.wrapped_by in (None, self._master_id):
                    self._keys[stored.key_id] = key = self._unwrapped(stored)
                    if stored.wrapped_by != self._master_id:  # a master key was set since: from now on it is needed
                        installation.data_keys.rewrap(stored.key_id, self._wrapped(stored.key_id, key), self._master_id)
                    return stored.key_id
            key_id, key = secrets.token_hex(_ID_BYTES), secrets.token_bytes(_KEY_BYTES)
            installation.data_keys.add(DataKey(key_id, self._wrapped(key_id, key), self._master_id, now))
            self._keys[key_id] = key
            return key_id

    def _key(self, key_id: str) -> bytes:
        with self._lock:
            if key_id not in self._keys:
                with self._storage.installation() as installation:
                    stored = installation.data_keys.get(key_id)
                if stored is None:
                    raise Unavailable(f"the data key {key_id} is not in this database; set the channel's secret anew")
                self._keys[key_id] = self._unwrapped(stored)
            return self._keys[key_id]

    def _wrapped(self, key_id: str, key: bytes) -> bytes:
        if self._master is None:
            return key
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + _aes(self._master).encrypt(nonce, key, _MASTER_CONTEXT + key_id.encode())

    def _unwrapped(self, stored: DataKey) -> bytes:
        from cryptography.exceptions import InvalidTag

        if stored.wrapped_by is None:
            return stored.wrapped
        if self._master is None:
            raise Unavailable(f"{SETTING} is not set, and secrets of channels were sealed with one: set it again")
        try:
            nonce, sealed = stored.wrapped[:_NONCE_BYTES], stored.wrapped[_NONCE_BYTES:]
            return _aes(self._master).decrypt(nonce, sealed, _MASTER_CONTEXT + stored.key_id.encode())
        except InvalidTag as error:
            message = f"{SETTING} is not the one that secrets of channels were sealed with: set that one again"
            raise Unavailable(message) from error


def master_key(text: str) -> bytes | None:
    """The master key of a setting. Raises InvalidInput where it is not the base64 of 32 bytes."""
    if not text:
        return None
    try:
        key = b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise _no_key() from error
    if len(key) != _KEY_BYTES:
        raise _no_key()
    return key


def _no_key() -> Exception:
    message = f"{SETTING} must be the base64 of {_KEY_BYTES} bytes: openssl rand -base64 {_KEY_BYTES}"
    return invalid(SETTING, "invalid_value", message)


def _aes(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
