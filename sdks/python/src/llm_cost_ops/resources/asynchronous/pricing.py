"""Prices: reading them, and adding your own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from llm_cost_ops._requests import Call, part
from llm_cost_ops.models.base import many, one
from llm_cost_ops.models.pricing import ChangedPrice, Price, PriceInForce, PriceSync, Unpriced
from llm_cost_ops.resources.asynchronous.calling import AsyncResource, given
from llm_cost_ops.resources.asynchronous.pages import AsyncPage, page_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llm_cost_ops.models.fields import PriceFields, Time


class AsyncPricing(AsyncResource):
    """`client.pricing`."""

    async def add(self, **fields: Unpack[PriceFields]) -> ChangedPrice:
        """Add a price: per 1,000 tokens, per million, or as `rates`. Raises ConflictError where it overlaps another."""
        return await self._caller.call(Call("POST", "pricing", one(ChangedPrice), body=self._mine(fields)))

    async def list(
        self,
        *,
        provider: Optional[str] = None,
        model_id: Optional[str] = None,
        layer: Optional[str] = None,
        current: Optional[bool] = None,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
        organization_id: Optional[str] = None,
    ) -> AsyncPage[Price]:
        """Prices that the key sees. `current=True`: only what is valid now."""
        asked = {"provider": provider, "model_id": model_id, "layer": layer, "current": current}
        params = {**self._mine({"organization_id": organization_id}), **asked, "page": page, "page_size": page_size}
        return await self._caller.call(page_of(self._caller, "pricing", params, Price))

    async def get(self, price_id: str) -> Price:
        """One price."""
        return await self._caller.call(Call("GET", f"pricing/{part(price_id)}", one(Price)))

    async def effective(
        self, provider: str, model_id: str, *, at: Optional[Time] = None, organization_id: Optional[str] = None
    ) -> PriceInForce:
        """The price that a call would have, now or at a time. Raises NotFoundError where there is none."""
        params = {**self._mine({"organization_id": organization_id}), "provider": provider, "model_id": model_id}
        return await self._caller.call(Call("GET", "pricing/effective", one(PriceInForce), {**params, "at": at}))

    async def history(
        self, model_id: str, *, provider: Optional[str] = None, organization_id: Optional[str] = None
    ) -> Sequence[PriceInForce]:
        """The prices of a model over time, oldest first."""
        params = {**self._mine({"organization_id": organization_id}), "provider": provider, "model_id": model_id}
        return await self._caller.call(Call("GET", "pricing/history", many(PriceInForce), params))

    async def unpriced(self, *, organization_id: Optional[str] = None) -> Sequence[Unpriced]:
        """Usage without a known price, by model."""
        params = self._mine({"organization_id": organization_id})
        return await self._caller.call(Call("GET", "pricing/unpriced", many(Unpriced), params))

    async def update(self, price_id: str, **fields: Unpack[PriceFields]) -> ChangedPrice:
        """A new version of a price, from `effective_date` or now; the old one ends there."""
        path = f"pricing/{part(price_id)}"
        return await self._caller.call(Call("PUT", path, one(ChangedPrice), body=given(fields)))

    async def delete(self, price_id: str, *, end_date: Optional[Time] = None) -> Price:
        """End a price, now or at a time. What it priced stays."""
        return await self._caller.call(Call("DELETE", f"pricing/{part(price_id)}", one(Price), {"end_date": end_date}))

    async def sync(
        self,
        *,
        sources: Optional[Sequence[Any]] = None,
        provider: Optional[str] = None,
        accept: Union[bool, Sequence[str], None] = None,
        dry_run: Optional[bool] = None,
    ) -> PriceSync:
        """Import the newest catalogue prices, or see what would change (`dry_run`). Takes an admin key."""
        body = given({"sources": sources, "provider": provider, "accept": accept, "dry_run": dry_run})
        return await self._caller.call(Call("POST", "pricing/sync", one(PriceSync), body=body, repeatable=True))
