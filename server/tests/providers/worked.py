"""The worked amounts of `docs/explanation/worked-amounts.md`, read from the document so that the two cannot drift."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[3] / "docs" / "explanation" / "worked-amounts.md"
_SECTION = re.compile(r"^## `(?P<name>[\w-]+)`.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_TERM = re.compile(r"(?P<sign>[−+]?) ?`(?P<path>[^`]+)` (?P<number>[\d,]+)")
_TOTAL = re.compile(r"\*\*(?P<total>[\d.]+)\*\*")


class Term(NamedTuple):
    """A number of the payload, and whether it is added or taken away."""

    path: str
    number: int
    sign: int


class WorkedLine(NamedTuple):
    """A row: numbers of the payload → a meter's quantity × price / per = amount."""

    terms: tuple[Term, ...]
    meter: str
    quantity: Decimal
    price: Decimal
    per: int
    amount: Decimal


class Worked(NamedTuple):
    """A case worked out by hand."""

    name: str
    lines: tuple[WorkedLine, ...]
    total: Decimal


@cache
def worked_amounts() -> dict[str, Worked]:
    """Every case of the document by its name. Raises ValueError where a row does not have the form of one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = [_worked(section["name"], section[0]) for section in _SECTION.finditer(text)]
    return {worked.name: worked for worked in found}


def _worked(name: str, section: str) -> Worked:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if row.startswith("|")]
    *lines, total = rows[2:]
    stated = _TOTAL.fullmatch(total[-1])
    if stated is None:
        raise ValueError(f"the table of {name} ends without a total")
    return Worked(name, tuple(_line(cells) for cells in lines), Decimal(stated["total"]))


def _line(cells: list[str]) -> WorkedLine:
    payload, meter, quantity, price, per, amount = cells
    return WorkedLine(
        tuple(_terms(payload)), meter.strip("`"), _number(quantity), _number(price), int(_number(per)), _number(amount)
    )


def _terms(payload: str) -> Iterator[Term]:
    for term in _TERM.finditer(payload):
        yield Term(term["path"], int(_number(term["number"])), -1 if term["sign"] == "−" else 1)


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
