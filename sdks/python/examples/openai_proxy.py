"""A proxy in front of OpenAI, or any API like it, that records every call and holds projects to their budgets.

    pip install ./sdks/python starlette uvicorn
    uvicorn openai_proxy:app --port 9100

Point your applications at it: OPENAI_BASE_URL=http://127.0.0.1:9100/v1, with their own OpenAI keys, and a header
`X-Project: search` that says whose call it is. Reads COST_OPS_API_URL and COST_OPS_API_KEY (the ledger), UPSTREAM_URL
(https://api.openai.com/v1) and PROVIDER (openai).
"""

import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from llm_cost_ops import AsyncCostOpsClient, CostOpsClient, CostOpsError
from llm_cost_ops.exceptions import BudgetExceededError
from llm_cost_ops.instrumentation.skeletons import skeleton

UPSTREAM = os.environ.get("UPSTREAM_URL", "https://api.openai.com/v1").rstrip("/")
PROVIDER = os.environ.get("PROVIDER", "openai")
NOT_PASSED_ON = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "content-encoding"}
log = logging.getLogger("openai_proxy")


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.tracking = CostOpsClient()  # in the background, kept on disk while the ledger is away
    async with AsyncCostOpsClient() as app.state.costs, httpx2.AsyncClient(timeout=600) as app.state.upstream:
        yield
    app.state.tracking.close()


async def pass_on(request: Request) -> Response:
    """One call: hold what it may cost, make it, record what it did cost."""
    body = await request.json()
    stream = bool(body.get("stream"))
    if stream and request.path_params["path"] == "chat/completions":
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}  # else it says no usage
    belongs = {"project_id": request.headers.get("x-project", "unknown"), "user_id": request.headers.get("x-user")}
    call = {"provider": PROVIDER, "model_id": body.get("model"), **{k: v for k, v in belongs.items() if v}}
    try:
        lease_id = await reserve(request, call, body)
    except BudgetExceededError as error:
        return refused(429, "budget_exceeded", error.message)

    headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
    url = f"{UPSTREAM}/{request.path_params['path']}"
    try:
        sent = request.app.state.upstream.build_request("POST", url, json=body, headers=headers)
        answer = await request.app.state.upstream.send(sent, stream=True)
    except httpx2.HTTPError as error:  # whether it was billed is not known, so the lease is left to run out
        return refused(502, "upstream_unreachable", f"{UPSTREAM} was not reached: {type(error).__name__}")

    told = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_ON}
    if stream and answer.status_code == 200:
        return StreamingResponse(streamed(request, answer, lease_id, call), headers=told)
    content = await answer.aread()
    if answer.status_code == 200:
        await record(request, lease_id, call, skeleton(json.loads(content)))
    elif lease_id:
        with contextlib.suppress(CostOpsError):  # it runs out by itself
            await request.app.state.costs.budgets.release(lease_id)
    return Response(content, answer.status_code, told)


async def reserve(request: Request, call: dict, body: dict) -> str | None:
    """Hold what the call may cost. Where the ledger cannot say, the call is made all the same."""
    longest = body.get("max_completion_tokens") or body.get("max_output_tokens") or body.get("max_tokens") or 4000
    guess = {"input_tokens": len(json.dumps(body)) // 4, "max_output_tokens": longest}
    try:
        return (await request.app.state.costs.budgets.reserve(**call, **guess)).lease_id
    except BudgetExceededError:
        raise
    except CostOpsError as error:
        log.warning("nothing was reserved: %s", error)
        return None


async def streamed(request: Request, answer: httpx2.Response, lease_id: str | None, call: dict) -> AsyncIterator[bytes]:
    """The stream as it comes; of its events only what they say of usage is kept."""
    events, rest = [], b""
    try:
        async for piece in answer.aiter_bytes():
            yield piece
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    event = skeleton(json.loads(line[6:]))
                    events[1 if events else 0 :] = [event]  # the first has the id, the last has the usage
    finally:
        with anyio.CancelScope(shield=True):  # also where the application hung up
            await answer.aclose()
            await record(request, lease_id, call, events)


async def record(request: Request, lease_id: str | None, call: dict, response: object) -> None:
    """Settle the lease with what was used; where that fails, the call is recorded in the background."""
    try:
        if lease_id:
            await request.app.state.costs.budgets.settle(lease_id, response=response)
            return
    except CostOpsError as error:
        log.warning("the lease %s was not settled: %s", lease_id, error)
    request.app.state.tracking.track(**call, response=response)


def refused(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "cost_ops", "code": code, "param": None}}, status)


app = Starlette(routes=[Route("/v1/{path:path}", pass_on, methods=["POST"])], lifespan=lifespan)
