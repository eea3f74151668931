"""Where a value stands in a payload: the paths that usage shapes are written in.

`a.b` goes into objects. `list[ttl=5m].tokens` takes the items of a list whose `ttl` is `5m`, `list[*]` takes all.
A path stands in the usage object; one that begins with `^` stands in the response around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cost_ops.domain.errors import invalid

MOST_ITEMS = 10_000
"""More items than this in one list of a payload are refused: no response has them."""

_STEP = re.compile(r"(?P<key>[^.\[\]=^]+)(\[(?P<all>\*)\]|\[(?P<field>[^.\[\]=]+)=(?P<value>[^\[\]=]+)\])?\Z")


class Select(NamedTuple):
    """The items of a list whose `field` is `value`; all of them where `field` is empty."""

    field: str
    value: str


class Path(NamedTuple):
    """A path made ready. `plain` ones go through objects only; `outer` ones begin at the response."""

    text: str
    steps: tuple[str | Select, ...]
    plain: bool
    outer: bool


def parse_path(text: str) -> Path:
    """The path that `text` writes. Raises InvalidInput.

    >>> parse_path("details[ttl=5m].tokens").steps
    ('details', Select(field='ttl', value='5m'), 'tokens')
    """
    outer = text.startswith("^")
    steps: list[str | Select] = []
    for word in text.removeprefix("^").split(".") if text.removeprefix("^") else ():
        match = _STEP.match(word)
        if match is None:
            raise invalid("path", "invalid_value", f"{text!r} is not a path such as a.b or a[kind=x].b")
        steps.append(match["key"])
        if match["all"] or match["field"]:
            steps.append(Select(match["field"] or "", match["value"] or ""))
    return Path(text, tuple(steps), all(isinstance(step, str) for step in steps), outer)


def find(value: Any, steps: tuple[str | Select, ...]) -> Any:
    """What stands at a plain path; None where nothing does."""
    for step in steps:
        if value.__class__ is not dict:
            return None
        value = value.get(step)
    return value


def find_all(value: Any, steps: tuple[str | Select, ...], at: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that stands at a path, each with where it was found. Raises InvalidInput where a list is too long."""
    for n, step in enumerate(steps):
        if isinstance(step, Select):
            if value is None:
                return
            yield from _items(value, step, steps[n + 1 :], at)
            return
        if not isinstance(value, dict):
            return
        value = value.get(step)
        at = f"{at}.{step}" if at else step
    if value is not None:
        yield at, value


def _items(items: Any, select: Select, rest: tuple[str | Select, ...], at: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(items, list):
        raise invalid(at, "invalid_type", f"{at} must be a list")
    if len(items) > MOST_ITEMS:
        raise invalid(at, "too_large", f"{at} has {len(items)} items; at most {MOST_ITEMS} are read")
    for n, item in enumerate(items):
        if not select.field or (isinstance(item, dict) and item.get(select.field) == select.value):
            yield from find_all(item, rest, f"{at}[{n}]")


def place(into: dict[str, Any], steps: tuple[str | Select, ...], value: Any) -> None:
    """Put `value` where a plain path leads, making the objects on the way."""
    for step in steps[:-1]:
        inner = into.get(str(step))
        if inner.__class__ is not dict:
            inner = into[str(step)] = {}
        into = inner
    into[str(steps[-1])] = value
