"""Forecasts and exports: routes that servers of this version do not have yet, and say so."""

from __future__ import annotations

from typing import Any, Optional

from llm_cost_ops._requests import Call, part
from llm_cost_ops.exceptions import NotFoundError
from llm_cost_ops.models.base import Model, one
from llm_cost_ops.resources.asynchronous.calling import AsyncResource


class _Planned(AsyncResource):
    _what: str

    async def _ask(
        self, method: str, path: str, params: dict[str, Any], body: Optional[dict[str, Any]] = None
    ) -> Model:
        try:
            return await self._caller.call(Call(method, path, one(Model), params, body))
        except NotFoundError as error:
            if error.details.get("reason") == "unknown_path" or "no such path" in error.message.lower():
                message = f"this server has no {self._what}: {method} /api/v1/{path} is not there"
                raise NotFoundError(message, error.code, error.status, error.request_id, error.details) from error
            raise


class AsyncForecasts(_Planned):
    """`client.forecasts`."""

    _what = "forecasts"

    async def get(self, **question: Any) -> Model:
        """What usage will cost."""
        return await self._ask("GET", "forecasts", self._mine(question))

    async def anomalies(self, **question: Any) -> Model:
        """What is out of the ordinary."""
        return await self._ask("GET", "forecasts/anomalies", self._mine(question))

    async def budget(self, **fields: Any) -> Model:
        """When a budget will be spent."""
        return await self._ask("POST", "forecasts/budget", {}, self._mine(fields))

    async def what_if(self, **fields: Any) -> Model:
        """What something else would cost."""
        return await self._ask("POST", "forecasts/what-if", {}, self._mine(fields))


class AsyncExports(_Planned):
    """`client.exports`."""

    _what = "exports"

    async def create(self, **fields: Any) -> Model:
        """Have an export made."""
        return await self._ask("POST", "export", {}, self._mine(fields))

    async def get(self, export_id: str) -> Model:
        """An export, and how far it is."""
        return await self._ask("GET", f"export/{part(export_id)}", {})
