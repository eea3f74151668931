"""In a notebook: `%load_ext llm_cost_ops`, and every cell that made calls shows what they cost."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.instrumentation import instrument
from llm_cost_ops.instrumentation.active import tracker_of
from llm_cost_ops.summaries import FLUSH_SECONDS, Summary
from llm_cost_ops.sums import Spent
from llm_cost_ops.totals import flush_all, process_totals


class CellSummaries:
    """Shows after each cell what its calls cost."""

    def __init__(self) -> None:
        self._before = Spent()

    def begin(self, *_: Any) -> None:
        """A cell begins."""
        self._before = process_totals()

    def end(self, *_: Any) -> None:
        """A cell has ended. What it tracked is waited for, 2 seconds at most."""
        flush_all(FLUSH_SECONDS)
        now = process_totals()
        cell = now - self._before
        if cell.by_place or cell.rejected > 0 or now.waiting:
            from IPython.display import display

            so_far = " + ".join(f"{cost:f} {currency}" for currency, cost in now.total.costs.items())
            title = f"this cell (so far: {so_far})" if so_far and self._before.by_place else "this cell"
            display(Summary(cell, title))


_SHOWN: list[CellSummaries] = []


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext llm_cost_ops` calls: track what is installed, and show after each cell what it cost.

    Calls are tracked with the client that `instrument(client)` was given, else with that of the environment, if it
    describes one.
    """
    if _SHOWN:
        return
    if tracker_of() is None:
        with suppress(SettingsError):  # nothing says where the ledger is: `instrument(client)` will
            instrument()
    summaries = CellSummaries()
    shell.events.register("pre_run_cell", summaries.begin)
    shell.events.register("post_run_cell", summaries.end)
    _SHOWN.append(summaries)


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext llm_cost_ops` calls."""
    while _SHOWN:
        summaries = _SHOWN.pop()
        shell.events.unregister("pre_run_cell", summaries.begin)
        shell.events.unregister("post_run_cell", summaries.end)
