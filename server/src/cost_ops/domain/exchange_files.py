"""Exchange rates from text: CSV in the wide form of the European Central Bank, or one rate a line; and from fields.

Wide: `Date,USD,JPY,…`, one line a day, all against one base (EUR). Long: columns `date`, `base`, `quote`, `rate`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.money import is_currency, parse_decimal

ECB_BASE = "EUR"
MAX_PROBLEMS = 50
MAX_RATE = Decimal(10) ** 12
_FIRST, _LAST = date(1970, 1, 2), date(2200, 1, 1)
_ISO = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_NAMED = re.compile(r"(\d{1,2}) ([A-Z][a-z]+) (\d{4})\Z", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNKNOWN = ("", "N/A")
_LONG = frozenset({"date", "base", "quote", "rate"})


def read_rates(lines: Iterable[str], source: str, base: str = ECB_BASE) -> list[ExchangeRate]:
    """The rates of a CSV file, by its header in either form. Raises InvalidInput naming the lines that are wrong."""
    rows = csv.reader(lines, skipinitialspace=True)
    problems: list[Problem] = []
    try:
        header = [name.strip().lstrip("\ufeff") for name in next(rows, [])]
        if {name.lower() for name in header} >= _LONG:
            found = list(_long(header, rows, source, problems))
        elif header and header[0].lower() == "date":
            found = list(_wide(header, rows, (base, source), problems))
        else:
            message = "the first line must be Date,USD,JPY,… (rates against one base) or date,base,quote,rate"
            raise InvalidInput([Problem("file", "unknown_form", message)])
    except csv.Error as error:
        raise InvalidInput([Problem("file", "invalid_csv", f"line {rows.line_num} is not CSV: {error}")]) from error
    problems.extend(_contradictions(found))
    if problems:
        raise InvalidInput(problems[:MAX_PROBLEMS])
    return found


def _wide(header: Sequence[str], rows: Any, about: tuple[str, str], problems: list[Problem]) -> Iterator[ExchangeRate]:
    base, source = about
    problems.extend(
        Problem("file", "unknown_currency", f"line 1: {code[:20]!r} is no currency code")
        for code in header[1:]
        if code and not is_currency(code)
    )
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        for code, cell in zip(header[1:], row[1:], strict=False):
            if code and cell.strip() not in _UNKNOWN:
                fields = {"date": row[0], "base": base, "quote": code, "rate": cell}
                yield from _one(fields, source, f"line {rows.line_num}", problems)


def _long(header: Sequence[str], rows: Any, source: str, problems: list[Problem]) -> Iterator[ExchangeRate]:
    names = [name.lower() for name in header]
    for row in rows:
        if any(cell.strip() for cell in row):
            fields = dict(zip(names, row, strict=False))
            yield from _one(fields, source, f"line {rows.line_num}", problems)


def rates_from_fields(items: Any, source: str, field: str = "rates") -> list[ExchangeRate]:
    """Rates from objects with `date`, `base`, `quote` and `rate`. Raises InvalidInput with every problem."""
    if not isinstance(items, list) or not items:
        raise InvalidInput([Problem(field, "invalid_type", f"{field} must be a list of at least one rate")])
    problems: list[Problem] = []
    found: list[ExchangeRate] = []
    for index, item in enumerate(items):
        where = f"{field}[{index}]"
        if isinstance(item, Mapping) and item.keys() == _LONG:
            found.extend(_one(item, source, where, problems))
        else:
            message = f"{where} must be an object of date, base, quote and rate"
            problems.append(Problem(where, "invalid_type", message))
    problems.extend(_contradictions(found))
    if problems:
        raise InvalidInput(problems[:MAX_PROBLEMS])
    return found


def _one(fields: Mapping[str, Any], source: str, where: str, problems: list[Problem]) -> Iterator[ExchangeRate]:
    """The rate that fields state, unless something is wrong with it."""
    texts = {name: fields.get(name) for name in _LONG}
    before = len(problems)
    day = parse_day(texts["date"]) if isinstance(texts["date"], str) else None
    if day is None:
        problems.append(Problem("date", "invalid_value", f"{where}: {str(texts['date'])[:40]!r} is no day"))
    base, quote = str(texts["base"]).strip(), str(texts["quote"]).strip()
    problems.extend(
        Problem(name, "unknown_currency", f"{where}: {name} {code[:20]!r} is no currency code such as USD")
        for name, code in (("base", base), ("quote", quote))
        if not is_currency(code)
    )
    if base == quote:
        problems.append(Problem("quote", "invalid_value", f"{where}: a rate is between two currencies"))
    rate = _rate(texts["rate"])
    if rate is None:
        problems.append(Problem("rate", "invalid_value", f"{where}: {str(texts['rate'])[:40]!r} is no positive rate"))
    if len(problems) == before and day is not None and rate is not None:
        yield ExchangeRate(base, quote, day, rate, source)


def _rate(value: Any) -> Decimal | None:
    try:
        rate = parse_decimal(value)
    except ValueError:
        return None
    return rate if 0 < rate <= MAX_RATE else None


def parse_day(text: str) -> date | None:
    """A calendar day, `2026-03-13` or `13 March 2026`; None where it is not one."""
    text = text.strip()
    named = _NAMED.match(text)
    try:
        if named is not None and named[2][:3] in _MONTHS:
            day = date(int(named[3]), _MONTHS.index(named[2][:3]) + 1, int(named[1]))
        elif _ISO.match(text):
            day = date.fromisoformat(text)
        else:
            return None
    except ValueError:
        return None
    return day if _FIRST <= day <= _LAST else None


def _contradictions(rates: Sequence[ExchangeRate]) -> Iterator[Problem]:
    """Two different rates of one pair on one day."""
    known: dict[tuple[str, str, date], Decimal] = {}
    for rate in rates:
        key = (rate.base, rate.quote, rate.day)
        if known.setdefault(key, rate.rate) != rate.rate:
            pair = f"{rate.base}/{rate.quote} on {rate.day}"
            yield Problem("rate", "contradiction", f"{pair} is both {known[key]} and {rate.rate}")
