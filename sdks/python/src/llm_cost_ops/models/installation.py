"""The installation: who asks, how it is, and what it does on its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from llm_cost_ops.models.base import Model


class Who(Model):
    """Who a credential is, and what it may do."""

    kind: str
    """`user`, `key` or `owner` (an admin key)."""
    organization_id: Optional[str]
    permissions: list[str]
    scope: Optional[Any]
    plan: Optional[str]
    key_id: Optional[str]
    key_name: Optional[str]


class ServerHealth(Model):
    """Whether the server runs."""

    status: str
    version: Optional[str]


class Check(Model):
    """One thing that a server needs."""

    ok: bool


class Readiness(Model):
    """Whether the server can do its work, and what stands in the way."""

    status: str
    checks: dict[str, Check]

    @property
    def ready(self) -> bool:
        """Whether it can."""
        return bool(self.status == "ready")


class Job(Model):
    """A piece of work that the installation does in the background."""

    job_id: str
    kind: str
    status: str
    """`queued`, `running`, `done` or `dead`."""
    organization_id: Optional[str]
    attempts: int
    max_attempts: int
    run_at: Optional[datetime]
    started_at: Optional[datetime]
    finished_at: Optional[datetime]
    result: Optional[Any]
    error: Optional[str]
