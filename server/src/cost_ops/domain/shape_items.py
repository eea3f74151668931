"""Counters that no usage object has: how many items of a response are of some kind."""

from __future__ import annotations

from typing import Any

from cost_ops.domain.shape_paths import find, find_all
from cost_ops.domain.shapes import Items

COUNTED = "_counted"
"""In evidence: what items of a response were counted to, by meter; the items themselves are not kept."""


def count_items(items: Items, usage: dict[str, Any], response: dict[str, Any]) -> int:
    """How many items a counter counts. Raises InvalidInput where a list is none, or too long."""
    seen: set[str] = set()
    amount = 0
    for _, item in find_all(response if items.path.outer else usage, items.path.steps):
        if not all(_text(find(item, path.steps)) in allowed for path, allowed in items.where):
            continue
        same = _text(find(item, items.distinct.steps)) if items.distinct is not None else None
        if same is None or same not in seen:
            amount += 1
            if same is not None:
                seen.add(same)
    return amount


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
