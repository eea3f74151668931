"""Counting: a usage object and its shape → disjoint quantities, contradictions, and on demand the way they came about.

A count's parts are taken out of it; a part that is larger than what it stands in leaves nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.shape_numbers import number
from cost_ops.domain.shape_paths import Path, find, find_all
from cost_ops.domain.shapes import Check, Count, Items, Shape
from cost_ops.domain.usage import MAX_TOKENS, Quantities, Quantity

COUNTED = "_counted"
"""In evidence: what items of a response were counted to, by meter; the items themselves are not kept."""

UNKNOWN_LIFETIME = "input_cache_write_unknown"


class Discrepancy(NamedTuple):
    """A contradiction in a provider's own payload: what it states, what its parts add up to."""

    rule: str
    stated: int
    counted: int
    message: str


class Traced(NamedTuple):
    """One number of a payload, and the meter that it, or what its parts left of it, went to."""

    path: str
    quantity: Quantity
    meter: str | None
    note: str


class Prefixes(NamedTuple):
    """What paths in a usage object and in its response begin with."""

    usage: str
    response: str


class Counting:
    """One usage object being counted; `at` is what paths in it and in its response begin with, for problems."""

    __slots__ = (
        "at",
        "counted",
        "discrepancies",
        "estimated",
        "found",
        "outer",
        "problems",
        "quantities",
        "rows",
        "shape",
        "usage",
    )

    def __init__(self, shape: Shape, usage: dict[str, Any], outer: dict[str, Any], at: Callable[[], Prefixes]) -> None:
        self.shape = shape
        self.usage = usage
        self.outer = outer
        self.at = at
        self.quantities: Quantities = {}
        self.counted: dict[str, int] = {}
        self.discrepancies: list[Discrepancy] = []
        self.problems: list[Problem] = []
        self.estimated = False
        self.found = False
        self.rows: list[Traced] | None = None

    def run(self, *, items: bool = True) -> None:
        """Count everything the shape names. Raises InvalidInput with every impossible value."""
        for count in self.shape.counts:
            self._take(count, None)
        if items:
            for counter in self.shape.items:
                self._count_items(counter)
        if not self.found and not self.problems:
            at = self.at().usage.rstrip(".") or "response"
            message = f"{at} holds no count that {self.shape.id} knows"
            self.problems.append(Problem(at, "no_usage", message))
        for check in self.shape.checks:
            self._check(check)
        if UNKNOWN_LIFETIME in self.quantities:
            self.estimated = True
        if self.problems:
            raise InvalidInput(list(dict.fromkeys(self.problems)))

    def named(self, path: Path) -> str:
        """Where a path stands in what was sent."""
        at = self.at()
        return at.response + path.text[1:] if path.outer else at.usage + path.text

    def read(self, path: Path, *, decimal: bool = False) -> Quantity | None:
        """The number at a path; None where there is none, and where it is impossible (a problem then)."""
        if not path.plain:
            return self._read_all(path, decimal=decimal)
        value: Any = self.outer if path.outer else self.usage
        for step in path.steps:
            if value.__class__ is not dict:
                self._check_object(path, value)
                return None
            value = value.get(step)
        if value is None:
            return None
        if value.__class__ is int and 0 <= value <= MAX_TOKENS:
            self.found = True
            return value
        return self._number(value, self.named(path), decimal=decimal)

    def _number(self, value: Any, at: str, *, decimal: bool) -> Quantity | None:
        self.found = True
        floats, texts = self.shape.whole_floats, self.shape.number_texts
        return number(value, at, self.problems, decimal=decimal, whole_floats=floats, texts=texts)

    def _check_object(self, path: Path, value: Any) -> None:
        if value is not None:
            at = self.named(path).rpartition(".")[0]
            if all(problem.field != at for problem in self.problems):
                self.problems.append(Problem(at, "invalid_type", f"{at} must be an object"))

    def _read_all(self, path: Path, *, decimal: bool) -> Quantity | None:
        """The sum of what a path through a list finds."""
        values = []
        prefix = self._prefix(path)
        try:
            for at, value in find_all(self.outer if path.outer else self.usage, path.steps):
                values.append(self._number(value, prefix + at, decimal=decimal))
        except InvalidInput as error:
            self._list_problem(error, prefix)
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def _prefix(self, path: Path) -> str:
        return self.at().response if path.outer else self.at().usage

    def _list_problem(self, error: InvalidInput, prefix: str) -> None:
        self.problems += [Problem(prefix + p.field, p.reason, prefix + p.message) for p in error.problems]

    def _take(self, count: Count, inside: Count | None) -> Quantity | None:
        """Book a count and its parts; the size of the whole, None where it is not stated at all."""
        path = count.paths[0]
        whole = self.read(path, decimal=count.decimal)
        for other in count.paths[1:]:
            again = self.read(other, decimal=count.decimal)
            if whole is None:
                whole, path = again, other
            elif again is not None and again != whole:
                self._contradiction(f"{path.text} = {other.text}", whole, again)
        parts: Quantity | None = None
        for part in count.parts:
            size = self._take(part, count)
            if size is not None:
                parts = size if parts is None else parts + size
        if count.kinds:
            parts = self._take_kinds(count, whole, parts)
        if parts is None:
            if whole is not None:
                self._book(count, path, whole, whole, inside)
            return whole
        if whole is None:
            return parts
        rest = whole - parts
        if rest < 0:
            self._contradiction(f"{path.text} ≥ the sum of its parts", whole, parts)
            rest, whole = 0, parts
        self._book(count, path, whole, rest, inside)
        return whole

    def _take_kinds(self, count: Count, whole: Quantity | None, parts: Quantity | None) -> Quantity | None:
        """Book the kinds of a count beside its other parts, each token once."""
        overlap_told = count.overlap_at is not None and bool(find(self.usage, count.overlap_at.steps))
        taken: Quantity = parts or 0
        stated = parts is not None
        for kind in count.kinds:
            size = self.read(kind.paths[0])
            if size is None:
                continue
            stated = True
            rest: Quantity = size
            if kind.less is not None and overlap_told:
                rest = self._without(kind, size)
            elif parts and whole is not None and size:
                # Nobody says how many of these tokens the parts hold: none, as far as there is room.
                rest = max(0, min(size, whole - taken))
                self.estimated = True
            taken += rest
            self._book(kind, kind.paths[0], size, rest, count)
        return taken if stated else None

    def _without(self, kind: Count, size: Quantity) -> Quantity:
        less = self.read(kind.less) if kind.less is not None else None
        if less is None:
            return size
        if less > size:
            self._contradiction(f"{kind.paths[0].text} ≥ {kind.less.text}", size, less)  # type: ignore[union-attr]
            return 0
        return size - less

    def _book(self, count: Count, path: Path, whole: Quantity, rest: Quantity, inside: Count | None) -> None:
        meter = count.meter
        if meter is not None and rest:
            self.quantities[meter] = self.quantities.get(meter, 0) + rest
        if self.rows is not None:
            self._trace(count, path, whole, rest, inside)

    def _trace(self, count: Count, path: Path, whole: Quantity, rest: Quantity, inside: Count | None) -> None:
        assert self.rows is not None  # noqa: S101 (asked by the only caller)
        notes = [f"inside {inside.paths[0].text}"] if inside is not None else []
        notes += [count.note] if count.note else []
        if rest != whole:
            notes.append(f"{whole}, of which {whole - rest} stand in its parts")
        if rest and count.rest_note:
            notes.append(count.rest_note)
        self.rows.append(Traced(self.named(path), rest, count.meter, "; ".join(notes)))

    def _check(self, check: Check) -> None:
        whole = self.read(check.whole)
        if whole is None:
            return
        total: Quantity = 0
        stated = 0
        for path in check.parts:
            part = self.read(path)
            if part is not None:
                stated += 1
                total += part
        if total == whole or not stated or (check.need_all and stated < len(check.parts)):
            return
        if check.at_least and total <= whole:
            return
        self._contradiction(check.rule, whole, total, harmless=check.harmless)

    def _contradiction(self, rule: str, stated: Quantity, counted: Quantity, *, harmless: bool = False) -> None:
        message = f"the payload contradicts itself: {rule} does not hold, {stated} against {counted}"
        found = Discrepancy(rule, int(stated), int(counted), message)
        if found not in self.discrepancies:
            self.discrepancies.append(found)
        if not harmless:
            self.estimated = True

    def _count_items(self, items: Items) -> None:
        amount: Quantity | None
        told = self.outer.get(COUNTED)
        if told.__class__ is dict and items.meter in told:
            amount = self._number(told[items.meter], f"{self.at().response}{COUNTED}.{items.meter}", decimal=False)
        else:
            if items.unless is not None and self.read(items.unless) is not None:
                return
            amount = self._items_of(items)
        if not amount:
            return
        self.found = True
        self.quantities[items.meter] = self.quantities.get(items.meter, 0) + amount
        self.counted[items.meter] = int(amount)
        if self.rows is not None:
            self.rows.append(Traced(self.named(items.path), amount, items.meter, items.note or "items counted"))

    def _items_of(self, items: Items) -> int:
        try:
            return count_items(items, self.usage, self.outer)
        except InvalidInput as error:
            self._list_problem(error, self._prefix(items.path))
            return 0


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
