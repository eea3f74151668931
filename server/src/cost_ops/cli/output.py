"""How results are written: a table for people, JSON, YAML or CSV for programs. Amounts stay exact in all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import rich_click as click

from cost_ops.domain.exact_json import json_text, simple
from cost_ops.domain.money import format_decimal
from cost_ops.services.exports import write_csv

if TYPE_CHECKING:
    from rich.text import Text

Kind = Literal["text", "id", "count", "tokens", "money"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; counts and money are set to the right, with separators between thousands; ids stay whole."""

    header: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to show. A cell that is None is shown as a dash."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    title: str = ""


_LEAST_TEXT_WIDTH = 10
Part: TypeAlias = "Table | Text | str"
"""What a result is shown as: `Text` keeps its colours where the terminal has any."""

Row = Mapping[str, Any]


def count(header: str) -> Column:
    """A column of whole numbers."""
    return Column(header, "count")


def tokens(header: str) -> Column:
    """A column of large counts, shortened to three digits and a unit; other forms have them in full."""
    return Column(header, "tokens")


def money(header: str) -> Column:
    """A column of exact amounts, their decimal points under each other."""
    return Column(header, "money")


class Output:
    """Writes results to stdout in the chosen form, and notices to stderr."""

    def __init__(self, form: str, *, quiet: bool = False, no_color: bool = False) -> None:
        """`form` is table, json, csv or yaml."""
        self.form = form
        self.quiet = quiet
        self.no_color = no_color

    def show(self, document: Any, *parts: Part, rows: Iterable[Row] | None = None) -> None:
        """Write a result: `parts` as a table, `rows` (else the document) as CSV, the document as JSON or YAML."""
        if self.form == "table":
            self._print(parts)
        elif self.form == "csv":
            self._csv(rows if rows is not None else _as_rows(document))
        else:
            click.echo(
                json_text(document, indent=2) if self.form == "json" else yaml_text(document), nl=self.form == "json"
            )

    def notice(self, text: str) -> None:
        """Tell something beside the result; silent with --quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def _print(self, parts: Sequence[Part]) -> None:
        from rich.console import Console

        console = Console(
            file=sys.stdout, no_color=self.no_color or None, markup=False, highlight=False, emoji=False, soft_wrap=False
        )
        for part in parts:
            if not isinstance(part, Table):
                console.print(part, soft_wrap=True)
                continue
            if part.title:
                console.print(part.title, soft_wrap=True)
            console.print(_rich_table(part))

    def _csv(self, rows: Iterable[Row]) -> None:
        write_csv(rows, sys.stdout)


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    texts = [_column_texts(c.kind, [row[i] for row in table.rows]) for i, c in enumerate(table.columns)]
    for column, cells in zip(table.columns, texts, strict=True):
        right = column.kind not in ("text", "id")
        widest = max((len(text) for text in (column.header, *cells)), default=0)
        drawn.add_column(
            Text(column.header),
            justify="right" if right else "left",
            no_wrap=column.kind != "text",
            overflow="fold",
            min_width=min(widest, _LEAST_TEXT_WIDTH),
        )
    for row in zip(*texts, strict=True):
        drawn.add_row(*map(Text, row))
    return drawn


def _column_texts(kind: Kind, values: Sequence[Any]) -> list[str]:
    if kind == "money":
        places = max((_decimals(v) for v in values if isinstance(v, Decimal)), default=2)
        return [format_money(v, places) for v in values]
    if kind == "tokens":
        return ["–" if v is None else short_count(v) for v in values]
    if kind == "count":
        return ["–" if v is None else f"{v:,}" for v in values]
    return ["–" if v is None else str(v) for v in values]


def short_count(number: int) -> str:
    """A count for people: 9,999, then 12.3k, 41.9M, 1.25G."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * size or (number >= size > 1000):
            whole = Decimal(number) / size
            return f"{whole:.{2 if whole < 10 else 1 if whole < 100 else 0}f}{unit}"
    return f"{number:,}"


def _decimals(amount: Decimal) -> int:
    return max(2, len(format_decimal(amount).partition(".")[2]))


def format_money(amount: Decimal | None, places: int | None = None) -> str:
    """An amount for people: separators between thousands, at least two decimals, none of its digits lost."""
    if amount is None:
        return "–"
    return f"{amount:,.{_decimals(amount) if places is None else places}f}"


def yaml_text(value: Any) -> str:
    """YAML in which a Decimal is a plain number."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """With decimals as they are."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            """Write everything out: no anchors."""
            return True

    def represent_decimal(dumper: Any, number: Decimal) -> Any:
        text = format_decimal(number)
        return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)

    Dumper.add_representer(Decimal, represent_decimal)
    return str(yaml.dump(_plain(value), Dumper=Dumper, sort_keys=False, allow_unicode=True))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, str) else simple(value)


def _as_rows(document: Any) -> list[Row]:
    return document if isinstance(document, list) else [document]
