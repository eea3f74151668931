"""The end of the process: what waits is sent, for a few seconds at most."""

from __future__ import annotations

import atexit
import sys
import time
from typing import Any

from llm_cost_ops.delivery.sender import Sender

_RUNNING: set[Sender] = set()


def end_with_process(sender: Sender) -> None:
    """End a sender when the process ends; in a child of `multiprocessing`, too, whose end runs nothing of atexit."""
    _RUNNING.difference_update([other for other in _RUNNING if not other.is_running])
    _RUNNING.add(sender)
    multiprocessing: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:
        multiprocessing.Finalize(None, _end_all, exitpriority=10)


def _end_all() -> None:
    """End all of them, in the time that one of them may take."""
    begun = time.monotonic()
    while _RUNNING:
        sender = _RUNNING.pop()
        sender.end(max(0.0, sender.store.settings.exit_seconds - (time.monotonic() - begun)))


def forget_all() -> None:
    """In a forked child: they are the parent's."""
    for sender in _RUNNING:
        sender.store.abandon()
    _RUNNING.clear()


atexit.register(_end_all)
