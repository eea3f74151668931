"""A sync made ready: sources → what would be written and what people would be asked. Nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.opinions import Judged, Merged, merge
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.catalog.raised import reviews_of, settled
from cost_ops.catalog.sync import Model, Rules, SyncPlan, plan_sync, price_to_json
from cost_ops.domain.agreement import differences
from cost_ops.domain.money import format_decimal
from cost_ops.domain.price_reviews import News, PriceReview, news
from cost_ops.domain.prices import Confidence, Price


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, what it came from and what it asks. `was`: the price that holds where an added row begins."""

    plan: SyncPlan
    merged: Merged
    news: News
    was: tuple[Price | None, ...]

    def to_json(self) -> dict[str, Any]:
        """The whole diff in a stable form."""
        plan = self.plan.to_json()
        rows = zip(plan["added_rows"], self.was, strict=True)
        plan["added_rows"] = [row | {"was": None if was is None else price_to_json(was)} for row, was in rows]
        judged = self.merged.judged
        confirmed = sum(one.verdict.confidence is Confidence.CONFIRMED for one in judged)
        data = self.merged.data
        return plan | {
            "sources": list(self.merged.sources),
            "compared": {
                "confirmed": confirmed,
                "disagreements": len(judged) - confirmed,
                "single_source": self.merged.single,
            },
            "disagreements": [_disagreement(one) for one in judged if one.verdict.confidence != Confidence.CONFIRMED],
            "reviews": {"raised": len(self.news.raised), "superseded": len(self.news.superseded)},
            "left_out": data.left_out_counts(),
            "normalised": [
                {"model": n.model, "key": n.key, "written": format_decimal(n.written), "taken": format_decimal(n.taken)}
                for n in data.normalised
            ],
        }


def _disagreement(one: Judged) -> dict[str, Any]:
    verdict = one.verdict
    differing = differences(verdict.published.price, verdict.dissenting[0].price)
    return {
        "provider": one.provider,
        "model_id": one.model_id,
        "changes": [difference.to_json() for difference in differing],
        "opinions": [opinion.to_json() for opinion in (verdict.published, *verdict.dissenting)],
    }


def prepare(
    sources: Sequence[CatalogueData],
    *,
    stored: Sequence[Price],
    reviews: Sequence[PriceReview],
    now: datetime,
    accept: bool | Collection[str] = False,
    provider: str | None = None,
) -> Prepared:
    """What storing the sources' prices would change of the stored catalogue rows and of the known reviews.

    With `provider` only that provider's prices are looked at; the aliases stay complete.
    """
    if provider is not None:
        sources = [_only(data, PROVIDER_NAMES.canonical(provider)) for data in sources]
    merged = merge(sources, now)
    stand_ins = {one.model: one.through for one in merged.judged if one.through is not None}
    plan = plan_sync(stored, merged.data, now=now, accept=accept, stand_ins=stand_ins, unproven=merged.unproven)
    found = news(
        reviews,
        reviews_of(plan, merged),
        settled=settled(plan, merged),
        accepted=_accepted(reviews, Rules(now, accept), plan),
    )
    return Prepared(plan, merged, found, tuple(_holders(stored, plan.added_rows)))


def _only(data: CatalogueData, provider: str) -> CatalogueData:
    return replace(
        data,
        prices=tuple(price for price in data.prices if price.provider == provider),
        left_out=tuple(item for item in data.left_out if item.provider == provider),
    )


def _accepted(reviews: Sequence[PriceReview], rules: Rules, plan: SyncPlan) -> list[Model]:
    """Models whose large change was taken because it was accepted by name."""
    added = {(row.provider, row.model_id) for row in plan.added_rows}
    return [
        (r.provider, r.model_id)
        for r in reviews
        if (r.provider, r.model_id) in added and rules.accepts(r.provider, r.model_id)
    ]


def _holders(stored: Sequence[Price], added: Sequence[Price]) -> list[Price | None]:
    """For every added row the price that holds where it begins."""
    timelines: dict[Model, list[Price]] = {}
    for price in (*stored, *added):
        timelines.setdefault((price.provider, price.model_id), []).append(price)
    found = []
    for row in added:
        start = row.effective_from
        before = [p for p in timelines[row.provider, row.model_id] if p is not row and start and p.valid_at(start)]
        found.append(before[0] if before else None)
    return found
