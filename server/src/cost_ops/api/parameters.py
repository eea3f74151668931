"""Query parameters as data: one declaration parses a parameter, names its faults and documents it.

Everything wrong with a query string is reported at once; an unknown parameter names the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from cost_ops.api.money import MoneyWriter, as_number
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.text import MAX_TAG_KEY, text_fault

Parse = Callable[[str, str], Any]
"""(text, name of the parameter) → its value. Raises InvalidInput."""

TAG_PREFIX = "tag."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter. `many`: it may be repeated, its value is a tuple. `schema` is for the OpenAPI document."""

    name: str
    description: str
    schema: Mapping[str, Any]
    parse: Parse
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """The parsed parameters of one request; those not sent are absent."""

    values: Mapping[str, Any]
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`tag.KEY=value` filters: key → values."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a parameter, or `default` where it was not sent."""
        return self.values.get(name, default)

    @property
    def money(self) -> MoneyWriter:
        """How amounts are to be written."""
        writer: MoneyWriter = self.values.get("money", as_number)
        return writer


def read_parameters(pairs: Sequence[tuple[str, str]], known: Sequence[Parameter], *, tags: bool = False) -> Given:
    """The values of a query string; `tags` allows `tag.KEY`. Raises InvalidInput with every problem."""
    by_name = {parameter.name: parameter for parameter in known}
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    found_tags: dict[str, tuple[str, ...]] = {}
    for name, text in pairs:
        parameter = by_name.get(name)
        if parameter is not None:
            _read_one(parameter, text, values, problems)
        elif tags and name.startswith(TAG_PREFIX) and len(name) > len(TAG_PREFIX):
            _read_tag(name, text, found_tags, problems)
        else:
            problems.append(_unknown(name, tuple(by_name), tags=tags))
    problems.extend(
        Problem(p.name, "missing_required_field", f"{p.name} is required")
        for p in known
        if p.required and p.name not in {name for name, _ in pairs}
    )
    if problems:
        raise InvalidInput(problems)
    return Given(values, found_tags)


def _read_one(parameter: Parameter, text: str, values: dict[str, Any], problems: list[Problem]) -> None:
    name = parameter.name
    if name in values and not parameter.many:
        problems.append(Problem(name, "repeated", f"{name} may be given only once"))
        return
    try:
        value = parameter.parse(text, name)
    except InvalidInput as error:
        problems.extend(error.problems)
        return
    if parameter.many:
        values[name] = (*values.get(name, ()), *(value if isinstance(value, tuple) else (value,)))
    else:
        values[name] = value


def _read_tag(name: str, text: str, tags: dict[str, tuple[str, ...]], problems: list[Problem]) -> None:
    key = name.removeprefix(TAG_PREFIX)
    for what, fault in ((name[:60], text_fault(key, MAX_TAG_KEY)), (f"{name[:60]}'s value", text_fault(text))):
        if fault:
            problems.append(Problem(name[:140], fault[0], f"{what} {fault[1]}"))
            return
    tags[key] = (*tags.get(key, ()), text)


def _unknown(name: str, known: Sequence[str], *, tags: bool) -> Problem:
    names = (*known, "tag.KEY") if tags else tuple(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"
    return Problem(name[:80], "unknown_parameter", f"{name[:80]!r} is not a parameter of this route; {hint}")


def text(value: str, name: str) -> str:
    """A short printable text that is not empty."""
    if not value.strip():
        raise invalid(name, "empty", f"{name} must not be empty")
    if fault := text_fault(value):
        raise invalid(name, fault[0], f"{name} {fault[1]}")
    return value


def whole(least: int, most: int) -> Parse:
    """A whole number inside bounds."""

    def parse(value: str, name: str) -> int:
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise invalid(name, "invalid_type", f"{name} must be a whole number, got {value[:40]!r}")
        number = int(value)
        if not least <= number <= most:
            raise invalid(name, "out_of_range", f"{name} must be between {least} and {most}, got {number}")
        return number

    return parse


def one_of(words: Sequence[str]) -> Parse:
    """One of some words."""

    def parse(value: str, name: str) -> str:
        if value not in words:
            raise invalid(name, "invalid_value", f"{name} must be one of {', '.join(words)}; got {value[:40]!r}")
        return value

    return parse


def truth(value: str, name: str) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise invalid(name, "invalid_type", f"{name} must be true or false, got {value[:40]!r}")
    return value == "true"
