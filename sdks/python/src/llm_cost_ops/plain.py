"""Fields as JSON can hold them: what it has no form for becomes text, what has no text is named by its type."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from enum import Enum
from typing import Any

_DEEPEST = 16
_MOST_CHARACTERS = 20_000
_MOST_ITEMS = 2_000
_LARGEST = 10**400


def as_text(value: object) -> Any:
    """One value that JSON has no form for."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    with suppress(Exception):  # whole numbers of other packages, such as numpy's
        return operator.index(value)  # type: ignore[arg-type]
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (it is the application's object, and may do anything)
        return f"<{type(value).__name__}>"


def plain(value: Any, depth: int = 0) -> Any:
    """Any value without circles, numbers that are none, broken unicode, keys that are no texts, and endless texts."""
    if value is None or isinstance(value, (bool, int, float)):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _container(value, depth)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{type(value).__name__}>"
    told = as_text(value)
    return _text(told) if isinstance(told, str) else plain(told, depth + 1)


def _number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or abs(value) <= _LARGEST else "<a number that is too large>"


def _container(value: Any, depth: int) -> Any:
    if depth >= _DEEPEST:
        return f"<{type(value).__name__}>"
    try:
        return _parts(value, depth)
    except Exception:  # noqa: BLE001  (as above)
        return f"<{type(value).__name__}>"


def _parts(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_text(_key(key)): plain(part, depth + 1) for key, part in list(value.items())[:_MOST_ITEMS]}
    return [plain(part, depth + 1) for part in list(value)[:_MOST_ITEMS]]


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(as_text(key))


def _text(text: str) -> str:
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "…"
    return str(text).encode("utf-8", "replace").decode()
