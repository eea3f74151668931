"""`AsyncCostOpsClient`: the same for programs with an event loop."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from llm_cost_ops._requests import Call
from llm_cost_ops._transport import AsyncTransport
from llm_cost_ops.client import changed
from llm_cost_ops.resources.asynchronous.calling import AsyncCaller
from llm_cost_ops.resources.asynchronous.surface import AsyncSurface
from llm_cost_ops.settings import Settings, resolve

if TYPE_CHECKING:
    import httpx2
    from typing_extensions import Self


class AsyncCostOpsClient(AsyncSurface):
    """`CostOpsClient` with methods that are awaited. It works on any asyncio loop, and on one after another."""

    def __init__(  # noqa: PLR0917  (in the order that the contract has)
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        organization_id: Optional[str] = None,
        default_pricing: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        *,
        http_transport: Optional[httpx2.AsyncBaseTransport] = None,
    ) -> None:
        """As `CostOpsClient`."""
        self.settings: Settings = resolve(
            api_key,
            base_url,
            organization_id,
            default_pricing=default_pricing,
            timeout=timeout,
            max_retries=max_retries,
        )
        self.transport = AsyncTransport(self.settings, http_transport)
        self._caller = AsyncCaller(self.transport, self.settings)
        self._root = self

    def with_options(
        self,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Self:
        """This client with other options, over the same connections."""
        other = copy.copy(self)
        other.settings = changed(self.settings, timeout, max_retries)
        more = {**self._caller.headers, **(headers or {})}
        other._caller = AsyncCaller(self.transport, other.settings, more, known=self._caller.known)
        return other

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Optional[Mapping[str, Any]] = None,
        json: Optional[Mapping[str, Any]] = None,
        repeatable: Optional[bool] = None,
    ) -> Any:
        """As `CostOpsClient.request`."""
        return await self._caller.call(Call(method, path, _as_it_is, params or {}, json, repeatable))

    async def close(self) -> None:
        """Close the connections of this loop; those of other loops end with them."""
        if self._root is self:
            await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.settings.organization_id or 'the key'} at {self.settings.base_url}>"


def _as_it_is(body: Any) -> Any:
    return body
