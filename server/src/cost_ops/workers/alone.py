"""The runner in a process of its own: until a signal, or once."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from cost_ops.logs import logger
from cost_ops.workers.runner import Runner

TOLD_EVERY_SECONDS = 60.0
_log = logger("cost_ops.worker")


def serve(runner: Runner, *, once: bool = False) -> None:
    """Work until SIGTERM or SIGINT, then end what was begun; `once`: do what is due, and end. From the main thread."""
    asked = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        runner.ask_to_stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if once:
            runner.run_due()
            _log.info("nothing is due any more", **runner.stats.ended)
            return
        runner.start()
        while not asked.wait(TOLD_EVERY_SECONDS):
            _log.info("at work", **runner.stats.ended)
        runner.stop()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
