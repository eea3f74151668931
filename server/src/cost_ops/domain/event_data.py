"""An event's data as it is kept in a database, exact on the way in and out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_ops.domain.money import format_decimal
from cost_ops.domain.periods import format_instant

_DECIMAL = "$decimal"


def stored_data(value: Any) -> Any:
    """An event's data as JSON of any database: a Decimal as `{"$decimal": "12.5"}`, an instant as RFC 3339 text."""
    if isinstance(value, str):
        return value.replace("\x00", "") if "\x00" in value else value
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return {_DECIMAL: format_decimal(value)}
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, dict | Mapping):
        return {str(key): stored_data(item) for key, item in value.items()}
    return [stored_data(item) for item in value] if isinstance(value, list | tuple) else value


def data_of(stored: Any) -> Any:
    """The data that `stored_data` made JSON of, its Decimals exact.

    >>> data_of(stored_data({"current_spend": Decimal("3750.25")}))
    {'current_spend': Decimal('3750.25')}
    """
    if stored.__class__ is dict:
        if len(stored) == 1 and _DECIMAL in stored:
            return Decimal(stored[_DECIMAL])
        return {key: data_of(item) for key, item in stored.items()}
    return [data_of(item) for item in stored] if stored.__class__ is list else stored
