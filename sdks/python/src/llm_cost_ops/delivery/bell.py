"""Waking a thread from anywhere, also from a signal's handler that interrupts somebody who rings."""

from __future__ import annotations

import threading
from contextlib import suppress


class Bell:
    """One thread waits, all may ring. A bell that rang before somebody waits is heard, once."""

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Wake who waits. Takes no lock, so it cannot wait for one."""
        with suppress(RuntimeError):  # it rings already
            self._silent.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it rings, for so many seconds at most; whether it did."""
        return self._silent.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))
