"""Filters on records, with the meaning of `Filter.matches`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, false, or_

from cost_ops.domain.costs import Filter
from cost_ops.storage.rows import STATUS_CODE, STATUS_NAME
from cost_ops.storage.sql.current import CURRENT_CURRENCY, CURRENT_STATUS
from cost_ops.storage.sql.dialects import tag_value, text_contains, text_starts_with
from cost_ops.storage.tables import usage_records
from cost_ops.storage.transaction import Transaction

u = usage_records.c
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "provider": u.provider,
    "model": u.model_id,
    "project": u.project_id,
    "user": u.user_id,
    "team": u.team_id,
    "api_key": u.api_key_id,
    "session": u.session_id,
    "status": CURRENT_STATUS,
    "currency": CURRENT_CURRENCY,
}


def dimension_column(tx: Transaction, name: str) -> ColumnElement[Any]:
    """The value of a dimension for a record; a status is its code."""
    if name.startswith("tag:"):
        return tag_value(tx, u.tags, name.removeprefix("tag:"))
    return _COLUMNS[name]


def conditions(tx: Transaction, filters: Sequence[Filter]) -> list[ColumnElement[bool]]:
    """What holds for records that pass all filters."""
    return [_condition(tx, wanted) for wanted in filters]


def _condition(tx: Transaction, wanted: Filter) -> ColumnElement[bool]:
    if wanted.dimension == "status":
        codes = [STATUS_CODE[name] for name in STATUS_NAME.values() if wanted.matches(name)]
        return CURRENT_STATUS.in_(codes)
    value = dimension_column(tx, wanted.dimension)
    if wanted.operator in ("eq", "in"):
        return value.in_(wanted.values)
    if wanted.operator in ("ne", "not_in"):
        return or_(value.is_(None), value.not_in(wanted.values))
    if not wanted.values:
        return false()
    if wanted.operator == "contains":
        return or_(*(text_contains(tx, value, part) for part in wanted.values))
    return or_(*(text_starts_with(value, start) for start in wanted.values))
