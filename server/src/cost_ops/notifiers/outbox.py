"""Work that nobody waits for: one thread does it, in order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cost_ops.domain.errors import CostOpsError, Unavailable

MOST_WAITING = 1_000
_log = logging.getLogger("cost_ops.notifiers")


class Outbox:
    """A queue with an end. Its thread starts with the first work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._lock = threading.Lock()
        self._waiting = 0

    def post(self, work: Callable[[], None]) -> None:
        """Have something done soon; what goes wrong with it is logged. Raises Unavailable where too much waits."""
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise Unavailable("too many letters wait to be sent; try again later", retry_after=60)
            self._waiting += 1
        self._threads.submit(self._do, work)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except CostOpsError as error:
            _log.warning("a letter could not be sent: %s", error.message)
        except Exception:  # noqa: BLE001 (the last line: the thread goes on, the log has the cause)
            _log.exception("a letter could not be sent")
        finally:
            with self._lock:
                self._waiting -= 1

    def close(self) -> None:
        """Do what waits, then let go of the thread."""
        self._threads.shutdown(wait=True)
