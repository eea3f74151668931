"""The price book: every price, compiled, found by (organisation, provider, model, instant).

A book is immutable and has a version; a change in the database makes a new book. Which price wins: the organisation's
own, then the installation's, then the catalogue's, then a default; in each the provider named, then its declared
fallbacks; there the exact id, then an alias, then the longest pattern; valid at the usage's timestamp. Contracts of the
organisation then turn that price into another, which has a number once it was stored, at its first use.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cost_ops.domain.compiled import CompiledPrice, compile_price
from cost_ops.domain.contracts import Contract, price_under, stretches
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.prices import LAYER_ORDER, WILDCARD, Layer, Price
from cost_ops.domain.volume_contracts import expanded

_BEGINNING = -(2**62)
_END = 2**62
_MAX_CACHED = 50_000
_ALIAS_LAYERS = frozenset({Layer.CATALOG})


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a model: `kind` is equals, starts_with, ends_with, contains or regex; matched in lower case."""

    provider: str
    kind: str
    pattern: str
    model_id: str

    def matches(self, name: str) -> bool:
        """Whether `name`, in lower case, is meant."""
        if self.kind == "starts_with":
            return name.startswith(self.pattern)
        if self.kind == "ends_with":
            return name.endswith(self.pattern)
        if self.kind == "contains":
            return self.pattern in name
        if self.kind == "regex":
            return re.search(self.pattern, name) is not None
        return name == self.pattern


class Segment(NamedTuple):
    """A stretch of time, in microseconds since 1970, in which one price holds, and how its model was found."""

    start_us: int
    end_us: int
    price: CompiledPrice
    found_by: str

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """From when to when; None is the beginning of time, or no end."""
        return (
            from_us(self.start_us) if self.start_us > _BEGINNING else None,
            from_us(self.end_us) if self.end_us < _END else None,
        )


class Timeline:
    """Everything that could price one model, laid side by side; the newest stretch is at hand, most usage is new."""

    __slots__ = ("_starts", "end_us", "price", "segments", "start_us")

    def __init__(self, segments: list[Segment]) -> None:
        """Take segments that do not overlap, in any order."""
        self.segments = sorted(segments, key=lambda s: s.start_us)
        self._starts = [s.start_us for s in self.segments]
        newest = self.segments[-1] if self.segments else None
        self.start_us = newest.start_us if newest else _END
        self.end_us = newest.end_us if newest else _BEGINNING
        self.price = newest.price if newest else None

    def at(self, timestamp_us: int) -> Segment | None:
        """The segment that holds an instant."""
        index = bisect_right(self._starts, timestamp_us) - 1
        if index < 0 or timestamp_us >= self.segments[index].end_us:
            return None
        return self.segments[index]


@dataclass(frozen=True, slots=True)
class ProviderNames:
    """How providers are written: alias → canonical name, and whose prices may stand in for whose."""

    aliases: Mapping[str, str]
    fallbacks: Mapping[str, Sequence[str]]
    known: frozenset[str] = frozenset()
    """Canonical names, for a quick look: most callers write them so."""

    def canonical(self, name: str) -> str:
        """The canonical, lower-case name of a provider."""
        if name in self.known:
            return name
        lowered = name.strip().lower()
        return self.aliases.get(lowered, lowered)


NO_NAMES = ProviderNames({}, {})


class PriceBook:
    """All prices of the installation at one version. Share it between threads freely."""

    def __init__(
        self,
        prices: Iterable[Price],
        *,
        aliases: Iterable[Alias] = (),
        contracts: Iterable[Contract] = (),
        names: ProviderNames = NO_NAMES,
        version: int = 0,
    ) -> None:
        """Index the prices; they are compiled when first needed."""
        self.version = version
        self.names = names
        self.by_number: dict[int, Price] = {}
        self._timelines: dict[tuple[str, str, str], list[Price]] = {}
        self._patterns: dict[tuple[str, str], list[str]] = {}
        self._exact_aliases: dict[tuple[str, str], str] = {}
        self._loose_aliases: dict[str, list[Alias]] = {}
        self._contracts: dict[str, list[Contract]] = {}
        self._under_contract: dict[tuple[str, int | None, str], Price] = {}
        self._found: dict[tuple[str, str, str], Timeline] = {}
        self._compiled: dict[int, CompiledPrice] = {}
        for price in prices:
            self._index(price)
        for alias in aliases:
            self._index_alias(alias)
        for found in self._loose_aliases.values():
            found.sort(key=lambda a: -len(a.pattern))
        for contract in contracts:
            self._contracts.setdefault(contract.organization_id, []).extend(expanded(contract))

    def _index(self, price: Price) -> None:
        owner = _owner(price.layer, price.organization_id)
        if price.number is not None:
            self.by_number[price.number] = price
        if price.layer is Layer.CONTRACT:
            self._under_contract[price.organization_id or "", price.base_number, price.source] = price
            return
        self._timelines.setdefault((owner, price.provider, price.model_id), []).append(price)
        if WILDCARD in price.model_id:
            patterns = self._patterns.setdefault((owner, price.provider), [])
            if price.model_id not in patterns:
                patterns.append(price.model_id)
                patterns.sort(key=len, reverse=True)

    def _index_alias(self, alias: Alias) -> None:
        if alias.kind == "equals":
            self._exact_aliases.setdefault((alias.provider, alias.pattern), alias.model_id)
        else:
            self._loose_aliases.setdefault(alias.provider, []).append(alias)

    def find(self, organization_id: str, provider: str, model_id: str, timestamp_us: int) -> CompiledPrice | None:
        """The price valid for this usage, or None. `provider` is canonical."""
        found = self._found.get((organization_id, provider, model_id))
        if found is None:
            found = self._resolve(organization_id, provider, model_id)
        if found.start_us <= timestamp_us < found.end_us:
            return found.price
        segment = found.at(timestamp_us)
        return None if segment is None else segment.price

    def explain(self, organization_id: str, provider: str, model_id: str, timestamp_us: int) -> Segment | None:
        """As `find`, with the stretch of time and the way the model was found."""
        return self._resolve(organization_id, provider, model_id).at(timestamp_us)

    def history(self, organization_id: str, provider: str, model_id: str) -> list[Segment]:
        """All stretches of time in which the model has a price, oldest first."""
        return self._resolve(organization_id, provider, model_id).segments

    def knows(self, organization_id: str, provider: str, model_id: str) -> bool:
        """Whether the model has a price at any time."""
        return bool(self._resolve(organization_id, provider, model_id).segments)

    def compiled(self, price: Price) -> CompiledPrice:
        """The compiled form of a price of this book."""
        if price.number is None:
            return compile_price(price)
        number = price.number
        found = self._compiled.get(number)
        if found is None or found.price is not price:
            found = compile_price(price)
            self._compiled[number] = found
        return found

    def _resolve(self, organization_id: str, provider: str, model_id: str) -> Timeline:
        """All that could price this model, laid over each other: the first layer that holds an instant keeps it."""
        segments: list[Segment] = []
        for price, how in self.in_order(organization_id, provider, model_id):
            _lay(segments, self._segment(price, how))
        if organization_id in self._contracts:
            segments = list(self._contracted(organization_id, provider, model_id, segments))
        found = Timeline(segments)
        if len(self._found) >= _MAX_CACHED:
            self._found.clear()
        self._found[(organization_id, provider, model_id)] = found
        return found

    def in_order(self, organization_id: str, provider: str, model_id: str) -> Iterator[tuple[Price, str]]:
        """Every price that a model could have at some time, what comes first first, and how its model was found."""
        for layer in LAYER_ORDER:
            owner = _owner(layer, organization_id)
            for name in (provider, *self.names.fallbacks.get(provider, ()), WILDCARD):
                for model, found_by in self._candidates(owner, layer, name, model_id):
                    how = found_by if name == provider else f"{found_by}, prices of {name}"
                    for price in self._timelines[(owner, name, model)]:
                        yield price, how

    def _contracted(
        self, organization_id: str, provider: str, model_id: str, segments: Iterable[Segment]
    ) -> Iterator[Segment]:
        """The segments with the organisation's contracts applied, cut where one begins or ends."""
        contracts = self._contracts[organization_id]
        for segment in segments:
            base = segment.price.price
            fitting = [c for c in contracts if c.fits(provider, model_id, base.model_id)]
            for start, end, holding in stretches(fitting, segment.start_us, segment.end_us):
                made = price_under(base, holding, start_us=start)
                if made is None:
                    yield segment._replace(start_us=start, end_us=end)
                else:
                    stored = self._under_contract.get((organization_id, base.number, made.source), made)
                    yield segment._replace(start_us=start, end_us=end, price=self.compiled(stored))

    def _segment(self, price: Price, found_by: str) -> Segment:
        start = to_us(price.effective_from) if price.effective_from is not None else _BEGINNING
        end = to_us(price.effective_to) if price.effective_to is not None else _END
        return Segment(start, end, self.compiled(price), found_by)

    def _candidates(self, owner: str, layer: Layer, provider: str, model_id: str) -> Iterable[tuple[str, str]]:
        lowered = model_id.lower()
        names = [(model_id, "exact id")]
        if lowered != model_id:
            names.append((lowered, "exact id, ignoring case"))
        if layer in _ALIAS_LAYERS:
            alias = self._exact_aliases.get((provider, lowered))
            if alias is not None:
                names.append((alias, f"alias of {alias}"))
            names.extend(
                (a.model_id, f"{a.kind.replace('_', ' ')} {a.pattern!r}, taken as {a.model_id}")
                for a in self._loose_aliases.get(provider, ())
                if a.matches(lowered)
            )
        names.extend(
            (pattern, f"pattern {pattern!r}")
            for pattern in self._patterns.get((owner, provider), ())
            if _glob(pattern).match(model_id)
        )
        seen = set()
        for name, how in names:
            if name not in seen and (owner, provider, name) in self._timelines:
                seen.add(name)
                yield name, how


def _owner(layer: Layer, organization_id: str | None) -> str:
    if layer in (Layer.ORGANIZATION, Layer.DEFAULT):
        return f"{layer}:{organization_id or ''}"
    return layer


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split(WILDCARD)) + r"\Z", re.DOTALL)


def _lay(segments: list[Segment], new: Segment) -> None:
    """Add the parts of `new` that no segment covers yet."""
    gaps = [(new.start_us, new.end_us)]
    for taken in segments:
        gaps = [
            part
            for start, end in gaps
            for part in ((start, min(end, taken.start_us)), (max(start, taken.end_us), end))
            if part[0] < part[1]
        ]
    segments.extend(Segment(start, end, new.price, new.found_by) for start, end in gaps)
