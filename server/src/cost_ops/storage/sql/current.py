"""The current cost of a record: the latest of its corrections, or else the cost it came with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, literal_column, select

from cost_ops.storage.tables import cost_records, usage_records

u = usage_records.c
LATEST = cost_records.alias("latest")
_newer = cost_records.alias("newer")

_is_latest = and_(
    LATEST.c.organization_id == u.organization_id,
    LATEST.c.timestamp == u.timestamp,
    LATEST.c.uid == u.uid,
    ~exists().where(
        _newer.c.organization_id == LATEST.c.organization_id,
        _newer.c.timestamp == LATEST.c.timestamp,
        _newer.c.uid == LATEST.c.uid,
        _newer.c.version > LATEST.c.version,
    ),
)


def with_latest(usage: FromClause) -> FromClause:
    """Usage, or what is joined to it, beside its latest correction, where there is one."""
    return usage.outerjoin(LATEST, _is_latest)


WITH_LATEST = with_latest(usage_records)

_corrected = LATEST.c.version.is_not(None)
CURRENT_STATUS: ColumnElement[Any] = case((_corrected, LATEST.c.cost_status), else_=u.cost_status)
CURRENT_CURRENCY: ColumnElement[Any] = case((_corrected, LATEST.c.currency), else_=u.currency)
CURRENT_COST: ColumnElement[Any] = case((_corrected, LATEST.c.cost_e10), else_=u.cost_e10)

UNPRICED: ColumnElement[Any] = literal_column("5")
"""The code of the status `unpriced`, spelt out in a statement so that the partial indexes are used."""

_SELECTED = select(
    usage_records,
    LATEST.c.version,
    LATEST.c.cost_status.label("current_status"),
    LATEST.c.currency.label("current_currency"),
    LATEST.c.cost_e10.label("current_cost_e10"),
    LATEST.c.price_id.label("current_price_id"),
    LATEST.c.detail.label("current_detail"),
)


def selected(source: FromClause = WITH_LATEST) -> Select[Any]:
    """Whole records with their current cost, from that or what is joined to it; `rows.record_of` reads them."""
    return _SELECTED.select_from(source)
