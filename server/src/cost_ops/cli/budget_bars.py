"""A table of budgets with bars: what is spent and held of each, its thresholds, and where it is heading.

Amounts are shortened to fit a terminal; the other forms of the answer have them in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cost_ops.domain.money import format_decimal

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
BAR = 16
"""Cells of a bar, where there is room."""

NARROWEST_BAR, NARROWEST_NAME, WIDEST_NAME = 8, 10, 32
HEADERS = ("budget", "used", "", "spent / limit", "left", "a day", "by the end")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STYLES = {"ok": "green", "warning": "yellow", "exceeded": "red", "not_in_force": "dim"}
_UNITS = ((10**9, 10**9, "G"), (10**6, 10**6, "M"), (10**4, 10**3, "k"))
"""From so much on, counted in so many, with this letter."""


def draw(found: Sequence[Document], width: int) -> Text:
    """The table, at most `width` wide: names are cut and bars are shortened for that."""
    from rich.text import Text

    rows = [_cells(one) for one in found]
    sizes = [max(len(row[i]) for row in (HEADERS, *rows)) for i in range(len(HEADERS))]
    numbers = sum(sizes[2:]) + 2 * (len(HEADERS) - 1)
    sizes[1] = max(NARROWEST_BAR, min(BAR, width - numbers - min(sizes[0], NARROWEST_NAME)))
    sizes[0] = min(sizes[0], WIDEST_NAME, max(NARROWEST_NAME, width - numbers - sizes[1]))
    drawn = Text(no_wrap=True, overflow="ignore")
    drawn.append(_line(HEADERS, sizes).rstrip() + "\n", style="bold")
    drawn.append("─" * (sizes[0] + sizes[1] + numbers) + "\n", style="dim")
    for row, one in zip(rows, found, strict=True):
        drawn.append(_fitted(row[0], sizes[0]) + "  ")
        drawn.append_text(bar(one, sizes[1]))
        drawn.append("  " + _line(row[2:], sizes[2:]).rstrip() + "\n")
    drawn.rstrip()
    return drawn


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    """Cells beside each other; all but the first of a whole line are set to the right, as numbers are."""
    whole = len(cells) == len(HEADERS)
    return "  ".join(
        f"{cell:<{size}}" if whole and place < 2 else f"{cell:>{size}}"
        for place, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    )


def _fitted(name: str, size: int) -> str:
    return name.ljust(size) if len(name) <= size else name[: size - 1] + "…"


def _cells(one: Document) -> tuple[str, ...]:
    name = "  " * int(one["depth"]) + str(one["name"])
    spent = f"{short(one['spent'])} / {short(one['limit'])} {one['currency']}"
    return name, "", f"{Decimal(one['percent_used']):.1f}%", spent, _left(one), _rate(one), _end(one)


def short(amount: Any) -> str:
    """An amount in a few characters: 0.0042, 12.50, 1,712, 48.3k, 2.1M.

    >>> [short(Decimal(text)) for text in ("0", "0.00421", "12.5", "1712.4", "48251", "-2100000")]
    ['0', '0.0042', '12.50', '1,712', '48.3k', '-2.1M']
    """
    if amount is None:
        return "–"
    number = Decimal(amount)
    size = abs(number)
    for least, unit, letter in _UNITS:
        if size >= least:
            return f"{number / unit:.1f}{letter}"
    if size >= 1000:
        return f"{number:,.0f}"
    if size >= 1 or not size:
        return f"{number:.2f}" if size else "0"
    return format_decimal(round(number, 4)) if size >= Decimal("0.0001") else f"{number:.1e}"


def _left(one: Document) -> str:
    days = Decimal(one["days_left"])
    if one["state"] == "not_in_force":
        return "not yet" if str(one["period_start"]) > str(one["as_of"]) else "paused"
    if days <= 0 and str(one["period_end"]) <= str(one["as_of"]):
        return "over"
    if days < 100:
        return f"{days:.1f} d"
    return f"{days:.0f} d" if days < 1000 else f"{days / 365:.0f} y"


def _rate(one: Document) -> str:
    return short(one["rate_per_day"])


def _end(one: Document) -> str:
    """The day on which the limit is reached, else what it comes to."""
    if one["state"] == "exceeded":
        return "exceeded"
    if one["projected_exceeded_at"]:
        return f"full {str(one['projected_exceeded_at'])[5:10]}"
    return short(one["projected_spend"])


def bar(one: Document, cells: int = BAR) -> Text:
    """What is spent (█) and held (▒) of the limit, and its thresholds (│); coloured by state."""
    from rich.text import Text

    limit, spent = Decimal(one["limit"]), max(Decimal(0), Decimal(one["spent"]))
    filled = _eighths(spent, limit, cells)
    held = _eighths(spent + Decimal(one["held"]), limit, cells)
    parts = [Decimal(each["threshold"]) for each in one["thresholds"]]
    marks = {min(cells - 1, int(part * cells)) for part in parts if part < 1}
    style = _STYLES[str(one["state"])]
    drawn = Text()
    for cell in range(cells):
        here = min(8, max(0, filled - cell * 8))
        if cell in marks:
            drawn.append("│", style=f"{style} reverse" if here == 8 else "bold")
        elif here == 8:
            drawn.append("█", style=style)
        elif here:
            drawn.append(_EIGHTHS[here], style=style)
        else:
            drawn.append("▒" if held >= cell * 8 + 4 else "·", style="cyan" if held >= cell * 8 + 4 else "dim")
    return drawn


def _eighths(part: Decimal, whole: Decimal, cells: int) -> int:
    """How many eighths of cells a part of the whole fills; something is never drawn as nothing."""
    if whole <= 0:
        return cells * 8 if part > 0 else 0
    return min(cells * 8, int(part * cells * 8 / whole) or (1 if part > 0 else 0))


def notes(found: Sequence[Document]) -> list[str]:
    """What is in none of the sums."""
    lines = []
    for one in found:
        if one["unpriced_requests"]:
            lines.append(f"{one['name']}: {one['unpriced_requests']:,} requests without a price are in no sum.")
        lines += [
            f"{one['name']}: {short(each['amount'])} {each['currency']} without an exchange rate are in no sum."
            for each in one["not_converted"]
        ]
    return lines
