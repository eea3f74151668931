"""Hostile variations of JSON values and of bytes, all from one source of chance, so that a number tells an input."""

import json
import random
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

_MARK = "\u241e"
"""Stands around numbers that JSON can write and Python's encoder cannot."""

_MARKED = re.compile(f'"{_MARK}([^{_MARK}]*){_MARK}"')
_NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 999, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**12, 10**12 + 1, 10**40),
    *(-(2**63), 0.5, 1.0, -0.0, 1e15, 1e22, 1e308, 5e-324),
    *(
        Decimal("12.5"),
        Decimal("3.0"),
        Decimal("1E+400"),
        Decimal("1E-400"),
        Decimal("1E+9999"),
        Decimal("0E+9"),
        Decimal("-0"),
    ),
)
_TEXTS = ("", " ", "0", "12", "-3", "1e9", "NaN", "٣", "x", "\x00", "\ud800", "a\nb", "𝒳" * 40, "y" * 3000)
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [{}], [None], {"": 0}, {"value": 1})
_DEPTHS = (3, 20, 31, 33, 70, 150)
_COPIED = 12
"""Levels that a copy has of its own; nothing is ever changed below them."""


class Mutator:
    """Varies values by chance. `names` are fields that may appear anywhere; they are what readers look for."""

    def __init__(self, chance: random.Random, names: tuple[str, ...]) -> None:
        """Nothing is kept between inputs but these two."""
        self.chance = chance
        self._names = names

    def varied(self, value: Any, *, most: int = 4) -> Any:
        """The value with one to `most` things changed. Objects and lists in it are changed in place."""
        for _ in range(self.chance.randint(1, most)):
            places = _places(value)
            if not places:
                return self.any_value(3)
            holder, key = self.chance.choice(places)
            self._change(holder, key)
        return value

    def any_value(self, depth: int) -> Any:
        """Any JSON value, at most so deep."""
        kind = self.chance.randrange(8 if depth else 5)
        if kind < 3:
            return self.number()
        if kind == 3:
            return self.chance.choice(_TEXTS)
        if kind == 4:
            return _fresh(self.chance.choice(_OTHERS))
        if kind == 5:
            return [self.any_value(depth - 1) for _ in range(self.chance.randrange(4))]
        return {self.chance.choice(self._names): self.any_value(depth - 1) for _ in range(self.chance.randrange(7))}

    def number(self) -> Any:
        """A number, more often small than not."""
        return self.chance.randrange(5_000) if self.chance.random() < 0.6 else self.chance.choice(_NUMBERS)

    def _change(self, holder: Any, key: Any) -> None:
        change = self.chance.choice(_CHANGES)
        change(self, holder, key)

    def _another_number(self, holder: Any, key: Any) -> None:
        holder[key] = self.number()

    def _a_bit_off(self, holder: Any, key: Any) -> None:
        held = holder[key]
        plain = isinstance(held, int) and not isinstance(held, bool)
        holder[key] = held + self.chance.choice((-1, 1, -10, 1000)) if plain else self.number()

    def _another_type(self, holder: Any, key: Any) -> None:
        held = holder[key]
        wrapped: tuple[Any, ...] = (str(held)[:99], [held], {"value": held}, self.chance.choice(_TEXTS))
        holder[key] = self.chance.choice((*wrapped, _fresh(self.chance.choice(_OTHERS))))

    def _drop(self, holder: Any, key: Any) -> None:
        del holder[key]

    def _repeat(self, holder: Any, key: Any) -> None:
        if isinstance(holder, list):
            holder.insert(key, _fresh(holder[key]))
        else:
            holder[self.chance.choice(self._names)] = _fresh(holder[key])

    def _add(self, holder: Any, _key: Any) -> None:
        if isinstance(holder, list):
            holder.append(self.any_value(2))
        else:
            holder[self.chance.choice(self._names)] = self.any_value(2)

    def _rename(self, holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            holder[self.chance.choice((*_TEXTS, self.chance.choice(self._names)))] = holder.pop(key)

    def _deepen(self, holder: Any, key: Any) -> None:
        value = holder[key]
        for _ in range(self.chance.choice(_DEPTHS)):
            value = [value] if self.chance.random() < 0.5 else {self.chance.choice(self._names): value}
        holder[key] = value

    def _swap(self, holder: Any, key: Any) -> None:
        other = self.chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]

    def varied_bytes(self, data: bytes, *, most: int = 6) -> bytes:
        """Bytes with one to `most` places changed: flipped, cut, repeated, replaced."""
        found = bytearray(data)
        for _ in range(self.chance.randint(1, most)):
            if not found:
                return self.chance.randbytes(self.chance.randrange(40))
            at = self.chance.randrange(len(found))
            kind = self.chance.randrange(61)
            if kind == 60:
                found[at:at] = self.chance.choice((b"[", b'{"a":')) * self.chance.choice((100, 3_000))
            elif kind % 6 == 0:
                found[at] ^= 1 << self.chance.randrange(8)
            elif kind % 6 == 1:
                found[at] = self.chance.choice(b'\x00\xff\x80\x7f"{}[],:0-9eE.')
            elif kind % 6 == 2:
                del found[at : at + self.chance.randrange(1, 9)]
            elif kind % 6 == 3:
                found[at:at] = found[at : at + self.chance.randrange(1, 60)]
            elif kind % 6 == 4:
                found[at:at] = self.chance.randbytes(self.chance.randrange(1, 6))
            else:
                del found[at:]
        return bytes(found)


_CHANGES: tuple[Callable[[Mutator, Any, Any], None], ...] = (
    *(Mutator._another_number, Mutator._another_number, Mutator._a_bit_off, Mutator._a_bit_off),
    *(Mutator._another_type, Mutator._drop, Mutator._repeat, Mutator._add, Mutator._swap, Mutator._deepen),
    Mutator._rename,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a value, down to a depth at which changes stop to matter."""
    found: list[tuple[Any, Any]] = []
    waiting = [(value, 0)]
    while waiting and len(found) < 400:
        holder, depth = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            if depth < 8:
                waiting.append((holder[key], depth + 1))
    return found


def _fresh(value: Any, levels: int = _COPIED) -> Any:
    """A copy that shares no container with the value that may be changed."""
    if not levels:
        return value
    if isinstance(value, dict):
        return {key: _fresh(inner, levels - 1) for key, inner in value.items()}
    return [_fresh(inner, levels - 1) for inner in value] if isinstance(value, list) else value


def encoded(value: Any) -> bytes:
    """JSON bytes of a varied value: any Decimal as it is written, lone surrogates as escapes."""
    text = json.dumps(value, default=lambda number: f"{_MARK}{number}{_MARK}", ensure_ascii=False)
    return _MARKED.sub(r"\1", text).encode("utf-8", "surrogatepass")


def names_in(values: Any) -> tuple[str, ...]:
    """Every field name in some values, sorted."""
    names: set[str] = set()
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            names.update(str(name) for name in value)
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return tuple(sorted(names))
