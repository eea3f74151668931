"""Prices, aliases and the version of the price book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from cost_ops.domain.errors import NotFound
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price, terms_from_json
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.tables import model_aliases, price_book_version, prices
from cost_ops.storage.transaction import Transaction

_OWN_LAYERS = (Layer.ORGANIZATION, Layer.DEFAULT, Layer.CONTRACT)
_by_start = (prices.c.effective_from.is_not(None), prices.c.effective_from, prices.c.number)


class StoredPrices:
    """Prices that an organisation sees; without one, those that are no organisation's own."""

    def __init__(self, tx: Transaction, organization_id: str | None) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._numbers: dict[tuple[int | None, str], int] = {}

    def _visible(self) -> ColumnElement[bool]:
        shared = prices.c.organization_id.is_(None)
        if self._organization_id is None:
            return shared
        return or_(shared, prices.c.organization_id == self._organization_id)

    def _owner(self, layer: Layer) -> str | None:
        return self._organization_id if layer in _OWN_LAYERS else None

    def get(self, number: int) -> Price | None:
        """One visible price."""
        found = self._tx.rows(select(prices).where(self._visible(), prices.c.number == number))
        return _price(found[0]) if found else None

    def timeline(self, layer: Layer, provider: str, model_id: str) -> list[Price]:
        """All versions of a model's price in one layer (own layers: of the bound organisation), oldest first."""
        owner = self._owner(layer)
        mine = prices.c.organization_id.is_(None) if owner is None else prices.c.organization_id == owner
        rows = select(prices).where(
            mine, prices.c.layer == layer.value, prices.c.provider == provider, prices.c.model_id == model_id
        )
        return [_price(row) for row in self._tx.rows(rows.order_by(*_by_start))]

    def page(
        self,
        *,
        provider: str | None = None,
        model_id: str | None = None,
        layer: Layer | None = None,
        current_at: datetime | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> tuple[list[Price], int]:
        """Visible prices by provider, model and start, and how many there are in all."""
        wanted = [self._visible()]
        if provider is not None:
            wanted.append(prices.c.provider == provider)
        if model_id is not None:
            wanted.append(prices.c.model_id == model_id)
        if layer is not None:
            wanted.append(prices.c.layer == layer.value)
        else:
            wanted.append(prices.c.layer != Layer.CONTRACT.value)
        if current_at is not None:
            wanted.append(_valid_at(to_us(current_at)))
        order = (prices.c.provider, prices.c.model_id, *_by_start)
        rows = self._tx.rows(select(prices).where(*wanted).order_by(*order).limit(limit).offset(offset))
        total = self._tx.rows(select(func.count()).select_from(prices).where(*wanted))[0][0]
        return [_price(row) for row in rows], total

    def add(self, price: Price, now: datetime) -> Price:
        """Store a price; it comes back with its number. Raises Conflict where one begins at the same instant."""
        inserted = insert(prices).values(self._values(price, now)).returning(prices)
        return _price(self._tx.write(inserted).one())

    def add_many(self, added: Sequence[Price], now: datetime) -> None:
        """Store many prices at once, as a sync does."""
        if added:
            self._tx.write(insert(prices), [self._values(price, now) for price in added])

    def _values(self, price: Price, now: datetime) -> dict[str, Any]:
        return {
            "organization_id": self._owner(price.layer),
            "layer": price.layer.value,
            "provider": price.provider,
            "model_id": price.model_id,
            "currency": price.currency,
            "rates": price.terms_to_json(),
            "effective_from": None if price.effective_from is None else to_us(price.effective_from),
            "effective_to": None if price.effective_to is None else to_us(price.effective_to),
            "source": price.source,
            "created_at": to_us(price.created_at or now),
            "base_price_id": price.base_number,
            "confidence": price.confidence,
            "detail": dict(price.detail) if price.detail else None,
        }

    def get_or_add(self, price: Price, now: datetime) -> Price:
        """The first price with this layer, provider and model; this one, and a new version, where there is none."""
        stored = self.timeline(price.layer, price.provider, price.model_id)
        if not stored:
            if self._tx.write(insert_or_ignore(self._tx, prices).values(self._values(price, now))).rowcount:
                self.bump_version()
            stored = self.timeline(price.layer, price.provider, price.model_id)
        return stored[0]

    def number_of(self, price: Price, now: datetime) -> int:
        """The number of a price that a book found; one under a contract is stored, with a new version, at first use."""
        if price.number is not None:
            return price.number
        known = self._numbers.get((price.base_number, price.source))
        if known is None:
            known = self._numbers[price.base_number, price.source] = self._stored_number(price, now)
        return known

    def _stored_number(self, price: Price, now: datetime) -> int:
        same = (
            prices.c.organization_id == self._organization_id,
            prices.c.base_price_id == price.base_number,
            prices.c.source == price.source,
            prices.c.layer == Layer.CONTRACT.value,
        )
        stored = self._tx.rows(select(prices.c.number).where(*same))
        if not stored:
            self.bump_version()  # first: writers of prices wait for each other here and nowhere else
            self._tx.write(insert_or_ignore(self._tx, prices).values(self._values(price, now)))
            stored = self._tx.rows(select(prices.c.number).where(*same))
        return int(stored[0].number)

    def end(self, number: int, at: datetime) -> None:
        """Set the end of a price. Raises NotFound."""
        ended = update(prices).where(self._visible(), prices.c.number == number).values(effective_to=to_us(at))
        if self._tx.write(ended).rowcount == 0:
            raise NotFound(f"No price with id 'price-{number}'")

    def bump_version(self) -> int:
        """Make every book older than this transaction stale; the new version. Other writers of prices wait."""
        bumped = update(price_book_version).values(version=price_book_version.c.version + 1)
        return int(self._tx.write(bumped.returning(price_book_version.c.version)).scalar_one())


def _valid_at(instant_us: int) -> ColumnElement[bool]:
    begun = or_(prices.c.effective_from.is_(None), prices.c.effective_from <= instant_us)
    return and_(begun, or_(prices.c.effective_to.is_(None), prices.c.effective_to > instant_us))


def _price(row: Any) -> Price:
    rates, multipliers = terms_from_json(row.rates)
    return Price(
        row.provider,
        row.model_id,
        row.currency,
        rates,
        None if row.effective_from is None else from_us(row.effective_from),
        None if row.effective_to is None else from_us(row.effective_to),
        Layer(row.layer),
        row.organization_id,
        row.source,
        row.number,
        from_us(row.created_at),
        multipliers,
        row.base_price_id,
        row.confidence,
        row.detail,
    )


def all_of(tx: Transaction) -> list[Price]:
    """Every price of every layer and organisation."""
    return [_price(row) for row in tx.rows(select(prices).order_by(prices.c.number))]


def book_version(tx: Transaction) -> int:
    """The version of the price book."""
    return int(tx.raw.execute("SELECT version FROM price_book_version").fetchone()[0])


def aliases(tx: Transaction) -> list[Alias]:
    """The catalogue's other names of models."""
    a = model_aliases.c
    return [Alias(*row) for row in tx.rows(select(a.provider, a.kind, a.pattern, a.model_id).order_by(a.position))]


def replace_aliases(tx: Transaction, new: Sequence[Alias]) -> None:
    """Put new aliases in place of all old ones."""
    tx.write(delete(model_aliases))
    if new:
        tx.write(
            insert(model_aliases),
            [
                {
                    "position": position,
                    "provider": alias.provider,
                    "kind": alias.kind,
                    "pattern": alias.pattern,
                    "model_id": alias.model_id,
                }
                for position, alias in enumerate(new)
            ],
        )
