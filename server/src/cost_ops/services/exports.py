"""Exports: records or sums as CSV, JSON or JSON lines, written row by row in constant memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from cost_ops.domain.costs import Filter
from cost_ops.domain.exact_json import json_text
from cost_ops.domain.money import format_decimal
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.services import history, organizations

FORMATS = ("csv", "json", "jsonl")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


class TextFile(Protocol):
    """Something to write text to."""

    def write(self, text: str, /) -> Any:
        """Take some text."""


def records(
    ctx: Context,
    organization_id: str | None,
    *,
    start_us: int | None,
    end_us: int | None,
    filters: Sequence[Filter] = (),
) -> Iterator[UsageRecord]:
    """All records of a range, oldest first; where an owner names no organisation, one organisation after the other."""
    if organization_id is not None or not ctx.principal.owner:
        bound = organization_id or ctx.principal.organization_id or ""
        yield from history.stream(ctx, bound, start_us=start_us, end_us=end_us, filters=filters)
        return
    for organization in organizations.list_organizations(ctx):
        yield from history.stream(ctx, organization.organization_id, start_us=start_us, end_us=end_us, filters=filters)


def write(rows: Iterable[Row], form: str, file: TextFile, columns: Sequence[str] | None = None) -> int:
    """Write rows in a format, and say how many. CSV columns are `columns`, else those of the first row."""
    if form == "csv":
        return write_csv(rows, file, columns)
    return _write_json(rows, file) if form == "json" else _write_json_lines(rows, file)


def write_csv(rows: Iterable[Row], file: TextFile, columns: Sequence[str] | None = None) -> int:
    """Rows as CSV with a header line; the header stands there without rows too, where `columns` are given."""
    writer = csv.writer(file, lineterminator="\n")
    names = columns
    if names is not None:
        writer.writerow([csv_cell(name) for name in names])
    done = 0
    for row in rows:
        if names is None:
            names = list(row)
            writer.writerow([csv_cell(name) for name in names])
        writer.writerow([csv_cell(row.get(name)) for name in names])
        done += 1
    return done


def csv_cell(value: Any) -> Any:
    """A value as a cell: exact numbers, lists and objects as JSON, and no text that a spreadsheet would run."""
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, Mapping | list | tuple):
        return json_text(value) if value else ""
    if isinstance(value, str) and value.startswith(_DANGEROUS):
        return f"'{value}"
    return value


def _write_json(rows: Iterable[Row], file: TextFile) -> int:
    done = 0
    file.write("[")
    for row in rows:
        file.write(("\n" if done == 0 else ",\n") + json_text(row))
        done += 1
    file.write("\n]\n" if done else "]\n")
    return done


def _write_json_lines(rows: Iterable[Row], file: TextFile) -> int:
    done = 0
    for row in rows:
        file.write(json_text(row) + "\n")
        done += 1
    return done
