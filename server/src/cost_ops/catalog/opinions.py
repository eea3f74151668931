"""Several catalogues → one: what is published of each model, how sure that is, and where the sources disagree.

A model of a lower source that the first one knows under another name, by an alias or through a provider whose prices
stand in, is an opinion on *that* price: where it agrees the name needs no row of its own, where it does not, people are
asked. With one source nothing is compared, and prices have no confidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.domain.agreement import Opinion, Verdict, fingerprint, judge
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price

Model = tuple[str, str]
"""Provider and model id."""

FIRST_HAND = 1
"""The rank up to which a price of zero is believed when no other source has the model."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One model that several sources have, and the verdict. `through`: it is priced as that other model."""

    provider: str
    model_id: str
    verdict: Verdict
    through: Price | None = None

    @property
    def model(self) -> Model:
        """Provider and model id."""
        return (self.provider, self.model_id)


@dataclass(frozen=True, slots=True)
class Merged:
    """What the sources come to. `judged`: models of at least two publishers, by name; `single`: how many have one.

    `unproven`: models that are free according to one second-hand source, which may mean that it does not know.
    """

    data: CatalogueData
    sources: tuple[str, ...]
    judged: tuple[Judged, ...] = ()
    single: int = 0
    unproven: frozenset[Model] = frozenset()


def merge(sources: Sequence[CatalogueData], now: datetime) -> Merged:
    """One catalogue of all; the order of the sources does not matter."""
    ordered = sorted(sources, key=lambda data: (data.rank, data.publisher, data.source))
    names = tuple(data.source for data in ordered)
    if len(ordered) == 1:
        (only,) = ordered
        return Merged(only, names, unproven=_unproven(only.prices, only.rank))
    opinions, through = _opinions(ordered, now)
    judged = tuple(
        Judged(*model, judge(found), through.get(model))
        for model, found in sorted(opinions.items())
        if len({opinion.publisher for opinion in found}) > 1
    )
    judged = _with_aliased(judged, opinions)
    verdicts = {one.model: one for one in judged}
    timelines = _timelines(ordered)
    prices: list[Price] = []
    single = 0
    unproven: set[Model] = set()
    for model, found in sorted(opinions.items()):
        verdict = verdicts.get(model)
        if verdict is None:
            single += 1
            published = min(found, key=lambda o: (o.rank, o.price.source))
            if published.rank > FIRST_HAND:
                unproven |= _unproven([published.price], published.rank)
        elif verdict.through is not None and verdict.verdict.published.price is verdict.through:
            continue
        else:
            published = verdict.verdict.published
        prices += _published(timelines[published.price.source, model], verdict, now)
    prices += _without_opinion(ordered, opinions)
    data = replace(ordered[0], prices=tuple(prices), aliases=_aliases(ordered), source=", ".join(names))
    data = replace(data, left_out=tuple(sorted({item for one in ordered for item in one.left_out})))
    data = replace(data, normalised=tuple(item for one in ordered for item in one.normalised))
    return Merged(data, names, judged, single, frozenset(unproven))


def _unproven(prices: Iterable[Price], rank: int) -> frozenset[Model]:
    if rank <= FIRST_HAND:
        return frozenset()
    return frozenset((p.provider, p.model_id) for p in prices if all(r.price == 0 and not r.of for r in p.rates))


def _aliases(ordered: Sequence[CatalogueData]) -> tuple[Any, ...]:
    return next((data.aliases for data in ordered if data.aliases), ())


def _timelines(ordered: Sequence[CatalogueData]) -> dict[tuple[str, Model], list[Price]]:
    found: dict[tuple[str, Model], list[Price]] = {}
    for data in ordered:
        for price in data.prices:
            found.setdefault((price.source, (price.provider, price.model_id)), []).append(price)
    return found


def _opinions(ordered: Sequence[CatalogueData], now: datetime) -> tuple[dict[Model, list[Opinion]], dict[Model, Price]]:
    """Model → what each source says of it today; and the price that the first source has for it under another name."""
    first = ordered[0]
    book = PriceBook(first.prices, aliases=first.aliases, names=PROVIDER_NAMES)
    opinions: dict[Model, list[Opinion]] = {}
    through: dict[Model, Price] = {}
    for data in ordered:
        for price in data.prices:
            if not price.valid_at(now):
                continue
            model = (price.provider, price.model_id)
            if model not in opinions and data is not first:
                segment = book.explain("", *model, to_us(now))
                if segment is not None:
                    through[model] = segment.price.price
                    opinions[model] = [Opinion(segment.price.price, first.publisher, first.rank)]
            opinions.setdefault(model, []).append(Opinion(price, data.publisher, data.rank))
    return opinions, through


def _with_aliased(judged: tuple[Judged, ...], opinions: dict[Model, list[Opinion]]) -> tuple[Judged, ...]:
    """A price that another source agrees with under another name only is confirmed by it."""
    known = {one.model for one in judged}
    supported: dict[Model, Judged] = {}
    for one in judged:
        if one.through is None or one.verdict.published.price is not one.through or not one.verdict.agreeing:
            continue
        target = (one.through.provider, one.through.model_id)
        if target not in known and target in opinions:
            supported.setdefault(target, Judged(*target, one.verdict))
    return tuple(sorted((*judged, *supported.values()), key=lambda one: one.model))


def _published(timeline: Sequence[Price], judged: Judged | None, now: datetime) -> list[Price]:
    """The timeline of the published source, today's row with what the others say of it."""
    if judged is None:
        return [replace(row, confidence="provisional") if row.valid_at(now) else row for row in timeline]
    said = detail_of(judged.verdict)
    confidence = str(judged.verdict.confidence)
    return [
        replace(row, confidence=confidence, detail={**(row.detail or {}), **said}) if row.valid_at(now) else row
        for row in timeline
    ]


def detail_of(verdict: Verdict) -> dict[str, Any]:
    """Who says so and who does not, with their pages: kept with the price."""
    detail: dict[str, Any] = {
        "sources": [
            {"source": o.price.source, "url": o.url, "agrees": o is verdict.published or o in verdict.agreeing}
            for o in (verdict.published, *verdict.agreeing, *verdict.dissenting)
        ]
    }
    if verdict.agreeing and verdict.dissenting:
        detail["turned_down"] = sorted({fingerprint(o.price) for o in verdict.dissenting})
    return detail


def _without_opinion(ordered: Sequence[CatalogueData], opinions: dict[Model, list[Opinion]]) -> list[Price]:
    """Rows of models that have no price today: their history, from the first source that has them."""
    found: dict[Model, str] = {}
    rows: list[Price] = []
    for data in ordered:
        for price in data.prices:
            model = (price.provider, price.model_id)
            if model not in opinions and found.setdefault(model, data.source) == data.source:
                rows.append(price)
    return rows
