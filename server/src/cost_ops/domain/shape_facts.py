"""What a response says beside its counts: the model that served it, its id, tier and region, and its own cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cost_ops.domain.errors import Problem
from cost_ops.domain.shape_numbers import money
from cost_ops.domain.shape_paths import Path, find
from cost_ops.domain.shape_responses import Located
from cost_ops.domain.shapes import Lookup, Shape
from cost_ops.domain.text import MAX_TEXT, text_fault

LONGEST_WORD = 64
"""Characters of a tier or a region: what is longer is none, and evidence would not keep it."""


def text_at(
    lookups: tuple[Lookup, ...], located: Located, problems: list[Problem], *, lower: bool = False
) -> str | None:
    """The first text that one of the lookups finds; a value that means nothing special leads to the next."""
    for lookup in lookups:
        if located.alone and lookup.path.outer:
            continue
        value = _value(lookup.path, located)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            _problem(lookup.path, located, problems, "invalid_type", "must be a text")
            continue
        text = value.strip().lower() if lower else value.strip()
        if text in lookup.values:
            text = lookup.values[text] or ""
        elif not lookup.others:
            continue
        fault = text_fault(text, LONGEST_WORD if lower else MAX_TEXT)
        if fault is not None:
            _problem(lookup.path, located, problems, *fault)
        elif text:
            return text
    return None


def reported(shape: Shape, located: Located, problems: list[Problem]) -> tuple[Decimal | None, str | None]:
    """The provider's own amount and its currency, where the response states one."""
    for stated in shape.money:
        value = _value(stated.path, located)
        if value is None or (stated.unless is not None and _value(stated.unless, located) is True):
            continue
        amount = money(value, _named(stated.path, located), stated.divisor, problems)
        return amount, None if amount is None else stated.currency
    return None, None


def _value(path: Path, located: Located) -> Any:
    return find(located.response if path.outer else located.usage, path.steps)


def _named(path: Path, located: Located) -> str:
    at = located.sent()
    return at.response + path.text[1:] if path.outer else at.usage + path.text


def _problem(path: Path, located: Located, problems: list[Problem], reason: str, fault: str) -> None:
    at = _named(path, located)
    problems.append(Problem(at, reason, f"{at} {fault}"))
