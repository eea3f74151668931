"""Long lists: a page, and the way to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, Optional, TypeVar

from llm_cost_ops._requests import Call
from llm_cost_ops.models.base import Model
from llm_cost_ops.models.pagination import Pagination
from llm_cost_ops.resources.asynchronous.calling import AsyncCaller

_Item = TypeVar("_Item", bound=Model)


class AsyncPage(Generic[_Item]):
    """A page of a list: `data` and `pagination`. Iterating over it goes on through all pages after it."""

    def __init__(self, caller: AsyncCaller, path: str, params: Mapping[str, Any], kind: type[_Item], body: Any) -> None:
        self._caller, self._path, self._params, self._kind = caller.with_raw(raw=False), path, params, kind
        self.data: list[_Item] = [kind(told) for told in body["data"]]
        told = body.get("pagination") or {"page": 1, "has_next": False, "has_previous": False}
        self.pagination: Pagination = Pagination(told)

    async def next_page(self) -> Optional[AsyncPage[_Item]]:
        """The page after this one; None after the last."""
        if not self.pagination.has_next:
            return None
        params = {name: value for name, value in self._params.items() if name not in ("page", "cursor")}
        if self.pagination.next_cursor:
            params["cursor"] = self.pagination.next_cursor
        else:
            params["page"] = self.pagination.page + 1
        return await self._caller.call(page_of(self._caller, self._path, params, self._kind))

    async def auto_paging(self) -> AsyncIterator[_Item]:
        """Everything from this page on."""
        page: Optional[AsyncPage[_Item]] = self
        while page is not None:
            for item in page.data:
                yield item
            page = await page.next_page()

    def __aiter__(self) -> AsyncIterator[_Item]:
        return self.auto_paging()

    def __repr__(self) -> str:
        return f"<page {self.pagination.page} with {len(self.data)} of {self.pagination.total_items}>"


def page_of(caller: AsyncCaller, path: str, params: Mapping[str, Any], kind: type[_Item]) -> Call[AsyncPage[_Item]]:
    """Asks for a page."""
    return Call("GET", path, lambda body: AsyncPage(caller, path, params, kind, body), params)
