"""Re-pricing through a server: it does the run, we look how far it is."""

from __future__ import annotations

import time
from typing import Any

from cost_ops.cli.backend import Document, Watch
from cost_ops.cli.errors import RemoteError
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant
from cost_ops.domain.reprice_runs import RepriceRequest

LOOK_EVERY_SECONDS = 0.25
_PATH = "/costs/reprice"
_FIELDS = {"provider": "provider", "model": "model_id", "project": "project_id", "status": "status"}


class RemoteRepricing:
    """Re-pricing as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def dry_run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:  # noqa: ARG002
        """What would change, in one answer."""
        found: Document = self._client.send("POST", _PATH, body=_body(organization_id, request, dry_run=True))["data"]
        return found

    def run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:
        """Begin a run and wait for its end."""
        begun = self._client.send("POST", _PATH, body=_body(organization_id, request, dry_run=False))["data"]
        return self._wait(begun, watch)

    def resume(self, organization_id: str | None, number: int, watch: Watch) -> Document:
        """Have a run taken up and wait for its end."""
        parameters = {"organization_id": organization_id}
        return self._wait(self._client.send("POST", f"{_PATH}/{number}/resume", parameters=parameters)["data"], watch)

    def _wait(self, run: Document, watch: Watch) -> Document:
        parameters = {"organization_id": run["organization_id"]}
        while run["status"] == "running":
            watch(int(run["progress"] * 10_000), 10_000)
            time.sleep(LOOK_EVERY_SECONDS)
            run = self._client.get(f"{_PATH}/{run['number']}", parameters)["data"]
        if run["status"] != "finished":
            message = f"run {run['number']} was stopped on the server; go on with --resume {run['number']}"
            raise RemoteError(0, "STOPPED", message)
        return run


def _body(organization_id: str | None, request: RepriceRequest, *, dry_run: bool) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "start_date": format_instant(request.span.start),
        "end_date": format_instant(request.span.end),
        **{_FIELDS[f.dimension]: list(f.values) for f in request.filters},
        "reason": request.reason,
        "unprice": request.unprice,
        "dry_run": dry_run,
    }
