"""Re-pricing runs on one thread of the process, one after the other.

A run that is cut off when the process ends stays where its last page left it and can be resumed: nothing else is kept
here. When the server stops in good order, the run at work is told to stop after its page, and says so.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.reprice_runs import RepriceRun
from cost_ops.interfaces.context import Context
from cost_ops.logs import logger
from cost_ops.services import repricing

_log = logger("cost_ops.repricing")


class Repricer:
    """Does runs in the order in which they were submitted."""

    def __init__(self) -> None:
        """The thread starts with the first run."""
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="reprice")
        self._stopping = threading.Event()

    def submit(self, ctx: Context, run: RepriceRun) -> None:
        """Have a run done for the caller it was begun by."""
        self._threads.submit(self._work, ctx, run)

    def close(self) -> None:
        """Let the run at work finish its page; it and those that wait are stopped, to be resumed."""
        self._stopping.set()
        self._threads.shutdown(wait=True)

    def _work(self, ctx: Context, run: RepriceRun) -> None:
        try:
            if self._stopping.is_set():
                repricing.stop(ctx, run)
                return
            done = repricing.work(ctx, run, lambda _: not self._stopping.is_set())
        except CostOpsError as error:
            _log.warning("a re-pricing run stopped", run=run.number, error=error.message)
        except Exception:  # noqa: BLE001 (the last place that can tell: nobody waits for this thread's result)
            _log.exception("a re-pricing run failed", run=run.number)
        else:
            _log.info("a re-pricing run ended", run=run.number, status=done.status.value, changed=done.tally.changed)
