"""What the server answers, as an object: attributes as annotated, and whatever newer servers add beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any, Callable, ClassVar, Optional, TypeVar, Union, get_args, get_origin, get_type_hints

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")
_SECRETS = ("secret", "key", "routing_key", "access_token", "refresh_token", "password")
_Made = TypeVar("_Made", bound="Model")
_Convert = Callable[[Any], Any]


class Model:
    """A part of an answer.

    What is annotated is converted: times to datetime, amounts to Decimal, parts to models. A field that is annotated as
    optional is None where the server does not tell it. Fields that this version does not know are attributes all the
    same, as they came. `model["tag:env"]` reaches every field by its name in JSON.
    """

    _converters: ClassVar[Optional[dict[str, tuple[_Convert, bool]]]] = None

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Raises TypeError or ValueError where what was told has another form."""
        if not isinstance(told, Mapping):
            raise TypeError(f"{type(self).__name__} is made of an object, not of {type(told).__name__}")
        self._told = told
        known = type(self)._known()
        for name, value in told.items():
            convert = known.get(name)
            self.__dict__[name] = value if convert is None or value is None else convert[0](value)
        for name, (_, optional) in known.items():
            if optional:
                self.__dict__.setdefault(name, None)

    @classmethod
    def _known(cls) -> dict[str, tuple[_Convert, bool]]:
        if "_converters" not in cls.__dict__:
            hints = get_type_hints(cls)
            cls._converters = {name: _converter(hint) for name, hint in hints.items() if not name.startswith("_")}
        return cls._converters or {}

    def __getattr__(self, name: str) -> Any:
        """Only asked for what was not told."""
        raise AttributeError(f"the server's answer, a {type(self).__name__}, has no {name!r}")

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self._told

    def get(self, name: str, default: Any = None) -> Any:
        """A field by its name in JSON."""
        return self.__dict__.get(name, default)

    def keys(self) -> Iterator[str]:
        """The names of what the server told."""
        return iter(self._told)

    def to_dict(self) -> dict[str, Any]:
        """What the server told, as it was told: JSON's types, with decimal numbers as Decimal."""
        return deepcopy(dict(self._told))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and type(other) is type(self) and other._told == self._told

    def __hash__(self) -> int:
        return hash((type(self), repr(sorted(self._told))))

    def __repr__(self) -> str:
        shown = (f"{name}={'…' if _is_secret(name, value) else repr(self[name])}" for name, value in self._told.items())
        return f"{type(self).__name__}({', '.join(shown)})"


def _is_secret(name: str, value: object) -> bool:
    return name in _SECRETS and value is not None


def _converter(hint: Any) -> tuple[_Convert, bool]:
    """What makes a value of JSON one of this type, and whether it may be missing."""
    if get_origin(hint) is Union:
        inner = [one for one in get_args(hint) if one is not type(None)]
        return _converter(inner[0])[0] if len(inner) == 1 else _as_it_is, True
    if get_origin(hint) is list:
        each = _converter(get_args(hint)[0])[0]
        return lambda values: [None if one is None else each(one) for one in values], False
    if get_origin(hint) is dict:
        of_each = _converter(get_args(hint)[1])[0]
        return lambda told: {name: None if one is None else of_each(one) for name, one in told.items()}, False
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint, False
    return _BY_TYPE.get(hint, _as_it_is), False


def _as_it_is(value: Any) -> Any:
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, (float, bool)) or not isinstance(value, (str, int, Decimal)):
        raise TypeError(f"not an exact number: {value!r}")
    try:
        return Decimal(value)
    except ArithmeticError as error:
        raise ValueError(f"not a number: {value!r}") from error


def moment(text: str) -> datetime:
    """A time of RFC 3339. Raises ValueError."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    day, time, fraction, zone = found.groups()
    offset = "+00:00" if zone in "Zz" else zone
    return datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{offset}")


_BY_TYPE: dict[Any, _Convert] = {Decimal: _decimal, datetime: moment}


def one(kind: type[_Made]) -> Callable[[Any], _Made]:
    """Reads an answer with one thing in `data`; what stands beside `data` is a part of it."""

    def read(body: Any) -> _Made:
        data = body["data"]
        if not isinstance(data, Mapping):
            raise TypeError("data is not an object")
        return kind({**{name: value for name, value in body.items() if name != "data"}, **data})

    return read


def many(kind: type[_Made]) -> Callable[[Any], list[_Made]]:
    """Reads an answer with a list in `data`."""
    return lambda body: [kind(told) for told in body["data"]]
