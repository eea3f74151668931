"""A progress bar on stderr, for work that takes more than a second, on a terminal only."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

DELAY_SECONDS = 1.0


class Progress:
    """Shows how far something is. Nothing is drawn before a second has passed, nor where stderr is no terminal."""

    def __init__(self, label: str, total: float | None = None, *, hidden: bool = False) -> None:
        """`total` is what 100 % is; None where it is not known."""
        self._label, self._total = label, total
        self._hidden = hidden or not sys.stderr.isatty()
        self._start = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        """Start the clock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave a clean line."""
        if self._bar is not None:
            self._bar.stop()

    def to(self, done: float) -> None:
        """Say how much is done."""
        if self._hidden:
            return
        if self._bar is None:
            if time.monotonic() - self._start < DELAY_SECONDS:
                return
            self._draw()
        self._bar.update(self._task, completed=done)

    def _draw(self) -> None:
        from rich import progress
        from rich.console import Console

        columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TaskProgressColumn())
        self._bar = progress.Progress(
            *columns, progress.TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self._task = self._bar.add_task(self._label, total=self._total)
        self._bar.start()
