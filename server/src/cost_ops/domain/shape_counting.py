"""Counting: a usage object and its shape → disjoint quantities, contradictions, and on demand the way they came about.

A count's parts are taken out of it; a part that is larger than what it stands in leaves nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.shape_items import COUNTED, count_items
from cost_ops.domain.shape_numbers import number
from cost_ops.domain.shape_paths import MOST_ITEMS, Path, find
from cost_ops.domain.shape_plans import Compared, Listed, Node, Plan, Prefixes
from cost_ops.domain.shapes import Count, Items, Shape
from cost_ops.domain.usage import MAX_TOKENS, Quantities, Quantity

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


class Counting:
    """One usage object being counted; `at` is what paths in it and in its response begin with, for problems."""

    __slots__ = (
        *("at", "counted", "discrepancies", "estimated", "outer", "plan"),
        *("problems", "quantities", "rows", "shape", "usage", "values"),
    )

    def __init__(
        self, shape: Shape, plan: Plan, usage: dict[str, Any], outer: dict[str, Any], at: Callable[[], Prefixes]
    ) -> None:
        self.shape = shape
        self.plan = plan
        self.usage = usage
        self.outer = outer
        self.at = at
        self.values: list[Quantity | None] = list(plan.blank)
        self.quantities: Quantities = {}
        self.counted: dict[str, int] = {}
        self.discrepancies: list[Discrepancy] = []
        self.problems: list[Problem] = []
        self.estimated = False
        self.rows: list[Traced] | None = None

    def run(self, *, items: bool = True) -> None:
        """Count everything the shape names. Raises InvalidInput with every impossible value."""
        plan = self.plan
        self._gather()
        for node in plan.nodes:
            self._take(node, None)
        if items:
            for counter in self.shape.items:
                self._count_items(counter)
        for compared in plan.checks:
            self._compare(compared)
        if not self.quantities and not self.problems:
            self._check_found()
        if UNKNOWN_LIFETIME in self.quantities:
            self.estimated = True
        if self.problems:
            raise InvalidInput(list(dict.fromkeys(self.problems)))

    def named(self, path: Path) -> str:
        """Where a path stands in what was sent."""
        at = self.at()
        return at.response + path.text[1:] if path.outer else at.usage + path.text

    def stated(self, path: Path) -> Quantity | None:
        """The number at a path that is no count of the shape; None where there is none."""
        value = find(self.outer if path.outer else self.usage, path.steps)
        return None if value is None else self._number(value, self.named(path), decimal=True)

    def _gather(self) -> None:
        """Read every number into its slot."""
        values = self.values
        decimals = self.plan.decimals
        for parent, outer, fields in self.plan.groups:
            inside: Any = self.outer if outer else self.usage
            for step in parent:
                inside = inside.get(step) if inside.__class__ is dict else None
            if inside.__class__ is not dict:
                if inside is not None:
                    self._no_object(fields[0].path)
                continue
            for key, slot, path in fields:
                value = inside.get(key)
                if value.__class__ is int and 0 <= value <= MAX_TOKENS:
                    values[slot] = value
                elif value is not None:
                    values[slot] = self._number(value, self.named(path), decimal=slot in decimals)
        for listed in self.plan.lists:
            items = (self.outer if listed.outer else self.usage).get(listed.name)
            if items is not None:
                self._gather_items(listed, items)

    def _gather_items(self, listed: Listed, items: Any) -> None:
        """Add up what the items of a list say, by what tells them apart."""
        name, outer, field, key, slots, everything = listed
        if items.__class__ is not list or len(items) > MOST_ITEMS:
            at = f"{self.at().response if outer else self.at().usage}{name}"
            self.problems.append(Problem(at, "invalid_type", f"{at} must be a list of at most {MOST_ITEMS} items"))
            return
        values = self.values
        for n, item in enumerate(items):
            if item.__class__ is not dict:
                continue
            amount = item.get(key)
            if amount is None:
                continue
            if not (amount.__class__ is int and 0 <= amount <= MAX_TOKENS):
                prefix = self.at().response if outer else self.at().usage
                amount = self._number(amount, f"{prefix}{name}[{n}].{key}", decimal=False) or 0
            kind = item.get(field)
            slot = slots.get(kind, -1) if kind.__class__ is str else -1
            if slot >= 0:
                values[slot] = amount + (values[slot] or 0)
            if everything >= 0:
                values[everything] = amount + (values[everything] or 0)

    def _no_object(self, path: Path) -> None:
        at = self.named(path).rpartition(".")[0]
        self.problems.append(Problem(at, "invalid_type", f"{at} must be an object"))

    def _number(self, value: Any, at: str, *, decimal: bool) -> Quantity | None:
        floats, texts = self.shape.whole_floats, self.shape.number_texts
        return number(value, at, self.problems, decimal=decimal, whole_floats=floats, texts=texts)

    def _prefix(self, path: Path) -> str:
        return self.at().response if path.outer else self.at().usage

    def _list_problem(self, error: InvalidInput, prefix: str) -> None:
        self.problems += [Problem(prefix + p.field, p.reason, prefix + p.message) for p in error.problems]

    def _check_found(self) -> None:
        if all(self.values[slot] is None for slot in self.plan.counted):
            at = self.at().usage.rstrip(".") or "response"
            self.problems.append(Problem(at, "no_usage", f"{at} holds no count that {self.shape.id} knows"))

    def _take(self, node: Node, inside: Count | None) -> Quantity | None:
        """Book a count and its parts; the size of the whole, None where it is not stated at all."""
        values = self.values
        whole, path = values[node.slot], node.spec.paths[0]
        if len(node.slots) > 1:
            whole, path = self._agreed(node)
        parts: Quantity | None = None
        for part in node.parts:
            if part.leaf and self.rows is None:
                size = values[part.slot]
                if size:
                    meter = part.spec.meter
                    if meter is not None:
                        self.quantities[meter] = self.quantities.get(meter, 0) + size
            else:
                size = self._take(part, node.spec)
            if size is not None:
                parts = size if parts is None else parts + size
        if node.kinds:
            parts = self._take_kinds(node, whole, parts)
        if whole is None:
            if parts:
                self._contradiction(f"{path.text} = the sum of its parts", 0, parts)
            return parts
        rest = whole
        if parts:
            rest = whole - parts
            if rest < 0:
                self._contradiction(f"{path.text} ≥ the sum of its parts", whole, parts)
                rest, whole = 0, parts
        self._book(node.spec, path, whole, rest, inside)
        return whole

    def _agreed(self, node: Node) -> tuple[Quantity | None, Path]:
        """The number that several names of a count state, and the name it was taken from."""
        whole, path = None, node.spec.paths[0]
        for slot, other in zip(node.slots, node.spec.paths, strict=True):
            again = self.values[slot]
            if whole is None:
                whole, path = (again, other) if again is not None else (None, path)
            elif again is not None and again != whole:
                self._contradiction(f"{path.text} = {other.text}", whole, again)
        return whole, path

    def _take_kinds(self, node: Node, whole: Quantity | None, parts: Quantity | None) -> Quantity | None:
        """Book the kinds of a count beside its other parts, each token once."""
        taken = parts
        for kind in node.kinds:
            size = self.values[kind.slot]
            if size is None:
                continue
            room = whole - taken if parts and taken and whole is not None else None
            rest, note = self._kind_alone(node, kind, size, room) if size else (size, "")
            taken = rest if taken is None else taken + rest
            self._book(kind.spec, kind.spec.paths[0], size, rest, node.spec, note=note)
        return taken

    def _kind_alone(self, node: Node, kind: Node, size: Quantity, room: Quantity | None) -> tuple[Quantity, str]:
        """How many tokens of a kind no other part has, and a note on it; `room` is what the other parts leave."""
        told = node.spec.overlap_at
        if kind.less >= 0 and told is not None and find(self.usage, told.steps):
            less = self.values[kind.less] or 0
            if less > size:
                self._contradiction(f"{kind.spec.paths[0].text} ≥ its share of the other parts", size, less)
                return 0, ""
            return size - less, f"{less} of them stand in another part" if less else ""
        if room is None:
            return size, ""
        self.estimated = True
        return max(0, min(size, room)), "nobody says how many of them were cached: none, as far as there is room"

    def _book(
        self, count: Count, path: Path, whole: Quantity, rest: Quantity, inside: Count | None, *, note: str = ""
    ) -> None:
        meter = count.meter
        if meter is not None and rest:
            self.quantities[meter] = self.quantities.get(meter, 0) + rest
        if self.rows is not None:
            notes = [f"inside {inside.paths[0].text}"] if inside is not None else []
            notes += [text for text in (count.note, note) if text]
            if rest != whole and not note:
                notes.append(f"{whole}, of which its parts have {whole - rest}")
            if rest and count.rest_note:
                notes.append(count.rest_note)
            self.rows.append(Traced(self.named(path), rest, meter, "; ".join(notes)))

    def _compare(self, compared: Compared) -> None:
        whole = self.values[compared.whole]
        if whole is None:
            return
        total: Quantity = 0
        stated = 0
        for slot in compared.parts:
            part = self.values[slot]
            if part is not None:
                stated += 1
                total += part
        check = compared.check
        if total == whole or not stated or (check.need_all and stated < len(compared.parts)):
            return
        if not (check.at_least and total <= whole):
            told = any((found.stated, found.counted) == (whole, total) for found in self.discrepancies)
            if not told:
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
            if items.unless is not None and self.stated(items.unless) is not None:
                return
            amount = self._items_of(items)
        if not amount:
            return
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
