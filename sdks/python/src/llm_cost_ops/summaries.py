"""What this process has spent, as a table: for a terminal, and as HTML for a notebook."""

from __future__ import annotations

import atexit
import shutil
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Optional, TextIO

from llm_cost_ops.html_tables import between, row, table
from llm_cost_ops.sums import Spent, Sum
from llm_cost_ops.totals import flush_all, process_totals

FLUSH_SECONDS = 2.0
_WIDTH = 80
_HEADS = ("calls", "tokens in", "tokens out", "cost")
_UNKNOWN = "?"
_AT_EXIT: list[bool] = []


class Summary:
    """The sums at one moment: `print` it, or leave it at the end of a notebook's cell."""

    def __init__(self, spent: Spent, title: str = "LLM Cost Ops: what this process spent") -> None:
        self.spent = spent
        self._title = title

    def __str__(self) -> str:
        return text_table(self.spent, self._title)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.spent, self._title)


def summary(file: Optional[TextIO] = None) -> None:
    """Print what this process has spent so far. What was tracked is waited for, 2 seconds at most."""
    flush_all(FLUSH_SECONDS)
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    text = text_table(process_totals(), "LLM Cost Ops: what this process spent", width)
    print(text, file=file or sys.stdout)


def summary_at_exit() -> None:
    """Print it to standard error when the program ends, if anything was spent; asked for twice, it is printed once."""
    if not _AT_EXIT:
        atexit.register(_at_exit)
    _AT_EXIT[:] = [True]


def no_summary_at_exit() -> None:
    """Print nothing at the end."""
    if _AT_EXIT:
        _AT_EXIT.clear()
        atexit.unregister(_at_exit)


def _at_exit() -> None:
    flush_all(FLUSH_SECONDS)
    spent = process_totals()
    if spent.by_place or spent.waiting or spent.rejected:
        try:
            summary(sys.stderr)
        except (OSError, ValueError):  # standard error is closed: nobody reads it
            return


def text_table(spent: Spent, title: str, width: int = _WIDTH) -> str:
    """The table in plain text, `width` characters wide at most."""
    places = _decimals(spent)
    rows = [(f"{provider}/{model}", *_cells(one, places)) for (provider, model), one in spent.by_model.items()]
    if not rows:
        return "\n".join([title, "  no calls were answered for yet", *_notes(spent)])
    projects = [(f"  {name or 'no project'}", *_cells(one, places)) for name, one in spent.by_project.items()]
    more = projects if any(name is not None for name in spent.by_project) else []
    total = ("total", *_cells(spent.total, places))
    widths = [max(len(row[column]) for row in [*rows, *more, total, ("", *_HEADS)]) for column in range(1, 5)]
    first = max(12, min(max(len(row[0]) for row in [*rows, *more, ("by project",)]), width - sum(widths) - 2 * 4))

    def line(row: Sequence[str]) -> str:
        return _shortened(row[0], first).ljust(first) + "".join(
            f"  {cell.rjust(w)}" for cell, w in zip(row[1:], widths)
        )

    rule = "─" * (first + sum(widths) + 2 * 4)
    below = [rule, "by project", *map(line, more)] if more else []
    return "\n".join([title, line(("", *_HEADS)), rule, *map(line, rows), rule, line(total), *below, *_notes(spent)])


def _cells(one: Sum, places: Mapping[str, int]) -> tuple[str, str, str, str]:
    cost = cost_text(one.costs, one.unpriced, places)
    return f"{one.calls:,}", _count(one.input_tokens), _count(one.output_tokens), cost


def _count(number: Optional[int]) -> str:
    return _UNKNOWN if number is None else f"{number:,}"


def cost_text(costs: Mapping[str, Decimal], unpriced: int, places: Mapping[str, int]) -> str:
    """Amounts by currency; `?` stands for calls without a known price."""
    known = [f"{amount:,.{places[currency]}f} {currency}" for currency, amount in costs.items()]
    return " + ".join([*known, _UNKNOWN] if unpriced else known) or "0.00 USD"


def _decimals(spent: Spent) -> Mapping[str, int]:
    """How many decimals a currency's amounts have in a table: as many as the longest, so that sums can be checked."""
    longest: dict[str, int] = {}
    for one in (*spent.by_place.values(), spent.total):
        for currency, amount in one.costs.items():
            decimals = f"{amount:.10f}".rstrip("0").partition(".")[2]
            longest[currency] = max(longest.get(currency, 2), len(decimals))
    return longest


def _notes(spent: Spent) -> list[str]:
    notes = []
    if spent.total.unpriced:
        models = ", ".join(f"{p}/{m}" for (p, m), one in spent.by_model.items() if one.unpriced)
        notes.append(f"? {_calls(spent.total.unpriced)} without a known price, in no sum: {models}")
    if spent.total.input_tokens is None or spent.total.output_tokens is None:
        notes.append("? tokens that the ledger did not tell")
    if spent.waiting:
        notes.append(f"… {_calls(spent.waiting)} still waiting to be delivered, in no sum")
    if spent.rejected:
        notes.append(f"! {_calls(spent.rejected)} refused by the ledger, in no sum: see the log")
    return notes


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[: width - 1 - half]}…{text[len(text) - half :]}"


def html_table(spent: Spent, title: str) -> str:
    """The table as HTML."""
    places = _decimals(spent)
    rows = [row(f"{p}/{m}", _cells(one, places)) for (p, m), one in spent.by_model.items()]
    if len(spent.by_model) > 1:
        rows.append(row("total", _cells(spent.total, places), bold=True))
    if any(name is not None for name in spent.by_project):
        rows.append(between("by project", 1 + len(_HEADS)))
        rows += [row(name or "no project", _cells(one, places)) for name, one in spent.by_project.items()]
    return table(title, _HEADS, rows, _notes(spent))
