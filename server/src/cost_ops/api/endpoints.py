"""From a request to an answer: authenticate, parse, run the handler in a thread, encode, or say what went wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from cost_ops.api.arrival import API_PATHS, Arrival
from cost_ops.api.bodies import ClientGone, parse_json, read_body
from cost_ops.api.errors import InternalError, encoded, envelope, headers_of, status_of
from cost_ops.api.operations import Call, Operation, Reply, respond
from cost_ops.api.parameters import read_parameters
from cost_ops.api.process import Process
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import CostOpsError, Forbidden
from cost_ops.logs import logger

Endpoint = Callable[[Request], Awaitable[Response]]
NOBODY = Principal(None, None, frozenset())
_log = logger("cost_ops.api")


def endpoint(operations: Sequence[Operation], process: Process) -> Endpoint:
    """The Starlette endpoint of all operations of one path. HEAD is answered as GET, without the body."""
    by_method = {method: operation for operation in operations for method in operation.methods}
    if "GET" in by_method:
        by_method.setdefault("HEAD", by_method["GET"])

    async def answer(request: Request) -> Response:
        operation = by_method[request.method]
        request.scope["route_template"] = request.scope["arrival"].route = operation.path
        try:
            return await _answer(operation, process, request)
        except CostOpsError as error:
            process.door.refused(request.scope["arrival"], error, status_of(error))
            return error_response(error, request)
        except ClientGone:
            return Response(status_code=400)
        except Exception:  # noqa: BLE001 (the last line: the caller gets an envelope, the log the cause)
            _log.exception("a request failed", method=request.method, path=operation.path)
            return error_response(InternalError(), request)

    return answer


async def _answer(operation: Operation, process: Process, request: Request) -> Response:
    arrival: Arrival = request.scope["arrival"]
    principal = NOBODY
    if not operation.public:
        principal = await process.door.admit(arrival, operation.permission)
        _check_scope(operation, principal)
    elif operation.path.startswith(API_PATHS):
        process.door.admit_anybody(arrival)
    given = read_parameters(request.query_params.multi_items(), operation.parameters, tags=operation.tag_filters)
    body = None
    if operation.body is not None:
        limit = process.application.settings.server.max_body_bytes
        body = parse_json(await read_body(arrival.headers, request.receive, limit))
    ctx = process.application.context(principal, arrival.request_id, arrival.address)
    call = Call(process, ctx, given, request.path_params, body, arrival.headers)
    return await run_in_threadpool(_run, operation, call)


def _check_scope(operation: Operation, principal: Principal) -> None:
    """Who may see a part of the usage gets no answer that is made of all of it. Raises Forbidden."""
    if operation.scoped or operation.permission is None or principal.scope_of(operation.permission).is_everything:
        return
    raise Forbidden(operation.permission, "this answer cannot be narrowed to the part that this credential may see")


def _run(operation: Operation, call: Call) -> Response:
    if operation.handler is None:
        raise TypeError(f"{operation.path} is answered by the gateway, not here")
    found = operation.handler(call)
    if isinstance(found, Response):
        return found
    if isinstance(found, Reply):
        return respond(found.status, encoded(found.value), found.headers)
    return respond(200, encoded(found))


def error_response(error: CostOpsError, request: Request) -> Response:
    """The envelope of an error, with its status and headers."""
    response = respond(status_of(error), envelope(error, request.scope["arrival"].request_id))
    for name, value in headers_of(error):
        response.headers[name.decode()] = value.decode()
    return response
