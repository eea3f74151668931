"""Planning a sync: the catalogue as it is stored and as it was read → what is to be added. Pure; nothing is written.

A sync adds dated rows and ends the ones they follow; it edits and deletes nothing. A row that the source dates begins
on its date; where the source states other rates for today without a new date, the row begins when that was observed,
`now`. A row that would change a rate by more than half, to or from zero, or take it away is held back. Rates that a
person turned down in a review do not come back; a price that several sources confirm, or no longer do, begins anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.price_changes import RateChange, drastic_changes, same_rates
from cost_ops.domain.agreement import fingerprint
from cost_ops.domain.periods import format_instant, to_us
from cost_ops.domain.price_reviews import ReviewKind
from cost_ops.domain.prices import Confidence, Price, insert

Model = tuple[str, str]
"""Provider and model id."""

_BEGINNING = -(2**62)
_END = 2**62


EVERYTHING = "all"
"""What `accept` names to take every drastic change."""


@dataclass(frozen=True, slots=True)
class HeldChange:
    """A row that waits for `accept`, and what is drastic about it; `old` is the price that holds instead.

    Without changes it is a new model that is free according to one second-hand source only.
    """

    price: Price
    changes: tuple[RateChange, ...]
    old: Price | None = None

    @property
    def kind(self) -> ReviewKind:
        """Whether something would become free, or change too much."""
        free = not self.changes or any(change.to_zero for change in self.changes)
        return ReviewKind.ZERO if free else ReviewKind.JUMP

    def to_json(self) -> dict[str, Any]:
        """The row with the old and new value of every drastic change."""
        return price_to_json(self.price) | {
            "kind": self.kind.value,
            "changes": [change.to_json() for change in self.changes],
        }


class Rules(NamedTuple):
    """What a sync may do. `accept`: true, or models (`provider/model` or `model`) and `all`; `stand_ins`: prices that
    hold for models without a row of their own; `unproven`: new models whose price of zero is not believed.
    """

    now: datetime
    accept: bool | Collection[str] = False
    stand_ins: Mapping[Model, Price] = {}
    unproven: Collection[Model] = ()

    def accepts(self, provider: str, model_id: str) -> bool:
        """Whether drastic changes of a model are taken."""
        if isinstance(self.accept, bool):
            return self.accept
        return not {EVERYTHING, model_id, f"{provider}/{model_id}"}.isdisjoint(self.accept)


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync would do. `unchanged` counts models; `ended` is (number of a stored price, where it ends).

    `contradictions` are rows of the source that disagree with stored history: they are shown and never applied.
    """

    added_models: tuple[Model, ...]
    added_rows: tuple[Price, ...]
    ended: tuple[tuple[int, datetime], ...]
    unchanged: int
    held: tuple[HeldChange, ...]
    contradictions: tuple[Price, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A stable form: the same plan gives the same bytes, whatever the order of its inputs."""
        return {
            "added_models": [f"{provider}/{model}" for provider, model in self.added_models],
            "added_rows": [price_to_json(price) for price in self.added_rows],
            "ended": [{"price_id": f"price-{number}", "end_date": format_instant(at)} for number, at in self.ended],
            "unchanged": self.unchanged,
            "held": [held.to_json() for held in self.held],
            "contradictions": [price_to_json(price) for price in self.contradictions],
        }


def price_to_json(price: Price) -> dict[str, Any]:
    """The HTTP form of a catalogue price; open ends are null."""
    start, end = price.effective_from, price.effective_to
    return {
        "provider": price.provider,
        "model_id": price.model_id,
        "currency": price.currency,
        "confidence": price.confidence,
        "effective_date": format_instant(start) if start else None,
        "end_date": format_instant(end) if end else None,
        "source": price.source,
        "rates": [rate.to_json() for rate in price.rates],
        **({"multipliers": [m.to_json() for m in price.multipliers]} if price.multipliers else {}),
    }


def plan_sync(
    current: Iterable[Price],
    data: CatalogueData,
    *,
    now: datetime,
    accept: bool | Collection[str] = False,
    stand_ins: Mapping[Model, Price] | None = None,
    unproven: Collection[Model] = (),
) -> SyncPlan:
    """What storing the prices of `data` would add to the stored catalogue rows `current` (with numbers).

    Models that only `current` has stay as they are. `accept` names models whose drastic changes are applied too.
    """
    rules = Rules(now, accept, stand_ins or {}, unproven)
    stored, read = _by_model(current), _by_model(data.prices)
    new = [model for model in sorted(read) if model not in stored]
    held = [change for model in new if (change := _held_new(read[model], rules))]
    waiting = {(change.price.provider, change.price.model_id) for change in held}
    new = [model for model in new if model not in waiting]
    merges = [_merged(stored[model], read[model], rules) for model in sorted(read) if model in stored]
    rows = [row for model in new for row in read[model]] + [row for merge in merges for row in merge.added]
    return SyncPlan(
        added_models=tuple(new),
        added_rows=tuple(sorted(rows, key=_by_timeline)),
        ended=tuple(sorted(end for merge in merges for end in merge.ended.items())),
        unchanged=sum(not merge.added and not merge.held for merge in merges),
        held=tuple(held) + tuple(change for merge in merges for change in merge.held),
        contradictions=tuple(row for merge in merges for row in merge.contradictions),
    )


def _held_new(rows: Sequence[Price], rules: Rules) -> HeldChange | None:
    """Why a model without a row of its own waits, where it does."""
    newest = rows[-1]
    model = (newest.provider, newest.model_id)
    if rules.accepts(*model):
        return None
    if model in rules.unproven:
        return HeldChange(newest, ())
    instead = rules.stand_ins.get(model)
    changes = drastic_changes(instead, newest) if instead is not None else ()
    return HeldChange(newest, changes, instead) if changes else None


def _by_model(prices: Iterable[Price]) -> dict[Model, list[Price]]:
    models: dict[Model, list[Price]] = {}
    for price in prices:
        models.setdefault((price.provider, price.model_id), []).append(price)
    for rows in models.values():
        rows.sort(key=_by_timeline)
    return models


def _by_timeline(price: Price) -> tuple[str, str, int]:
    return (price.provider, price.model_id, _start(price))


def _start(price: Price) -> int:
    return _BEGINNING if price.effective_from is None else to_us(price.effective_from)


def _end(price: Price) -> int:
    return _END if price.effective_to is None else to_us(price.effective_to)


def _merged(stored: Sequence[Price], rows: Sequence[Price], rules: Rules) -> _Merge:
    merge = _Merge(stored, rules)
    for row in rows:
        merge.take(row, open_end=row is not rows[-1])
    return merge


class _Merge:
    """One model's stored timeline while rows of the source are taken in, oldest first."""

    def __init__(self, stored: Sequence[Price], rules: Rules) -> None:
        self.timeline = list(stored)
        self.added: list[Price] = []
        self.ended: dict[int, datetime] = {}
        self.held: list[HeldChange] = []
        self.contradictions: list[Price] = []
        self._now = rules.now
        self._accept = rules.accepts(stored[0].provider, stored[0].model_id)

    def take(self, row: Price, *, open_end: bool) -> None:
        """Take a row in. With `open_end` the next row of the source will end it, where it is not held back."""
        if open_end or any(_start(row) < _start(stored) for stored in self.timeline):
            placed = replace(row, effective_to=None)
        else:
            placed = row
        held = len(self.held)
        self._take_start(row, placed)
        if row.valid_at(self._now) and len(self.held) == held:
            detail = {**(row.detail or {}), "date_confidence": "observed"}
            source = f"{row.source}, date observed"
            self._observe(replace(placed, effective_from=self._now, source=source, detail=detail))

    def _take_start(self, row: Price, placed: Price) -> None:
        """Where the source dates the row: a new row there, unless the stored one agrees or begins there too."""
        holder = self._holder(_start(row))
        if holder is not None and (same_rates(holder, row) or self._turned_down(holder, row)):
            return
        if row.effective_from is None or (holder is not None and _start(holder) == _start(row)):
            if not row.valid_at(self._now) and not self._agrees_somewhere(row):
                self.contradictions.append(row)
            return
        self._place(placed, holder)

    def _observe(self, row: Price) -> None:
        """Where today's rates, or what several sources say of them, are not the stored ones: a new row from now on."""
        holder = self._holder(to_us(self._now))
        if holder is not None and self._turned_down(holder, row):
            return
        if holder is None or not same_rates(holder, row) or _says_more(holder, row):
            self._place(row, holder)

    def _turned_down(self, holder: Price, row: Price) -> bool:
        """Whether a person, or several sources, decided against these very rates, which only one source states."""
        refused = (holder.detail or {}).get("turned_down", ())
        if not refused or self._accept or row.confidence == Confidence.CONFIRMED:
            return False
        return fingerprint(row) in refused

    def _holder(self, instant_us: int) -> Price | None:
        return next((p for p in self.timeline if _start(p) <= instant_us < _end(p)), None)

    def _agrees_somewhere(self, row: Price) -> bool:
        """Whether a stored row says the same inside the row's time: then only its start was observed later."""
        return any(_start(p) < _end(row) and _start(row) < _end(p) and same_rates(p, row) for p in self.timeline)

    def _place(self, row: Price, holder: Price | None) -> None:
        changes = drastic_changes(holder, row) if holder is not None else ()
        if changes and not self._accept:
            self.held.append(HeldChange(row, changes, holder))
            return
        insertion = insert(self.timeline, row, now=self._now)
        if insertion.ended is not None:
            self._end(insertion.ended)
        self.timeline.append(insertion.added)
        self.added.append(insertion.added)

    def _end(self, ended: Price) -> None:
        """Put the shortened row in place of the one that begins with it; note the end of a stored one."""
        for rows in (self.timeline, self.added):
            rows[:] = [ended if _start(p) == _start(ended) else p for p in rows]
        if ended.number is not None and ended.effective_to is not None:
            self.ended[ended.number] = ended.effective_to


def _says_more(holder: Price, row: Price) -> bool:
    """Whether several sources were compared, and came to another confidence than the stored one."""
    compared = len((row.detail or {}).get("sources", ())) > 1
    decided = "review" in (holder.detail or {})
    return compared and not decided and row.confidence != holder.confidence
