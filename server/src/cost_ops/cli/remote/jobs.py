"""Background jobs of a server."""

from __future__ import annotations

from cost_ops.cli.errors import Refused
from cost_ops.cli.jobs_backend import Document, JobSearch
from cost_ops.cli.remote.client import Client


class RemoteJobs:
    """Jobs as the holder of an admin key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, wanted: JobSearch) -> tuple[list[Document], int]:
        """Jobs, newest first, and how many there are in all."""
        return self._client.pages("/jobs", {"status": wanted.status, "kind": wanted.kind}, wanted.limit)

    def get(self, job_id: str) -> Document:
        """One job."""
        found: Document = self._client.get(f"/jobs/{job_id}")["data"]
        return found

    def run(self, kind: str) -> Document:
        """Queue a job of a kind."""
        found: Document = self._client.send("POST", "/jobs/run", body={"kind": kind})["data"]
        return found

    def run_here(self, kind: str) -> Document:
        """Not through a server."""
        raise Refused(f"--now does {kind} in this process, and needs the database; name it with --database-url")

    def retry(self, job_id: str) -> Document:
        """Have a dead job, or one that waits, run now."""
        found: Document = self._client.send("POST", f"/jobs/{job_id}/retry")["data"]
        return found
