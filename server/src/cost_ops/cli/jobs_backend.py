"""What the job commands need of a ledger, be it a database or a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobSearch:
    """Which jobs to list: at most `limit`, the newest first."""

    status: str | None = None
    kind: str | None = None
    limit: int = 20


class JobsBackend(Protocol):
    """Background jobs, for the installation's owner."""

    def search(self, wanted: JobSearch) -> tuple[list[Document], int]:
        """Jobs, newest first, and how many there are in all."""

    def get(self, job_id: str) -> Document:
        """One job."""

    def run(self, kind: str) -> Document:
        """Queue a job of a kind."""

    def run_here(self, kind: str) -> Document:
        """Do a job of a kind here and now: the job as it ended. Raises Refused where that cannot be."""

    def retry(self, job_id: str) -> Document:
        """Have a dead job, or one that waits, run now."""
