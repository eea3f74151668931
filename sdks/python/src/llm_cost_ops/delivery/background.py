"""Delivery in the background: `put` writes a record down, and a thread sends it."""

from __future__ import annotations

import hashlib
import re
import threading
import weakref
from pathlib import Path
from typing import Callable, Optional
from urllib.parse import urlsplit

from llm_cost_ops._transport import Transport
from llm_cost_ops.delivery import exits
from llm_cost_ops.delivery.counters import Counters
from llm_cost_ops.delivery.locks import possible
from llm_cost_ops.delivery.posting import Poster
from llm_cost_ops.delivery.sender import Listener, Sender
from llm_cost_ops.delivery.settings import DeliverySettings, spool_root
from llm_cost_ops.delivery.store import Store
from llm_cost_ops.forking import tell_in_child
from llm_cost_ops.notices import NOTICES
from llm_cost_ops.settings import Settings


class BackgroundDelivery:
    """What a client gives its records to. The thread starts with the first record, also in a forked child."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        organization: Callable[[], Optional[str]],
        options: Optional[DeliverySettings] = None,
    ) -> None:
        """`organization` finds the key's own, where the settings name none; it raises CostOpsError."""
        self.options = options or DeliverySettings()
        self.listeners: list[Listener] = []
        """Called after each batch that the ledger answered, on the thread that sends."""
        self._transport = transport
        self._settings = settings
        self._organization = organization
        self._folder = _folder(settings, self.options)
        self._closed = False
        self._make()
        tell_in_child(self)

    def _make(self) -> None:
        counters = Counters()
        self._lock = threading.RLock()
        self._store = Store(self._folder, self.options, counters)
        poster = Poster(self._transport, self._settings, self._organization, counters)
        this = weakref.ref(self)  # a client that nobody has any more is not kept by its thread
        self._sender = Sender(self._store, poster, lambda: _listeners_of(this()))
        self._finalizer = weakref.finalize(self, self._sender.finish)
        self._finalizer.atexit = False
        self._started = False
        self._losses = 0

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        """Keep a record, and have it sent."""
        self._store.put(record, key, at_ns)
        if not self._started:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if not self._started and not self._closed:
                self._started = self._sender.start()
                exits.end_with_process(self._sender)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until what this process tracked is in the ledger, for `flush_seconds` unless told; whether it is.

        It is not where something was refused or dropped since the last time.
        """
        seconds = self.options.flush_seconds if timeout is None else timeout
        sender = self._sender
        sent = sender.flush(seconds) if sender.is_running else sender.drain(seconds)
        return sent and self._nothing_lost()

    def _nothing_lost(self) -> bool:
        counters = self._store.counters
        with self._lock:
            before, self._losses = self._losses, counters.rejected + counters.dropped + counters.damaged
            return self._losses == before

    def close(self, timeout: Optional[float] = None) -> None:
        """Flush for `exit_seconds` unless told, and end the thread. What is tracked later stays in the spool."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        sent = self._sender.end(self.options.exit_seconds if timeout is None else timeout)
        if not sent:
            where = "stay in the spool" if self._folder is not None else "are lost"
            NOTICES.warn("closed", f"{self._store.counters.waiting_records} tracked calls are not sent and {where}")

    def count(self, what: str) -> None:
        """Count what a tracker did: `mended` or `failed`."""
        counters = self._store.counters
        with self._store.lock:
            setattr(counters, what, getattr(counters, what) + 1)

    @property
    def counters(self) -> Counters:
        """What became of the records, as it is now."""
        return self._store.counters.copy()

    @property
    def folder(self) -> Optional[Path]:
        """Where records of this client's destination wait; None: in memory."""
        return self._folder

    def after_fork(self) -> None:
        """In a child: a spool, a thread and counts of its own."""
        self._store.abandon()
        exits.forget_all()
        self._finalizer.detach()
        self._make()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._settings.base_url}: {self._store.counters!r}>"


def _listeners_of(delivery: Optional[BackgroundDelivery]) -> list[Listener]:
    return [] if delivery is None else list(delivery.listeners)


def _folder(settings: Settings, options: DeliverySettings) -> Optional[Path]:
    """The folder of a destination: a server and an organisation of it, or a key where none is named."""
    if options.spool is False:
        return None
    if not possible():
        NOTICES.warn("disk", "files cannot be locked on this system: tracked calls wait in memory alone")
        return None
    key = hashlib.sha256(settings.api_key.encode()).hexdigest()
    whose = f"organization {settings.organization_id}" if settings.organization_id else f"key {key}"
    name = hashlib.sha256(f"{settings.base_url}\n{whose}".encode()).hexdigest()[:16]
    host = re.sub(r"[^a-zA-Z0-9.-]", "_", urlsplit(settings.base_url).netloc)[:60]
    return spool_root(options) / f"{host}-{name}"
