"""Multipliers: factors on the rates of a price, under conditions, and their JSON form.

    {"factor": "1.1", "when": {"region": "us"}, "meters": "tokens", "note": "US-only inference"}

All that apply to a line are multiplied: `amount = quantity × rate × factors`, rounded once. They stack in any order to
the same amount, so unlike rates they cannot tie; only the same one stated twice is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_ops.domain.conditions import ALWAYS, Conditions, parse_conditions
from cost_ops.domain.errors import Problem
from cost_ops.domain.meters import RATE_METERS, TOKEN_METERS, TOTAL_TOKENS
from cost_ops.domain.money import format_decimal, parse_decimal
from cost_ops.domain.text import text_fault

TOKENS, ALL = "tokens", "all"
GROUPS: Mapping[str, frozenset[str]] = {TOKENS: TOKEN_METERS | {TOTAL_TOKENS}, ALL: RATE_METERS}
"""Words that stand for many meters. Fees of tools are counters: `tokens` leaves them alone."""

MAX_MULTIPLIERS = 100
MAX_FACTOR = Decimal(1000)
_FIELDS = frozenset({"factor", "when", "meters", "note"})


@dataclass(frozen=True, slots=True)
class Multiplier:
    """`factor` on the rates of `meters`, where `when` holds. `note` says why, for people.

    What falls back to another meter's rate has that rate's factors: reasoning tokens priced as output those of output.
    """

    factor: Decimal
    meters: frozenset[str] = GROUPS[TOKENS]
    when: Conditions = ALWAYS
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The HTTP form; the factor as decimal text."""
        out: dict[str, Any] = {"factor": format_decimal(self.factor), "meters": meters_to_json(self.meters)}
        if self.when != ALWAYS:
            out["when"] = self.when.to_json()
        if self.note:
            out["note"] = self.note
        return out


def meters_to_json(meters: frozenset[str]) -> str | list[str]:
    """A group's word where the meters are that group, else their names."""
    return next((word for word, group in GROUPS.items() if group == meters), sorted(meters))


def parse_meters(value: Any, field: str, problems: list[Problem]) -> frozenset[str]:
    """The meters that `tokens`, `all` or a list of names means; a fault is appended to `problems`."""
    if isinstance(value, str) and value in GROUPS:
        return GROUPS[value]
    if isinstance(value, list) and value and all(isinstance(m, str) and m in RATE_METERS for m in value):
        return frozenset(value)
    known = ", ".join(sorted(RATE_METERS))
    problems.append(Problem(field, "unknown_meter", f'{field} must be "tokens", "all" or a list of any of {known}'))
    return frozenset()


def parse_factor(value: Any, field: str, problems: list[Problem]) -> Decimal:
    """An exact factor between 0 and 1,000; a fault is appended to `problems`."""
    try:
        factor = parse_decimal(value)
    except ValueError as error:
        problems.append(Problem(field, "invalid_type", f"{field} must be a decimal number: {error}"))
        return Decimal(1)
    if not 0 <= factor <= MAX_FACTOR:
        problems.append(Problem(field, "out_of_range", f"{field} must be between 0 and {MAX_FACTOR}"))
    return factor


def multipliers_from_json(items: Any, field: str = "multipliers") -> tuple[tuple[Multiplier, ...], list[Problem]]:
    """Multipliers from their JSON form, and every fault found, one stated twice included."""
    problems: list[Problem] = []
    if not isinstance(items, Sequence) or isinstance(items, str):
        return (), [Problem(field, "invalid_type", f"{field} must be a list")]
    if len(items) > MAX_MULTIPLIERS:
        message = f"{field} holds {len(items)}; the limit is {MAX_MULTIPLIERS}"
        return (), [Problem(field, "too_many", message)]
    found = tuple(_from_json(item, f"{field}[{i}]", problems) for i, item in enumerate(items))
    if not problems:
        problems.extend(_repeated(found, field))
    return found, problems


def _from_json(item: Any, field: str, problems: list[Problem]) -> Multiplier:
    if not isinstance(item, Mapping):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object"))
        return Multiplier(Decimal(1))
    problems.extend(
        Problem(f"{field}.{key}", "unknown_field", f"{field}.{key} is not part of a multiplier")
        for key in item
        if key not in _FIELDS
    )
    note = item.get("note", "")
    if not isinstance(note, str) or (note and text_fault(note)):
        problems.append(Problem(f"{field}.note", "invalid_type", f"{field}.note must be a short printable text"))
    return Multiplier(
        parse_factor(item.get("factor"), f"{field}.factor", problems),
        parse_meters(item.get("meters", TOKENS), f"{field}.meters", problems),
        parse_conditions(item.get("when"), f"{field}.when", problems),
        note,
    )


def _repeated(found: Sequence[Multiplier], field: str) -> Iterable[Problem]:
    for index, one in enumerate(found):
        for earlier in range(index):
            other = found[earlier]
            if one.when == other.when and one.note == other.note and one.meters & other.meters:
                yield Problem(
                    f"{field}[{index}]",
                    "duplicate",
                    f"{field}[{index}] and {field}[{earlier}] multiply the same meters of the same calls; both would "
                    "count. Give them different notes if that is meant",
                )
