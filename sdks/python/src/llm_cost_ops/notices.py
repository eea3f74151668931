"""Warnings that do not flood a log: one of a kind a minute, with how often it happened."""

from __future__ import annotations

import logging
import threading
import time

SECONDS_BETWEEN = 60.0
_log = logging.getLogger("llm_cost_ops")


class Notices:
    """Warnings by their kinds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._silent_until: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def warn(self, kind: str, message: str, times: int = 1) -> None:
        """Log a warning, or count it where one of this kind was logged less than a minute ago. Raises nothing."""
        try:
            now = time.monotonic()
            with self._lock:
                if now < self._silent_until.get(kind, 0.0):
                    self._held_back[kind] = self._held_back.get(kind, 0) + times
                    return
                self._silent_until[kind] = now + SECONDS_BETWEEN
                earlier = self._held_back.pop(kind, 0)
            _log.warning("%s%s", message, f" (and {earlier} times since the last such warning)" if earlier else "")
        except Exception:  # noqa: BLE001, S110  (a log that cannot be written must not stop a call)
            pass

    def after_fork(self) -> None:
        """In a child, no lock that a thread of the parent holds."""
        self._lock = threading.RLock()


NOTICES = Notices()
