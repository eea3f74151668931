"""Conditions: when a rate applies. All that are stated must hold; the rate with the most of them wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from cost_ops.domain.errors import Problem
from cost_ops.domain.periods import DAY_US, from_us

_WORDS = ("service_tier", "processing", "region", "deployment")
_TEXTS = (*_WORDS, "not_region")
_BOUNDS = {"gt": 1, "gte": 0, "lt": -1, "lte": 0}
UNBOUNDED = 2**62


@dataclass(frozen=True, slots=True)
class TokenRange:
    """A range of context sizes in tokens, both ends included."""

    least: int = 0
    most: int = UNBOUNDED

    def overlaps(self, other: TokenRange) -> bool:
        """Whether some size lies in both."""
        return self.least <= other.most and other.least <= self.most


@dataclass(frozen=True, slots=True)
class DayWindow:
    """A window of the UTC day in minutes, `[start, end)`; one that ends before it starts runs over midnight.

    `weekdays` are ISO numbers (1 is Monday) of the day on which the instant lies; empty means every day.
    """

    start_minute: int
    end_minute: int
    weekdays: frozenset[int] = frozenset()

    def holds(self, timestamp_us: int) -> bool:
        """Whether the instant (microseconds since 1970) lies inside."""
        minute = timestamp_us % DAY_US // 60_000_000
        if self.weekdays and from_us(timestamp_us).isoweekday() not in self.weekdays:
            return False
        if self.start_minute < self.end_minute:
            return self.start_minute <= minute < self.end_minute
        return minute >= self.start_minute or minute < self.end_minute


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold for a rate; None means "whatever it is". `not_region`: the region is known, and another."""

    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    deployment: str | None = None
    context_tokens: TokenRange | None = None
    time_of_day: DayWindow | None = None
    not_region: str | None = None

    @property
    def specificity(self) -> int:
        """How many conditions are stated."""
        return sum(getattr(self, f.name) is not None for f in fields(self))

    def compatible(self, other: Conditions) -> bool:
        """Whether one call could meet both. Two different day windows are taken as never meeting."""
        for word in _WORDS:
            mine, theirs = getattr(self, word), getattr(other, word)
            if mine is not None and theirs is not None and mine != theirs:
                return False
        if (self.region and self.region == other.not_region) or (other.region and other.region == self.not_region):
            return False
        if self.context_tokens and other.context_tokens and not self.context_tokens.overlaps(other.context_tokens):
            return False
        return not (self.time_of_day and other.time_of_day and self.time_of_day != other.time_of_day)

    def merged(self, other: Conditions) -> Conditions:
        """Both together; where both state the same kind, the narrower range of tokens, else our own."""
        values = {
            f.name: getattr(self, f.name) if getattr(self, f.name) is not None else getattr(other, f.name)
            for f in fields(self)
        }
        if self.context_tokens and other.context_tokens:
            values["context_tokens"] = TokenRange(
                max(self.context_tokens.least, other.context_tokens.least),
                min(self.context_tokens.most, other.context_tokens.most),
            )
        return Conditions(**values)

    def to_json(self) -> dict[str, Any]:
        """The `when` object of the HTTP form; `{}` where nothing is stated."""
        out: dict[str, Any] = {w: getattr(self, w) for w in _TEXTS if getattr(self, w) is not None}
        if self.context_tokens is not None:
            bounds: dict[str, int] = {}
            if self.context_tokens.least > 0:
                bounds["gt"] = self.context_tokens.least - 1
            if self.context_tokens.most < UNBOUNDED:
                bounds["lte"] = self.context_tokens.most
            out["context_tokens"] = bounds
        if self.time_of_day is not None:
            window = self.time_of_day
            out["time_of_day"] = {"start": _clock(window.start_minute), "end": _clock(window.end_minute)}
            if window.weekdays:
                out["time_of_day"]["weekdays"] = sorted(window.weekdays)
        return out


ALWAYS = Conditions()


def _clock(minute: int) -> str:
    return (from_us(0) + timedelta(minutes=minute)).strftime("%H:%M")


def parse_conditions(when: Any, field: str, problems: list[Problem]) -> Conditions:
    """Conditions from the `when` object of the HTTP form; every fault is appended to `problems`."""
    if when is None:
        return ALWAYS
    if not isinstance(when, Mapping):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object"))
        return ALWAYS
    values: dict[str, Any] = {}
    for key, value in when.items():
        if key in _TEXTS:
            if isinstance(value, str) and value:
                values[key] = value
            else:
                problems.append(Problem(f"{field}.{key}", "invalid_type", f"{field}.{key} must be a text"))
        elif key == "context_tokens":
            values[key] = _parse_tokens(value, f"{field}.{key}", problems)
        elif key == "time_of_day":
            values[key] = _parse_window(value, f"{field}.{key}", problems)
        else:
            known = ", ".join((*_TEXTS, "context_tokens", "time_of_day"))
            problems.append(
                Problem(f"{field}.{key}", "unknown_field", f"{field}.{key} is not a condition; known are {known}")
            )
    return Conditions(**values)


def _parse_tokens(value: Any, field: str, problems: list[Problem]) -> TokenRange | None:
    if not isinstance(value, Mapping) or not value or not set(value) <= set(_BOUNDS):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object of gt, gte, lt or lte"))
        return None
    least, most = 0, UNBOUNDED
    for name, bound in value.items():
        if isinstance(bound, bool) or not isinstance(bound, int) or not 0 <= bound <= UNBOUNDED:
            problems.append(Problem(f"{field}.{name}", "invalid_type", f"{field}.{name} must be a whole number"))
            return None
        if name in ("gt", "gte"):
            least = max(least, bound + _BOUNDS[name])
        else:
            most = min(most, bound + _BOUNDS[name])
    if least > most:
        problems.append(Problem(field, "empty_range", f"{field} holds no number of tokens"))
        return None
    return TokenRange(least, most)


def _parse_window(value: Any, field: str, problems: list[Problem]) -> DayWindow | None:
    message = f'{field} must be like {{"start": "16:30", "end": "00:30"}} in UTC, with weekdays 1 to 7 if you like'
    if not isinstance(value, Mapping) or not set(value) <= {"start", "end", "weekdays"}:
        problems.append(Problem(field, "invalid_type", message))
        return None
    start, end = _minute(value.get("start")), _minute(value.get("end"))
    weekdays = value.get("weekdays", [])
    if (
        start is None
        or end is None
        or start == end
        or not isinstance(weekdays, list)
        or not all(isinstance(d, int) and 1 <= d <= 7 for d in weekdays)
    ):
        problems.append(Problem(field, "invalid_value", message))
        return None
    return DayWindow(start, end, frozenset(weekdays))


def _minute(text: Any) -> int | None:
    if not isinstance(text, str) or len(text) != 5 or text[2] != ":":
        return None
    if not (text[:2].isascii() and text[:2].isdigit() and text[3:].isascii() and text[3:].isdigit()):
        return None
    hour, minute = int(text[:2]), int(text[3:])
    return hour * 60 + minute if hour < 24 and minute < 60 else None
