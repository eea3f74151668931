"""The installation: its health, who asks, and its background jobs."""

from __future__ import annotations

from typing import Optional

from llm_cost_ops._requests import Call, part
from llm_cost_ops.models.base import one
from llm_cost_ops.models.installation import Job, Readiness, ServerHealth, Who
from llm_cost_ops.resources.asynchronous.calling import AsyncResource
from llm_cost_ops.resources.asynchronous.pages import AsyncPage, page_of


class AsyncHealth(AsyncResource):
    """`client.health`."""

    async def check(self) -> ServerHealth:
        """Whether the server runs; its database is not asked."""
        return await self._caller.call(Call("GET", "/health", ServerHealth))

    async def ready(self) -> Readiness:
        """Whether it can do its work. Raises ServerError where it cannot."""
        return await self._caller.call(Call("GET", "/ready", Readiness))

    async def whoami(self) -> Who:
        """Who the key is, and what it may do."""
        return await self._caller.call(Call("GET", "auth/whoami", one(Who)))


class AsyncJobs(AsyncResource):
    """`client.jobs`: what the installation does on its own. Takes an admin key."""

    async def run(self, kind: str) -> Job:
        """Have a job done now. One that waits already is returned."""
        return await self._caller.call(Call("POST", "jobs/run", one(Job), body={"kind": kind}, repeatable=True))

    async def list(
        self,
        *,
        kind: Optional[str] = None,
        status: Optional[str] = None,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
    ) -> AsyncPage[Job]:
        """Jobs, newest first."""
        params = {"kind": kind, "status": status, "page": page, "page_size": page_size}
        return await self._caller.call(page_of(self._caller, "jobs", params, Job))

    async def get(self, job_id: str) -> Job:
        """One job; `result` is what came of it."""
        return await self._caller.call(Call("GET", f"jobs/{part(job_id)}", one(Job)))

    async def retry(self, job_id: str) -> Job:
        """Have a dead job, or one that waits, run now."""
        return await self._caller.call(Call("POST", f"jobs/{part(job_id)}/retry", one(Job)))
