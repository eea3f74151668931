"""Exchange rates by day; a rate is decimal text, so that it stays as it was stated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update

from cost_ops.domain.exchange import ExchangeRate, day_number
from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import EPOCH, to_us
from cost_ops.interfaces.terms import Imported
from cost_ops.storage.tables import exchange_rates
from cost_ops.storage.transaction import Transaction

_CHUNK = 5000
_c = exchange_rates.c


class StoredExchangeRates:
    """Exchange rates of the installation."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(self, rates: Sequence[ExchangeRate], now: datetime, *, replace: bool) -> Imported:
        """Store rates; a stored one that differs stands, unless it is to be replaced."""
        self._tx.begin_write()
        added = unchanged = replaced = 0
        kept: list[ExchangeRate] = []
        for chunk in _chunks(rates):
            stored = self._stored(chunk)
            new = [rate for key, rate in chunk.items() if key not in stored]
            if new:
                self._tx.write(insert(exchange_rates), [_values(rate, now) for rate in new])
            differing = [rate for key, rate in chunk.items() if key in stored and stored[key].rate != rate.rate]
            if replace:
                for rate in differing:
                    self._replace(rate, now)
                replaced += len(differing)
            else:
                kept.extend(stored[_key(rate)] for rate in differing)
            added += len(new)
            unchanged += len(chunk) - len(new) - len(differing)
        return Imported(added, unchanged, replaced, kept)

    def _stored(self, chunk: dict[_Key, ExchangeRate]) -> dict[_Key, ExchangeRate]:
        days = [day for _, _, day in chunk]
        near = and_(
            _c.day.between(min(days), max(days)),
            _c.base.in_({base for base, _, _ in chunk}),
            _c.quote.in_({quote for _, quote, _ in chunk}),
        )
        return {_key(rate): rate for rate in map(_rate, self._tx.rows(select(exchange_rates).where(near)))}

    def _replace(self, rate: ExchangeRate, now: datetime) -> None:
        base, quote, day = _key(rate)
        same = and_(_c.base == base, _c.quote == quote, _c.day == day)
        self._tx.write(update(exchange_rates).where(same).values(_values(rate, now)))

    def between(self, first: date, last: date, currencies: Collection[str]) -> list[ExchangeRate]:
        """The rates of these days that any of the currencies is part of."""
        concerned = or_(_c.base.in_(currencies), _c.quote.in_(currencies))
        wanted = select(exchange_rates).where(_c.day.between(day_number(first), day_number(last)), concerned)
        return [_rate(row) for row in self._tx.rows(wanted)]

    def page(
        self, *, base: str | None, quote: str | None, first: date | None, last: date | None, limit: int, offset: int
    ) -> tuple[list[ExchangeRate], int]:
        """Rates, newest first, and how many there are in all."""
        wanted: list[ColumnElement[bool]] = []
        wanted += [] if base is None else [_c.base == base]
        wanted += [] if quote is None else [_c.quote == quote]
        wanted += [] if first is None else [_c.day >= day_number(first)]
        wanted += [] if last is None else [_c.day <= day_number(last)]
        order = (_c.day.desc(), _c.base, _c.quote)
        rows = self._tx.rows(select(exchange_rates).where(*wanted).order_by(*order).limit(limit).offset(offset))
        total = self._tx.rows(select(func.count()).select_from(exchange_rates).where(*wanted))[0][0]
        return [_rate(row) for row in rows], total


_Key = tuple[str, str, int]
"""base, quote, day since 1970."""


def _key(rate: ExchangeRate) -> _Key:
    return rate.base, rate.quote, day_number(rate.day)


def _chunks(rates: Sequence[ExchangeRate]) -> Iterator[dict[_Key, ExchangeRate]]:
    """The rates in the order of their days, some thousands at a time, each once."""
    ordered = sorted(rates, key=lambda rate: rate.day)
    for start in range(0, len(ordered), _CHUNK):
        yield {_key(rate): rate for rate in ordered[start : start + _CHUNK]}


def _values(rate: ExchangeRate, now: datetime) -> dict[str, Any]:
    base, quote, day = _key(rate)
    return {
        "base": base,
        "quote": quote,
        "day": day,
        "rate": format_decimal(rate.rate),
        "source": rate.source,
        "created_at": to_us(now),
    }


def _rate(row: Any) -> ExchangeRate:
    day = EPOCH.date() + timedelta(days=row.day)
    return ExchangeRate(row.base, row.quote, day, Decimal(row.rate), row.source)
