"""Evidence: what is kept of a response that was counted.

It is the response in its own layout with everything taken away that says nothing about its price: small, without
content, and enough to count it again by the same shape or by a better one.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from cost_ops.domain.shape_items import COUNTED
from cost_ops.domain.shape_paths import Path, Select, find, place
from cost_ops.domain.shapes import Shape
from cost_ops.domain.usage import Quantity

INCOMPLETE = "_incomplete"
"""In evidence: true where a stream broke off before it said its final numbers."""

MOST_BYTES = 8192
"""A usage object larger than this as JSON is kept with the fields only that its shape reads."""

MOST_FIELDS = 64
DEEPEST = 6
LONGEST = 64
_FAR = 2**63


def evidence(
    shape: Shape, usage: dict[str, Any], usage_at: Path, response: dict[str, Any], counted: dict[str, int]
) -> dict[str, Any]:
    """The usage object where it stood in the response, the fields around it that were read, and `counted` items."""
    kept: dict[str, Any] = {}
    if usage_at.steps and not shape.own_fields_only and (_is_small(usage) or _is_lean(usage)):
        place(kept, usage_at.steps, usage)
    elif usage_at.steps:
        place(kept, usage_at.steps, own_fields(shape, usage))
    else:
        kept = own_fields(shape, usage)
    if response:
        for path in shape.outer_paths:
            value = find(response, path.steps)
            if isinstance(value, str):
                value = value[:256] if value.isprintable() else None
            if value is not None and path.steps and not isinstance(value, dict | list):
                place(kept, path.steps, value)
        if INCOMPLETE in response:
            kept[INCOMPLETE] = True
    if counted:
        kept[COUNTED] = counted
    return kept


def _is_small(usage: dict[str, Any]) -> bool:
    """Whether a usage object is plainly small: numbers, short texts, and objects and short lists of such."""
    if len(usage) > 24 or not _are_names(usage):
        return False
    for value in usage.values():
        kind = value.__class__
        if kind is dict:
            if not _is_flat(value):
                return False
        elif kind is list:
            if len(value) > 8 or not all(item.__class__ is dict and _is_flat(item) for item in value):
                return False
        elif not (_is_scalar(value) if kind is not int else -_FAR < value < _FAR):
            return False
    return True


def _is_flat(fields: dict[str, Any]) -> bool:
    if len(fields) > 12 or not _are_names(fields):
        return False
    for value in fields.values():  # noqa: SIM110 (a generator costs twice as much, for every payload)
        if not (_is_scalar(value) if value.__class__ is not int else -_FAR < value < _FAR):
            return False
    return True


def _are_names(fields: dict[str, Any]) -> bool:
    """Whether the names of fields can be stored: what is not printable, half a surrogate pair or NUL, cannot."""
    return "".join(fields).isprintable()


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST and value.isprintable()
    if isinstance(value, int):
        return -_FAR < value < _FAR
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) <= LONGEST
    return value is None or isinstance(value, float)


def _is_lean(usage: dict[str, Any]) -> bool:
    """Whether a usage object that is not plainly small can be kept as it is."""
    return _fits(usage, DEEPEST) and len(json.dumps(usage, default=str, ensure_ascii=False).encode()) <= MOST_BYTES


def _fits(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        if depth == 0 or len(value) > MOST_FIELDS or not _are_names(value):
            return False
        return all(len(str(name)) <= LONGEST and _fits(inner, depth - 1) for name, inner in value.items())
    if isinstance(value, list):
        return depth > 0 and len(value) <= MOST_FIELDS and all(_fits(inner, depth - 1) for inner in value)
    return _is_scalar(value)


def own_fields(shape: Shape, usage: dict[str, Any]) -> dict[str, Any]:
    """The numbers and short texts of a usage object that the shape reads, where they stood: nothing else."""
    kept: dict[str, Any] = {}
    lists: dict[tuple[str, str], set[Select]] = {}
    for path in shape.read_paths:
        match path.steps:
            case (str(name), Select() as select, str(key)):
                lists.setdefault((name, key), set()).add(select)
            case _ if path.plain and (value := find(usage, path.steps)) is not None and _is_scalar(value):
                place(kept, path.steps, value)
    for (name, key), selects in lists.items():
        if isinstance(usage.get(name), list):
            kept[name] = _summed(usage[name], key, selects)
    if shape.steps is not None and isinstance(steps := find(usage, shape.steps.path.steps), list):
        names = (shape.steps.kind, shape.steps.model)
        reduced = [_step(shape, item, names) if isinstance(item, dict) else item for item in steps]
        place(kept, shape.steps.path.steps, reduced)
    return kept


def _step(shape: Shape, item: dict[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    texts = {name: text[:256] for name in names if isinstance(text := item.get(name), str) and text.isprintable()}
    return texts | own_fields(shape, {name: value for name, value in item.items() if name not in names})


def _summed(items: list[Any], key: str, selects: set[Select]) -> list[dict[str, Any]]:
    """A list of counts as short as it can be: one item for each value that the shape tells apart, one for the rest."""
    field = max(select.field for select in selects)
    values = {select.value for select in selects if select.field}
    sums: dict[str, Quantity] = {}
    for item in items:
        amount = item.get(key) if isinstance(item, dict) else None
        if amount is not None:
            told = item.get(field)
            told = told if isinstance(told, str) and told in values else ""
            sums[told] = sums.get(told, 0) + amount
    return [({field: told} if told else {}) | {key: amount} for told, amount in sums.items()]
