"""Plans: shapes made ready for counting. Every number has a slot, and every object of a payload is looked into once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cost_ops.domain.errors import invalid
from cost_ops.domain.shape_paths import Path, Select
from cost_ops.domain.shapes import Check, Count, Shape


class Node(NamedTuple):
    """A count with the slots of its numbers. A `leaf` has one name and nothing in it; `less` is -1 for none."""

    spec: Count
    slot: int
    slots: tuple[int, ...]
    parts: tuple[Node, ...]
    kinds: tuple[Node, ...]
    less: int
    leaf: bool


class Field(NamedTuple):
    """A number in an object of the payload."""

    key: str
    slot: int
    path: Path


class Group(NamedTuple):
    """The numbers of one object, which stands at `parent` in the usage object or (`outer`) in the response."""

    parent: tuple[str, ...]
    outer: bool
    fields: tuple[Field, ...]


class Listed(NamedTuple):
    """The numbers that stand under `key` in the items of a list, told apart by `field`; `everything` is -1 for none."""

    name: str
    outer: bool
    field: str
    key: str
    slots: Mapping[str, int]
    everything: int


class Prefixes(NamedTuple):
    """What paths in a usage object and in its response begin with."""

    usage: str
    response: str


class Compared(NamedTuple):
    """A check with the slots of its numbers."""

    check: Check
    whole: int
    parts: tuple[int, ...]


class Plan(NamedTuple):
    """A shape made ready. `decimals` are the slots that need not be whole, `counted` those of counts, of which a
    payload must have one.
    """

    blank: tuple[None, ...]
    groups: tuple[Group, ...]
    lists: tuple[Listed, ...]
    nodes: tuple[Node, ...]
    checks: tuple[Compared, ...]
    decimals: frozenset[int]
    counted: tuple[int, ...]


def plan_of(shape: Shape) -> Plan:
    """The plan of a shape. Raises InvalidInput where a count stands deeper in a list than in its items."""
    slots: dict[Path, int] = {}
    decimals: set[int] = set()
    nodes = tuple(_node(count, slots, decimals) for count in shape.counts)
    counted = tuple(range(len(slots)))
    checks = tuple(
        Compared(check, _slot(check.whole, slots), tuple(_slot(path, slots) for path in check.parts))
        for check in shape.checks
    )
    groups = tuple(_groups(slots))
    return Plan((None,) * len(slots), groups, _lists(slots), nodes, checks, frozenset(decimals), counted)


def _slot(path: Path, slots: dict[Path, int]) -> int:
    return slots.setdefault(path, len(slots))


def _node(count: Count, slots: dict[Path, int], decimals: set[int]) -> Node:
    own = tuple(_slot(path, slots) for path in count.paths)
    if count.decimal:
        decimals.update(own)
    parts = tuple(_node(part, slots, decimals) for part in count.parts)
    kinds = tuple(_node(kind, slots, decimals) for kind in count.kinds)
    less = -1 if count.less is None else _slot(count.less, slots)
    leaf = len(own) == 1 and not parts and not kinds
    return Node(count, own[0], own, parts, kinds, less, leaf)


def _groups(slots: dict[Path, int]) -> Iterator[Group]:
    """The plain paths by the object they stand in, outermost first."""
    objects: dict[tuple[tuple[str, ...], bool], list[Field]] = {}
    for path, slot in slots.items():
        if path.plain:
            steps = _texts(path.steps)
            objects.setdefault((steps[:-1], path.outer), []).append(Field(steps[-1], slot, path))
    for (parent, outer), fields in objects.items():
        yield Group(parent, outer, tuple(fields))


def _lists(slots: dict[Path, int]) -> tuple[Listed, ...]:
    """The paths through lists, by list: each list is gone through once."""
    found: dict[tuple[str, bool, str], dict[Select, int]] = {}
    for path, slot in slots.items():
        if path.plain:
            continue
        match path.steps:
            case (str(name), Select() as select, str(key)):
                found.setdefault((name, path.outer, key), {})[select] = slot
            case _:
                raise invalid(
                    "at", "invalid_value", f"{path.text}: a count in a list is written list[field=value].name"
                )
    return tuple(_listed(*names, selects) for names, selects in found.items())


def _listed(name: str, outer: bool, key: str, selects: dict[Select, int]) -> Listed:
    fields = {select.field for select in selects if select.field}
    if len(fields) > 1:
        raise invalid(
            "at", "invalid_value", f"{name}: the items of a list are told apart by one field, not by {fields}"
        )
    slots = {select.value: slot for select, slot in selects.items() if select.field}
    return Listed(name, outer, next(iter(fields), ""), key, slots, selects.get(Select("", ""), -1))


def _texts(steps: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(step) for step in steps)
