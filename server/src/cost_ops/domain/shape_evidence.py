"""Evidence: what is kept of a response that was counted.

It is the response in its own layout with everything taken away that says nothing about its price: small, without
content, and enough to count it again by the same shape or by a better one.
"""

from __future__ import annotations

from collections.abc import Iterable
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
_WIDEST, _BETWEEN, _LONGEST_INTEGER, _LONGEST_NUMBER = 4, 6, 20, 132
"""Bytes as JSON, at the most: of a character, of what stands around a name and its value, of a number."""


def evidence(
    shape: Shape, usage: dict[str, Any], usage_at: Path, response: dict[str, Any], counted: dict[str, int]
) -> dict[str, Any]:
    """The usage object where it stood in the response, the fields around it that were read, and `counted` items."""
    kept: dict[str, Any] = {}
    if usage_at.steps and not shape.own_fields_only and _is_small(usage):
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
            elif not _is_scalar(value):
                value = None
            if value is not None and path.steps:
                place(kept, path.steps, value)
        if INCOMPLETE in response:
            kept[INCOMPLETE] = True
    if counted:
        kept[COUNTED] = counted
    return kept


def _is_small(usage: dict[str, Any]) -> bool:
    """Whether a usage object can be kept as it is: not deep, nothing long in it, and not many bytes as JSON."""
    return _room_after(usage, MOST_BYTES, DEEPEST) >= 0


def _room_after(value: Any, room: int, depth: int) -> int:
    """What is left of `room` bytes after a value, at the most that it takes; negative where it does not fit.

    Written without generators: it looks at every payload.
    """
    kind = value.__class__
    if kind is dict:
        names = "".join(value)
        if not depth or len(value) > MOST_FIELDS or not names.isprintable() or len(names) > MOST_BYTES:
            return -1
        room -= (len(names) if names.isascii() else len(names) * _WIDEST) + len(value) * _BETWEEN
        inside: Iterable[Any] = value.values()
    elif kind is list:
        if not depth or len(value) > MOST_FIELDS:
            return -1
        room -= len(value) * _BETWEEN
        inside = value
    else:
        return room - _size(value)
    for inner in inside:
        if inner.__class__ is int and -_FAR < inner < _FAR:
            room -= _LONGEST_INTEGER
        else:
            room = _room_after(inner, room, depth - 1)
        if room < 0:
            return -1
    return room


def _size(value: Any) -> int:
    """The most bytes that a single value takes; more than there is room for where it is none to be kept."""
    if not _is_scalar(value):
        return MOST_BYTES + 1
    if isinstance(value, str):
        return len(value) * _WIDEST
    return _LONGEST_NUMBER if isinstance(value, float | Decimal) else _LONGEST_INTEGER


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST and value.isprintable()
    if isinstance(value, int):
        return -_FAR < value < _FAR
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and exponent > -LONGEST and value.adjusted() < LONGEST
    return value is None or isinstance(value, float)


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
    for path in (count.overlap_at for count in shape.counts if count.overlap_at is not None):
        # That an overlap is told of says something, even where no part of it is counted.
        if (told := find(usage, path.steps)) and not find(kept, path.steps):
            place(kept, path.steps, [{}] if isinstance(told, list) else {"_": 0})
    if shape.steps is not None and isinstance(steps := find(usage, shape.steps.path.steps), list):
        names = (shape.steps.kind, shape.steps.model)
        reduced = [_step(shape, item, names) for item in steps if isinstance(item, dict)]
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
