"""Who asks: credentials, checked once the slow way and then remembered under a keyed hash.

Deriving a key's hash costs milliseconds, so a verified credential is kept for long; what stands behind it (revocation,
expiry, permissions, policies) is read again every `auth.key_cache_secs`, ahead of time and beside the requests, so that
a revoked one stops soon. A credential that nobody has is refused after the time that a derivation takes, without one:
a flood of them costs its sender patience, and everybody else little.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import KEY_FORM, OWNER, Identified, Principal
from cost_ops.domain.errors import CostOpsError, Unauthorized
from cost_ops.domain.new_keys import derive
from cost_ops.logs import logger
from cost_ops.services import access, identifying, login

_T = TypeVar("_T")
_MAX_VERIFIED = 10_000
_MAX_REFUSED = 10_000
_MAX_TOKEN = 4_096
_VERIFYING_THREADS = 2
_NOTE_USE_SECONDS = 60.0
_log = logger("cost_ops.api")

Look = Callable[[], Identified]
"""Reads what stands behind a verified credential. Raises Unauthorized where it is good no more."""


@dataclass(slots=True)
class _Verified:
    identified: Identified
    look: Look
    read_at: float
    used_at: float
    reading: asyncio.Task[None] | None = None


class Authenticator:
    """The credentials that this process knows. Lives on one event loop."""

    def __init__(self, application: Application, metrics: Metrics, timer: Callable[[], float] = time.monotonic) -> None:
        """Credentials are remembered unless `cache.enable` is off."""
        settings = application.settings
        self._ctx = application.context(OWNER)
        self._tools = application.login_tools
        self._clock = application.clock
        self._timer = timer
        self._metrics = metrics
        self._seconds = settings.auth.key_cache_secs
        self._enabled = settings.cache.enable
        self._pepper = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._verifying: dict[bytes, asyncio.Task[_Verified]] = {}
        self._threads = ThreadPoolExecutor(_VERIFYING_THREADS, thread_name_prefix="credential")
        self._noted_at = timer()
        self._patience = 0.0
        self._noting: asyncio.Task[None] | None = None

    async def warm(self) -> None:
        """Learn how long a derivation takes here."""
        started = self._timer()
        await asyncio.get_running_loop().run_in_executor(self._threads, derive, "", b"")
        self._patience = self._timer() - started

    async def close(self) -> None:
        """Keep what is known of keys' use and let go of the threads."""
        await self._note_use()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def know(self, presented: str, principal: Principal) -> None:
        """Take a credential that is kept nowhere but here, for as long as this process lives."""
        known = _seen(partial(Identified, principal))
        known.read_at = math.inf  # nothing stands behind it that could change
        self._verified[self._digest(presented.encode())] = known

    def remembered(self, header: bytes | None) -> Principal | None:
        """The principal where the credential was verified and read a moment ago; None where it takes `authenticate`."""
        if header is None or header[:7].lower() != b"bearer ":
            return None
        known = self._verified.get(self._digest(header[7:]))
        return None if known is None else self._fresh(known)

    def _fresh(self, known: _Verified) -> Principal | None:
        now = self._timer()
        age = now - known.read_at
        if age >= self._seconds or not known.identified.usable_at(self._clock()):
            return None
        if age * 2 > self._seconds and known.reading is None:
            known.reading = _watched(self._read_again(known))
        known.used_at = now
        if now - self._noted_at > _NOTE_USE_SECONDS and self._noting is None:
            self._noting = _watched(self._note_use())
        self._metrics.key_remembered.inc()
        return known.identified.principal

    async def authenticate(self, presented: bytes) -> Principal:
        """The principal of a bearer credential: an API key or a token. Raises Unauthorized alike for every reason."""
        return await self._authenticated(presented, _verifier(self, presented))

    async def authenticate_cookie(self, value: bytes) -> Principal:
        """The principal of a session's cookie, which is no bearer credential. Raises Unauthorized, Unavailable."""
        return await self._authenticated(b"\0cookie " + value, partial(self._verify_cookie, value))

    async def _authenticated(self, presented: bytes, verify: Callable[[], _Verified]) -> Principal:
        digest = self._digest(presented)
        known = self._verified.get(digest)
        if known is not None:
            return self._fresh(known) or await self._refreshed(digest, known)
        if self._refused.get(digest, 0.0) > self._timer():
            self._metrics.key_refused.inc()
            raise Unauthorized
        task = self._verifying.get(digest)
        if task is None:
            task = self._verifying[digest] = _watched(self._verify(digest, verify))
        return (await asyncio.shield(task)).identified.principal

    def _digest(self, presented: bytes) -> bytes:
        return hashlib.blake2b(presented, key=self._pepper, digest_size=24).digest()

    async def _refreshed(self, digest: bytes, known: _Verified) -> Principal:
        """A verified credential that was read a while ago: it is read, nothing is derived. Requests share the read."""
        if known.reading is None:
            known.reading = _watched(self._read_again(known))
        await asyncio.shield(known.reading)
        if not known.identified.usable_at(self._clock()):
            self._verified.pop(digest, None)
            self._refuse(digest)
            raise Unauthorized
        known.used_at = self._timer()
        return known.identified.principal

    async def _read_again(self, known: _Verified) -> None:
        started = self._timer()
        try:
            found = await asyncio.to_thread(known.look)
        except Unauthorized:
            self._forget(known)
            raise
        finally:
            known.reading = None
        if found != known.identified:  # the same object is quicker to look up, for every request to come
            known.identified = found
        known.read_at = started
        self._metrics.key_refreshed.inc()

    def _forget(self, known: _Verified) -> None:
        for digest in [d for d, v in self._verified.items() if v is known]:
            del self._verified[digest]

    async def _verify(self, digest: bytes, verify: Callable[[], _Verified]) -> _Verified:
        started = self._timer()
        loop = asyncio.get_running_loop()
        try:
            known = await loop.run_in_executor(self._threads, verify)
        except Unauthorized:
            self._refuse(digest)
            await asyncio.sleep(max(0.0, self._patience - (self._timer() - started)))
            raise
        finally:
            self._verifying.pop(digest, None)
            self._metrics.key_derived.inc()
        known.read_at = known.used_at = started
        if self._enabled:
            self._verified[digest] = known
            if len(self._verified) > _MAX_VERIFIED:
                self._verified.popitem(last=False)
        return known

    def verify_key(self, presented: str) -> _Verified:
        """An API key, in a thread."""
        key = access.authenticate(self._ctx, presented)
        return _seen(partial(identifying.identify_key, self._ctx, key))

    def verify_token(self, token: str) -> _Verified:
        """An access token, in a thread."""
        return _seen(partial(login.identify_token, self._ctx, self._tools, token))

    def _verify_cookie(self, value: bytes) -> _Verified:
        return _seen(partial(login.identify_cookie, self._ctx, self._tools, value.decode("latin-1")))

    def _refuse(self, digest: bytes) -> None:
        self._metrics.key_refused.inc()
        if not self._enabled:
            return
        self._refused[digest] = self._timer() + self._seconds
        if len(self._refused) > _MAX_REFUSED:
            self._refused.popitem(last=False)

    async def _note_use(self) -> None:
        """Keep in the database when keys were used, a minute's at once: not worth a write for each request."""
        now, now_at = self._timer(), self._clock()
        used = self._used_since(self._noted_at, now, now_at)
        self._noted_at = now
        try:
            if used:
                await asyncio.to_thread(identifying.note_used, self._ctx, used)
        except CostOpsError as error:
            _log.warning("when keys were used is not kept", error=error.message)
        finally:
            self._noting = None

    def _used_since(self, since: float, now: float, now_at: datetime) -> list[tuple[str, datetime]]:
        found: dict[str, datetime] = {}
        for known in self._verified.values():
            key_id = known.identified.principal.key_id
            if key_id is not None and known.used_at >= since:
                found[key_id] = now_at - timedelta(seconds=now - known.used_at)
        return list(found.items())


def _seen(look: Look) -> _Verified:
    return _Verified(look(), look, 0.0, 0.0)


def _watched(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task whose failure is no news where nobody waits for it any more."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _verifier(authenticator: Authenticator, presented: bytes) -> Callable[[], _Verified]:
    """How a bearer credential is verified. Raises Unauthorized where it has the form of none."""
    if len(presented) > _MAX_TOKEN:
        raise Unauthorized
    try:
        text = presented.decode("ascii")
    except UnicodeDecodeError:
        raise Unauthorized from None
    if KEY_FORM.match(text) is not None:
        return partial(authenticator.verify_key, text)
    if text.count(".") == 2:
        return partial(authenticator.verify_token, text)
    raise Unauthorized
