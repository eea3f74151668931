"""Fields of a JSON body, read one by one with every fault collected: what bodies share beside the hot path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.text import text_fault

_T = TypeVar("_T")


class Fields:
    """Reads a body's fields; `done` raises InvalidInput with all that was wrong."""

    def __init__(self, body: Any, known: Collection[str], *, what: str) -> None:
        """`what` the body is, for messages. Raises InvalidInput where it is no object."""
        if not isinstance(body, Mapping):
            raise invalid("", "invalid_type", f"the body must be a JSON object: {what}")
        self.values = {name: value for name, value in body.items() if value is not None}
        self.problems: list[Problem] = []
        for name in self.values:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.6)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self.add(name[:80], "unknown_field", f"{name[:80]!r} is not a field of {what}; {hint}")

    def add(self, field: str, reason: str, message: str) -> None:
        """Note a fault."""
        self.problems.append(Problem(field, reason, message))

    def done(self) -> None:
        """Raise InvalidInput where anything was wrong."""
        if self.problems:
            raise InvalidInput(self.problems)

    def attempt(self, work: Callable[[], _T]) -> _T | None:
        """The result of `work`; None, its faults noted, where it raises InvalidInput."""
        try:
            return work()
        except InvalidInput as error:
            self.problems.extend(error.problems)
            return None

    def text(self, name: str, *, required: bool = False) -> str | None:
        """A short printable text; None where it is not given or wrong."""
        value = self.values.get(name)
        if value is None or (required and isinstance(value, str) and not value.strip()):
            if required:
                self.add(name, "missing_required_field", f"{name} is required")
            return None
        if not isinstance(value, str):
            self.add(name, "invalid_type", f"{name} must be a text")
            return None
        if not value.strip():
            self.add(name, "empty", f"{name} must not be empty")
            return None
        if fault := text_fault(value):
            self.add(name, fault[0], f"{name} {fault[1]}")
            return None
        return value

    def parsed(self, name: str, parse: Callable[[str, str], _T]) -> _T | None:
        """A text field read by `parse(text, name)`."""
        value = self.text(name)
        return None if value is None else self.attempt(lambda: parse(value, name))

    def texts(self, name: str) -> list[str] | None:
        """A list of texts; None where it is not given or wrong."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            self.add(name, "invalid_type", f"{name} must be a list of texts")
            return None
        return list(value)

    def truth(self, name: str) -> bool:
        """`true` or `false`; false where it is not given."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            self.add(name, "invalid_type", f"{name} must be true or false")
            return False
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number inside bounds; None where it is not given or wrong."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(name, "invalid_type", f"{name} must be a whole number")
            return None
        if not least <= value <= most:
            self.add(name, "out_of_range", f"{name} must be between {least} and {most}")
            return None
        return value
