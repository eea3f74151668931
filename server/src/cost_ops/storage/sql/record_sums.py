"""Sums from records with their current costs: what rollups do not know, and the truth that they are checked against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, func, literal, select

from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.rollups import Measures, Window
from cost_ops.storage.rows import STATUS_NAME
from cost_ops.storage.sql.current import CURRENT_COST, CURRENT_CURRENCY, CURRENT_STATUS, WITH_LATEST, with_latest
from cost_ops.storage.sql.dialects import InOrder, value_table
from cost_ops.storage.sql.filters import conditions, dimension_column
from cost_ops.storage.tables import Instant, usage_records
from cost_ops.storage.transaction import Transaction

u = usage_records.c
_CHUNK = 5_000


def sums(
    tx: Transaction,
    organization_id: str,
    windows: Sequence[Window],
    dimensions: Sequence[str],
    filters: Sequence[Filter],
) -> Sequence[SummedRow]:
    """One row per slot, values of `dimensions`, currency and status."""
    found: dict[tuple[Any, ...], SummedRow] = {}
    for start in range(0, len(windows), _CHUNK):
        chunk = windows[start : start + _CHUNK]
        for slot, *values, currency, code, requests, sent, received, cached, cost in tx.rows(
            _summed(tx, organization_id, chunk, dimensions, filters)
        ):
            status = STATUS_NAME[code]
            named = tuple(status if name == "status" else value for name, value in zip(dimensions, values, strict=True))
            measures = Measures(requests, int(sent), int(received), int(cached), int(cost))
            row = SummedRow(slot, named, currency or "", status, measures)
            seen = found.setdefault(row[:4], row)
            if seen is not row:
                seen.measures.add(measures)
    return list(found.values())


def _summed(
    tx: Transaction,
    organization_id: str,
    windows: Sequence[Window],
    dimensions: Sequence[str],
    filters: Sequence[Filter],
) -> Select[Any]:
    slot, source, within = _windows(tx, windows)
    values = [dimension_column(tx, name).label(f"d{i}") for i, name in enumerate(dimensions)]
    by = [*values, CURRENT_CURRENCY.label("currency_"), CURRENT_STATUS.label("status_")]
    return (
        select(
            slot.label("slot_"),
            *by,
            func.count(),
            func.sum(u.input_tokens),
            func.sum(u.output_tokens),
            func.coalesce(func.sum(u.cached_tokens), 0),
            func.coalesce(func.sum(CURRENT_COST), 0),
        )
        .select_from(source)
        .where(u.organization_id == organization_id, *within, *conditions(tx, filters))
        .group_by("slot_", *by)
    )


def _windows(tx: Transaction, windows: Sequence[Window]) -> tuple[ColumnElement[int], Any, list[ColumnElement[bool]]]:
    """The slot of a record, what to read from, and what holds for records inside the windows."""
    if len(windows) == 1:
        start, end, slot = windows[0]
        return literal(slot), WITH_LATEST, [u.timestamp >= start, u.timestamp < end]
    w = value_table(tx, "w", {"starts": Instant(), "ends": Instant(), "slot": Integer()}, windows)
    inside = [u.timestamp >= w.c.starts, u.timestamp < w.c.ends]
    return w.c.slot, with_latest(InOrder(w, usage_records, and_(*inside))), []
