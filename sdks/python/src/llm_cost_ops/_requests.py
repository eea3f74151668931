"""What is asked: a call as a value, and its parts as bytes and texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Callable, Generic, Optional, TypeVar
from urllib.parse import quote, urlencode

from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.models.base import Model

Read = TypeVar("Read")


@dataclass(frozen=True)
class Call(Generic[Read]):
    """One question to the server."""

    method: str
    path: str
    read: Callable[[Any], Read]
    """Makes the answer of the body's JSON."""
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Optional[Mapping[str, Any]] = None
    repeatable: Optional[bool] = None
    """Whether asking it twice does what asking it once does; None: as the method has it."""

    @property
    def may_repeat(self) -> bool:
        """Whether it may be asked again where nobody knows what became of it."""
        return self.method in ("GET", "HEAD") if self.repeatable is None else self.repeatable

    @property
    def target(self) -> str:
        """The path with its parameters."""
        asked = query(self.params)
        return f"{self.path}?{asked}" if asked else self.path

    @property
    def content(self) -> Optional[bytes]:
        """The body in JSON."""
        return None if self.body is None else encoded(self.body)


def part(value: str) -> str:
    """An id as a part of a path. Raises SettingsError where it is empty."""
    if not value:
        raise SettingsError(f"an id is needed, got {value!r}")
    return quote(str(value), safe="")


def query(params: Mapping[str, Any]) -> str:
    """Parameters of a URL: what is None is left out, lists are repeated, `tags` become `tag.KEY`."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if name == "tags" and isinstance(value, Mapping):
            pairs += [(f"tag.{key}", text) for key, one in value.items() for text in _texts(f"tag.{key}", one)]
        else:
            pairs += [(name, text) for text in _texts(name, value)]
    return urlencode(pairs)


def _texts(name: str, value: Any) -> Iterable[str]:
    if value is None:
        return []
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for one in value for text in _texts(name, one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [moment(value, name)]
    if isinstance(value, Decimal):
        return [format(value, "f")]
    if isinstance(value, date):
        raise SettingsError(f"{name} cannot be sent: {_no_moment(value)}")
    return [str(value)]


def moment(value: datetime, name: str) -> str:
    """A time as RFC 3339. Raises SettingsError where it does not say its zone."""
    try:
        return _moment(value)
    except ValueError as error:
        raise SettingsError(f"{name} cannot be sent: {error}") from None


def _moment(value: datetime) -> str:
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no time zone: say which, as in datetime(…, tzinfo=timezone.utc)")
    return value.isoformat()


def _no_moment(value: date) -> str:
    return f"{value} is a day, and a time is needed: a datetime with its zone, or '{value}T00:00:00Z'"


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body in JSON. Raises SettingsError where JSON has no form for a value, and names the field."""
    try:
        return _encode(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        for name, value in body.items():
            try:
                _encode(value).encode()
            except (TypeError, ValueError, RecursionError) as inner:
                raise SettingsError(f"{name} cannot be sent: {inner}") from inner
        raise SettingsError(f"this cannot be sent: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a number")
        return format(value, "f")
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        raise ValueError(_no_moment(value))
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    raise TypeError(f"JSON has no form for {type(value).__name__}")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=_plain).encode
