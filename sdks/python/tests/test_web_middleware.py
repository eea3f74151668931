"""Calls of models belong to the route and the user of the request they were made for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from serving import serving
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.sync.client import connect

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.integrations.fastapi import CostOpsMiddleware
from llm_cost_ops.notices import NOTICES


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with contextlib.closing(ledger.client()) as client:
        yield client


def call(client: CostOpsClient, number: int = 1) -> None:
    """What stands for a call of a model: a record of so many tokens."""
    client.track(provider="openai", model_id="gpt-4o", input_tokens=number, output_tokens=0)


def said(ledger: Ledger, client: CostOpsClient) -> dict[int, tuple[Any, ...]]:
    """Route and user of each record, by its number of tokens."""
    assert client.flush(30)
    return {r["input_tokens"]: (r.get("tags", {}).get("route"), r.get("user_id")) for r in ledger.records()}


def named(request: Any) -> Any:
    return request.headers.get("x-user")


def application(client: CostOpsClient) -> FastAPI:
    app = FastAPI()
    app.add_middleware(CostOpsMiddleware, user=named)

    @app.get("/chat/{chat_id}")
    async def chat(chat_id: str, background: BackgroundTasks) -> dict[str, str]:
        call(client, 1)
        background.add_task(call, client, 2)
        return {"chat": chat_id}

    @app.get("/threads/{number}")
    def in_a_thread(number: int) -> str:
        call(client, 3)
        return "done"

    @app.get("/stream/{path:path}")
    async def stream(path: str) -> StreamingResponse:
        async def pieces() -> Any:
            yield b"one"
            await asyncio.to_thread(call, client, 4)
            yield b"two"

        return StreamingResponse(pieces())

    @app.websocket("/socket/{room}")
    async def socket(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        await asyncio.create_task(asyncio.to_thread(call, client, 5))
        await websocket.send_text("done")
        await websocket.close()

    return app


def test_every_kind_of_endpoint_attributes_to_the_template_of_its_route_and_to_its_user(
    ledger: Ledger, client: CostOpsClient
) -> None:
    with serving(application(client)) as url:
        for path in ("chat/42", "threads/007", "stream/a/b/c"):
            answer = httpx2.get(f"{url}/{path}", headers={"X-User": "ana"})
            assert answer.status_code == 200, answer.text
        with connect(f"{url.replace('http', 'ws')}/socket/7", additional_headers={"X-User": "ben"}) as socket:
            assert socket.recv(timeout=30) == "done"
    assert said(ledger, client) == {
        1: ("/chat/{chat_id}", "ana"),
        2: ("/chat/{chat_id}", "ana"),
        3: ("/threads/{number}", "ana"),
        4: ("/stream/{path}", "ana"),
        5: ("/socket/{room}", "ben"),
    }


def test_mounted_applications_and_included_routers_are_whole_templates(ledger: Ledger, client: CostOpsClient) -> None:
    def ask(request: Any) -> PlainTextResponse:
        call(client, int(request.query_params["n"]))
        return PlainTextResponse("done")

    inner = APIRouter(prefix="/rooms")

    @inner.get("/{room}/ask")
    def of_a_room(room: str, n: int) -> str:
        call(client, n)
        return "done"

    outer = APIRouter(prefix="/v1/{tenant}")
    outer.include_router(inner, prefix="/chats")
    sub = FastAPI()
    sub.include_router(outer)
    app = Starlette(
        routes=[
            Mount("/tenants/{tenant:int}", routes=[Route("/users/{user}", ask), Mount("/x", app=asgi_only(client))]),
            Mount("/sub", app=sub),
        ]
    )
    app.add_middleware(CostOpsMiddleware)
    with serving(app) as url:
        asked = ["tenants/042/users/042?n=1", "sub/v1/acme/chats/rooms/acme/ask?n=2", "tenants/7/x/any/thing?n=3"]
        for path in [*asked, "no/such/path?n=4"]:
            assert httpx2.get(f"{url}/{path}").status_code == (404 if "such" in path else 200)
    assert said(ledger, client) == {
        1: ("/tenants/{tenant}/users/{user}", None),
        2: ("/sub/v1/{tenant}/chats/rooms/{room}/ask", None),
        3: ("/tenants/{tenant}/x/{path}", None),
    }


def asgi_only(client: CostOpsClient) -> Any:
    """An application that has no routes of its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "there is nothing to start"
        call(client, 3)
        await PlainTextResponse("done")(scope, receive, send)

    return app


def test_a_raw_path_is_never_a_tag(ledger: Ledger, client: CostOpsClient) -> None:
    app = CostOpsMiddleware(asgi_only(client), project="web", team=lambda request: None, tags={"app": "shop"})
    with serving(app) as url:
        assert httpx2.get(f"{url}/users/42").text == "done"
    assert client.flush(30)
    [record] = ledger.records()
    assert (record["tags"], record["project_id"], record.get("team_id")) == ({"app": "shop"}, "web", None)


def test_what_is_before_the_application_is_no_part_of_the_route(ledger: Ledger, client: CostOpsClient) -> None:
    inner = application(client)

    async def front(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "root_path": "/customer-9"}, receive, send)

    with serving(front) as url:
        assert httpx2.get(f"{url}/customer-9/chat/42").status_code == 200
    assert set(said(ledger, client).values()) == {("/chat/{chat_id}", None)}


def test_who_asks_may_be_known_only_inside_and_a_block_wins(ledger: Ledger, client: CostOpsClient) -> None:
    app = FastAPI()

    async def log_in(request: Request, call_next: Any) -> Any:
        request.state.account = f"account-{request.headers['x-account']}"
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=log_in)
    app.add_middleware(
        CostOpsMiddleware,
        user=lambda request: request.state.account,
        session=lambda request: request.query_params.get("session"),
        tags=lambda request: {"host": "shop"},
        route_tag="http.route",
    )

    @app.get("/both")
    def both() -> str:
        call(client)
        with cost_context(user="ben", tags={"host": "other"}):
            call(client, 2)
        return "done"

    with serving(app) as url:
        assert httpx2.get(f"{url}/both?session=s1", headers={"X-Account": "7"}).status_code == 200
    assert client.flush(30)
    assert [(r["user_id"], r["session_id"], r["tags"]) for r in ledger.records()] == [
        ("account-7", "s1", {"host": "shop", "http.route": "/both"}),
        ("ben", "s1", {"host": "other", "http.route": "/both"}),
    ]


def test_a_function_that_fails_costs_its_field_and_nothing_else(
    ledger: Ledger, client: CostOpsClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NOTICES, "_silent_until", {})

    def broken(request: Any) -> str:
        raise LookupError("nobody")

    outer = FastAPI()
    outer.add_middleware(CostOpsMiddleware, user=broken)
    outer.router.routes.extend(application(client).router.routes)
    with serving(outer) as url:
        assert httpx2.get(f"{url}/threads/1").status_code == 200
    assert said(ledger, client) == {3: ("/threads/{number}", None)}
    assert "without its user_id: LookupError: nobody" in caplog.text


def test_requests_at_the_same_time_do_not_mix(ledger: Ledger, client: CostOpsClient) -> None:
    app = FastAPI()
    app.add_middleware(CostOpsMiddleware, user=named)
    both_are_here = asyncio.Event()
    waiting: list[str] = []

    @app.get("/wait/{n}")
    async def wait(n: int) -> str:
        waiting.append("here")
        if len(waiting) == 2:
            both_are_here.set()
        await asyncio.wait_for(both_are_here.wait(), 30)
        call(client, n)
        return "done"

    async def ask_both(url: str) -> None:
        async with httpx2.AsyncClient() as http:
            asked = [http.get(f"{url}/wait/{n}", headers={"X-User": f"user-{n}"}) for n in (1, 2)]
            assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200, 200]

    with serving(app) as url:
        asyncio.run(ask_both(url))
    assert {n: user for n, (_, user) in said(ledger, client).items()} == {1: "user-1", 2: "user-2"}


def test_a_function_that_would_have_to_be_awaited_is_refused() -> None:
    async def later(request: Any) -> str:
        return "ana"

    with pytest.raises(SettingsError, match="user must be a text or a `def` function"):
        CostOpsMiddleware(FastAPI(), user=later)
