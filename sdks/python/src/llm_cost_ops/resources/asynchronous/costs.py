"""Costs: what usage came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from llm_cost_ops._requests import Call
from llm_cost_ops.models.base import many, one
from llm_cost_ops.models.costs import Analytics, CostReport, Repricing
from llm_cost_ops.resources.asynchronous.calling import AsyncResource

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llm_cost_ops.models.fields import (
        AnalyticsQuestion,
        MoreOfAQuestion,
        OneOrMore,
        Query,
        Question,
        RepriceFields,
        Time,
    )


class AsyncCosts(AsyncResource):
    """`client.costs`."""

    async def get(
        self,
        organization_id: Optional[str] = None,
        start_date: Optional[Time] = None,
        end_date: Optional[Time] = None,
        group_by: Optional[OneOrMore] = None,
        **question: Unpack[MoreOfAQuestion],
    ) -> CostReport:
        """Sums, and a breakdown by `group_by`. The last 30 days where no range is given."""
        said = {"organization_id": organization_id, "start_date": start_date, "end_date": end_date}
        params = {**self._mine(said), "group_by": group_by, **question}
        return await self._caller.call(Call("GET", "costs", one(CostReport), params))

    async def summary(self, **question: Unpack[Question]) -> CostReport:
        """A period at a glance: this month by provider and model, unless the question says otherwise."""
        return await self._caller.call(Call("GET", "costs/summary", one(CostReport), self._mine(question)))

    async def query(self, **query: Unpack[Query]) -> CostReport:
        """A question with the filter language."""
        body = self._mine(query)
        return await self._caller.call(Call("POST", "costs/query", one(CostReport), body=body, repeatable=True))

    async def breakdown(self, **query: Unpack[Query]) -> CostReport:
        """As `query`; `group_by` is needed."""
        body = self._mine(query)
        return await self._caller.call(Call("POST", "costs/breakdown", one(CostReport), body=body, repeatable=True))

    async def analytics(self, **question: Unpack[AnalyticsQuestion]) -> Analytics:
        """Metrics by dimensions, as series over time."""
        return await self._caller.call(Call("GET", "analytics", one(Analytics), self._mine(question)))

    async def reprice(self, **fields: Unpack[RepriceFields]) -> Repricing:
        """Cost usage again by the prices of today. Only what would change, unless `dry_run=False`."""
        return await self._caller.call(Call("POST", "costs/reprice", one(Repricing), body=self._mine(fields)))

    async def repricings(self, organization_id: Optional[str] = None) -> list[Repricing]:
        """The newest runs."""
        params = self._mine({"organization_id": organization_id})
        return await self._caller.call(Call("GET", "costs/reprice", many(Repricing), params))

    async def repricing(self, number: int) -> Repricing:
        """A run, and how far it is."""
        return await self._caller.call(Call("GET", f"costs/reprice/{int(number)}", one(Repricing), self._mine({})))

    async def resume_repricing(self, number: int) -> Repricing:
        """Take up a run that stopped."""
        path = f"costs/reprice/{int(number)}/resume"
        return await self._caller.call(Call("POST", path, one(Repricing), self._mine({})))
