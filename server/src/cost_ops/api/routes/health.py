"""Health and numbers: for load balancers, orchestrators and Prometheus. No key needed."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from cost_ops import __version__
from cost_ops.api.operations import Call, Routes
from cost_ops.domain.errors import CostOpsError, Unavailable

routes = Routes("Health")


class Health(Struct):
    """The process runs."""

    status: str
    version: str


class Readiness(Struct):
    """What was checked, and how it is."""

    status: str
    checks: dict[str, Any]


def _alive(_call: Call) -> Health:
    return Health("ok", __version__)


def _ready(call: Call) -> Readiness:
    checks: dict[str, Any] = {}
    try:
        found = call.application.storage.status()
        checks["database"] = {"ok": True, "engine": found.engine, "version": found.version}
        checks["schema"] = {"ok": found.migrated, "revision": found.schema_revision, "newest": found.schema_head}
    except CostOpsError as error:
        checks["database"] = {"ok": False, "reason": error.message}
    checks["committer"] = {"ok": call.process.committer.alive}
    bad = [name for name, check in checks.items() if not check["ok"]]
    if bad:
        unready = Unavailable(f"not ready: {', '.join(bad)}", retry_after=5)
        unready.details["checks"] = checks
        raise unready
    return Readiness("ready", checks)


def _metrics(call: Call) -> Response:
    beside = call.process.background
    text = call.process.metrics.text() + (b"" if beside is None else beside.metrics_text())
    return Response(text, media_type=CONTENT_TYPE_LATEST)


for _path in ("/health", "/live", "/health/live"):
    routes.add("GET", _path, summary="Alive; touches no database", answer=Health, public=True)(_alive)
for _path in ("/ready", "/health/ready"):
    routes.add(
        "GET", _path, summary="Ready: database, schema, committer", answer=Readiness, errors=(503,), public=True
    )(_ready)
routes.add("GET", "/metrics", summary="Numbers for Prometheus", answer=None, media="text/plain", public=True)(_metrics)
