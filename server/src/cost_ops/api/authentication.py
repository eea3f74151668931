"""Who asks: bearer keys, checked once the slow way and then remembered under a keyed hash.

Deriving a key's hash costs milliseconds, so a verified key is kept for long; its row (revocation, expiry, permissions)
is read again every `auth.key_cache_secs`, ahead of time and beside the requests, so that a revoked key stops soon.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import KEY_FORM, OWNER, ApiKey, Principal
from cost_ops.domain.errors import NotFound, Unauthorized
from cost_ops.services import access

_T = TypeVar("_T")
_MAX_VERIFIED = 10_000
_MAX_REFUSED = 10_000
_DERIVING_THREADS = 2


@dataclass(slots=True)
class _Verified:
    key: ApiKey
    principal: Principal
    read_at: float
    reading: asyncio.Task[None] | None = None


class Authenticator:
    """The keys that this process knows. Lives on one event loop."""

    def __init__(self, application: Application, metrics: Metrics, timer: Callable[[], float] = time.monotonic) -> None:
        """Keys are remembered unless `cache.enable` is off."""
        settings = application.settings
        self._ctx = application.context(OWNER)
        self._clock = application.clock
        self._timer = timer
        self._metrics = metrics
        self._seconds = float(settings.auth.key_cache_secs)
        self._enabled = settings.cache.enable
        self._pepper = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._deriving: dict[bytes, asyncio.Task[ApiKey]] = {}
        self._threads = ThreadPoolExecutor(_DERIVING_THREADS, thread_name_prefix="key")

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def remembered(self, header: bytes | None) -> Principal | None:
        """The principal where the key was verified and read a moment ago; None where it takes `authenticate`."""
        if header is None or header[:7].lower() != b"bearer ":
            return None
        known = self._verified.get(self._digest(header[7:]))
        if known is None:
            return None
        age = self._timer() - known.read_at
        if age >= self._seconds or not known.key.usable_at(self._clock()):
            return None
        if age * 2 > self._seconds and known.reading is None:
            known.reading = _watched(self._read_again(known))
        self._metrics.key_remembered.inc()
        return known.principal

    async def authenticate(self, header: bytes | None) -> Principal:
        """The principal of an Authorization header. Raises Unauthorized for every reason alike, Unavailable."""
        found = self.remembered(header)
        if found is not None:
            return found
        presented = _presented(header)
        digest = self._digest(presented.encode())
        known = self._verified.get(digest)
        if known is not None:
            return await self._refreshed(digest, known)
        if self._refused.get(digest, 0.0) > self._timer():
            self._metrics.key_refused.inc()
            raise Unauthorized
        return (await self._derived(digest, presented)).principal

    def _digest(self, presented: bytes) -> bytes:
        return hashlib.blake2b(presented, key=self._pepper, digest_size=24).digest()

    async def _refreshed(self, digest: bytes, known: _Verified) -> Principal:
        """A verified key whose row is old: the row is read, nothing is derived. Requests at once share the reading."""
        if known.reading is None:
            known.reading = _watched(self._read_again(known))
        await asyncio.shield(known.reading)
        if not known.key.usable_at(self._clock()):
            self._verified.pop(digest, None)
            self._refuse(digest)
            raise Unauthorized
        return known.principal

    async def _read_again(self, known: _Verified) -> None:
        started = self._timer()
        old = known.key
        try:
            new = await asyncio.to_thread(access.describe_key, self._ctx, old.key_id)
        except NotFound:
            new = None
        finally:
            known.reading = None
        if new is None or (new.salt, new.secret_hash, new.kind) != (old.salt, old.secret_hash, old.kind):
            self._forget(known)
            raise Unauthorized
        known.key, known.principal, known.read_at = new, new.principal, started
        self._metrics.key_refreshed.inc()

    def _forget(self, known: _Verified) -> None:
        for digest in [d for d, v in self._verified.items() if v is known]:
            del self._verified[digest]

    async def _derived(self, digest: bytes, presented: str) -> ApiKey:
        task = self._deriving.get(digest)
        if task is None:
            task = self._deriving[digest] = _watched(self._derive(digest, presented))
        return await asyncio.shield(task)

    async def _derive(self, digest: bytes, presented: str) -> ApiKey:
        started = self._timer()
        loop = asyncio.get_running_loop()
        try:
            key = await loop.run_in_executor(self._threads, access.authenticate, self._ctx, presented)
        except Unauthorized:
            self._refuse(digest)
            raise
        finally:
            self._deriving.pop(digest, None)
            self._metrics.key_derived.inc()
        if self._enabled:
            self._verified[digest] = _Verified(key, key.principal, started)
            if len(self._verified) > _MAX_VERIFIED:
                self._verified.popitem(last=False)
        return key

    def _refuse(self, digest: bytes) -> None:
        self._metrics.key_refused.inc()
        if not self._enabled:
            return
        self._refused[digest] = self._timer() + self._seconds
        if len(self._refused) > _MAX_REFUSED:
            self._refused.popitem(last=False)


def _watched(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task whose failure is no news where nobody waits for it any more."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _presented(header: bytes | None) -> str:
    """The key in an Authorization header. Raises Unauthorized where there is none or it has no key's form."""
    scheme, _, text = (header or b"").partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthorized
    try:
        presented = text.decode("ascii")
    except UnicodeDecodeError:
        raise Unauthorized from None
    if KEY_FORM.match(presented) is None:
        raise Unauthorized
    return presented
