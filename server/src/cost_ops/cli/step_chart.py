"""A step chart in text: exact values on the left, dates below, nothing wider than asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from cost_ops.domain.money import format_decimal

HEIGHT = 7
"""Lines between the lowest and the highest value, where there are fewer values than that."""

_DATE_WIDTH = 10
_MARGIN = 4
"""Columns before the first and after the last change, and between two changes at least."""


class Step(NamedTuple):
    """A value in `[start, end)`; None is the beginning of time, or no end; a value of None is a gap."""

    start: datetime | None
    end: datetime | None
    value: Decimal | None


def draw(steps: Sequence[Step], width: int) -> list[str]:
    """The lines of a chart of steps in order of time, at most `width` wide."""
    values = sorted({step.value for step in steps if step.value is not None})
    if not values:
        return []
    rows = _rows(values)
    height = max(rows.values()) + 1
    labels = {row: format_decimal(value) for value, row in rows.items()}
    margin = max(map(len, labels.values()))
    instants = sorted({at for step in steps for at in (step.start, step.end) if at is not None})
    columns = _columns(instants, width - margin - 3)
    canvas = [[" "] * (width - margin - 3) for _ in range(height)]
    _plot(canvas, steps, rows, columns)
    lines = [f"{labels.get(row, ''):>{margin}} ┤{''.join(canvas[row]).rstrip()}" for row in reversed(range(height))]
    return [*lines, *_axis(columns, margin, width - margin - 3)]


def _rows(values: Sequence[Decimal]) -> dict[Decimal, int]:
    """Each value's line from below, in proportion as far as every value can have one of its own."""
    height = max(HEIGHT, len(values)) if len(values) > 1 else 1
    span = values[-1] - values[0]
    rows: dict[Decimal, int] = {}
    for index, value in enumerate(values):
        wanted = int((value - values[0]) * (height - 1) / span) if span else 0
        least = rows[values[index - 1]] + 1 if index else 0
        most = height - (len(values) - index)
        rows[value] = min(max(wanted, least), most)
    return rows


def _columns(instants: Sequence[datetime], width: int) -> dict[datetime, int]:
    """Each change's column, in proportion to time as far as they can be told apart."""
    room = width - 2 * _MARGIN - 1
    gap = min(_MARGIN, room // max(1, len(instants)))
    columns: dict[datetime, int] = {}
    for index, at in enumerate(instants):
        share = (at - instants[0]) / (instants[-1] - instants[0]) if len(instants) > 1 else 0
        wanted = _MARGIN + int(share * room)
        least = columns[instants[index - 1]] + gap if index else _MARGIN
        most = _MARGIN + room - gap * (len(instants) - 1 - index)
        columns[at] = min(max(wanted, least), max(most, least), width - 1)
    return columns


def _plot(
    canvas: list[list[str]], steps: Sequence[Step], rows: dict[Decimal, int], columns: dict[datetime, int]
) -> None:
    last = len(canvas[0]) - 1
    before: tuple[int, datetime | None] | None = None
    for step in steps:
        if step.value is None:
            before = None
            continue
        row = rows[step.value]
        left = 0 if step.start is None else columns[step.start]
        right = last if step.end is None else columns[step.end]
        for column in range(left, right + 1):
            canvas[row][column] = "─"
        if step.end is None:
            canvas[row][last] = "→"
        if before is not None and before[1] == step.start and before[0] != row:
            _rise(canvas, left, before[0], row)
        before = (row, step.end)


def _rise(canvas: list[list[str]], column: int, old: int, new: int) -> None:
    """The vertical line from one value to the next."""
    up = new > old
    for row in range(min(old, new) + 1, max(old, new)):
        canvas[row][column] = "│"
    canvas[old][column] = "┘" if up else "┐"
    canvas[new][column] = "┌" if up else "└"


def _axis(columns: dict[datetime, int], margin: int, width: int) -> list[str]:
    """A line with a mark at every change, and dates below as far as they fit; the last one always does."""
    line, dates = ["─"] * width, [" "] * width
    taken = width
    for at, column in sorted(columns.items(), key=lambda item: -item[1]):
        line[column] = "┴"
        start = min(max(0, column - _DATE_WIDTH // 2), width - _DATE_WIDTH)
        if start + _DATE_WIDTH <= taken:
            dates[start : start + _DATE_WIDTH] = at.strftime("%Y-%m-%d")
            taken = start - 1
    return [f"{'':>{margin}} └{''.join(line)}", f"{'':>{margin}}  {''.join(dates)}".rstrip()]
