"""The HTTP application: all routes behind one gateway, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cost_ops import __version__
from cost_ops.api.arrival import proxies_of
from cost_ops.api.background import MakeBackground
from cost_ops.api.cloud_events import Events
from cost_ops.api.endpoints import endpoint, error_response
from cost_ops.api.errors import InternalError, MethodNotAllowed
from cost_ops.api.gateway import Gateway, HotRoute
from cost_ops.api.ingest import Ingest
from cost_ops.api.openapi import document
from cost_ops.api.operations import Operation
from cost_ops.api.otlp import Traces
from cost_ops.api.process import assemble
from cost_ops.api.reserving import Reserving
from cost_ops.api.routes import OPERATIONS
from cost_ops.api.routes.ingest import BATCH_PATH, ONE_PATH
from cost_ops.api.routes.leases import RESERVE_PATH, SETTLE_PATH
from cost_ops.api.routes.telemetry import EVENTS_PATH, TRACES_PATH, TRACES_PATH_BELOW
from cost_ops.bootstrap import Application
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import CostOpsError, NotFound
from cost_ops.logs import logger

_log = logger("cost_ops.api")


def create_app(
    application: Application,
    *,
    owned: bool = False,
    background: MakeBackground | None = None,
    known: Mapping[str, Principal] | None = None,
) -> Gateway:
    """The ASGI application of an opened installation. It starts and stops the committer.

    `owned`: the process exists for this application: the installation is closed when the server ends, and the garbage
    collector leaves alone what is loaded when it begins. Otherwise closing is the caller's. `background` is work that
    begins and ends with the server. `known` are credentials that only this process takes.
    """
    process = assemble(application, background)
    for presented, principal in (known or {}).items():
        process.authenticator.know(presented, principal)
    ingest = Ingest(process)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        process.committer.start()
        process.refusals.start()
        try:
            await process.authenticator.warm()
            await ingest.warm()
        except CostOpsError as error:
            _log.warning("the database is not ready; the first requests will try again", error=error.message)
        if process.background is not None:
            process.background.start()
        if owned:
            gc.freeze()
        yield
        if process.background is not None:
            await asyncio.to_thread(process.background.stop)
        await asyncio.to_thread(process.decider.stop)
        await asyncio.to_thread(process.committer.stop)
        await asyncio.to_thread(process.repricer.close)
        await process.door.close()
        await process.authenticator.close()
        await asyncio.to_thread(process.refusals.stop)
        if owned:
            application.close()

    app = FastAPI(
        title="LLM Cost Ops",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = document  # type: ignore[method-assign]
    for path, operations in _by_path().items():
        methods = [method for operation in operations for method in operation.methods]
        app.add_route(path, endpoint(operations, process), methods=methods)
    app.add_exception_handler(HTTPException, _framework_error)
    traces = Traces(process, ingest)
    reserving = Reserving(process, ingest)
    hot: dict[str, HotRoute] = {
        RESERVE_PATH: reserving.reserve,
        SETTLE_PATH: reserving.settle,
        ONE_PATH: ingest.one,
        BATCH_PATH: ingest.batch,
        TRACES_PATH: traces.export,
        TRACES_PATH_BELOW: traces.export,
        EVENTS_PATH: Events(process, ingest).take,
    }
    return Gateway(app, hot, process.door, process.metrics, proxies_of(application.settings.server.trusted_proxies))


def _by_path() -> dict[str, list[Operation]]:
    """The operations with a handler; the gateway answers the others before they get here."""
    found: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        if operation.handler is not None:
            found.setdefault(operation.path, []).append(operation)
    return found


async def _framework_error(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself, in our envelope."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return error_response(MethodNotAllowed(request.method, allowed), request)
    if isinstance(error, HTTPException) and error.status_code == 404:
        return error_response(NotFound(f"No such path: {request.url.path[:200]}"), request)
    return error_response(InternalError(), request)
