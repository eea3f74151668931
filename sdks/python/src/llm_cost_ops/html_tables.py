"""Tables in a notebook: HTML that takes its colours from the page around it, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = (
    "border-collapse:collapse;font:13px/1.5 system-ui,sans-serif;color:inherit;background:transparent;margin:.3em 0"
)
_CELL = "padding:.15em .8em;border:0;border-bottom:1px solid rgba(128,128,128,.3);background:transparent"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
_NAME = f"{_CELL};text-align:left"
_NOTE = "opacity:.8;font:12px/1.5 system-ui,sans-serif"


def table(title: str, heads: Sequence[str], rows: Sequence[str], notes: Sequence[str] = ()) -> str:
    """Rows, as `row` and `between` make them, below the names of their columns; notes below all."""
    named = "".join(f'<th style="{_NUMBER};opacity:.7;font-weight:500">{escape(head)}</th>' for head in heads)
    below = "".join(f'<div style="{_NOTE}">{escape(note)}</div>' for note in notes)
    return (
        f'<div class="llm-cost-ops"><table style="{_STYLE}"><thead><tr><th style="{_NAME};font-weight:600">'
        f"{escape(title)}</th>{named}</tr></thead><tbody>{''.join(rows)}</tbody></table>{below}</div>"
    )


def row(name: str, texts: Sequence[str], *, bold: bool = False) -> str:
    """A name, and the numbers that belong to it."""
    weight = ";font-weight:600" if bold else ""
    cells = "".join(f'<td style="{_NUMBER}{weight}">{escape(text)}</td>' for text in texts)
    return f'<tr><td style="{_NAME}{weight}">{escape(name)}</td>{cells}</tr>'


def between(text: str, columns: int) -> str:
    """A line that says what comes below it."""
    return f'<tr><td style="{_NAME};opacity:.7" colspan="{columns}">{escape(text)}</td></tr>'
