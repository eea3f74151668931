"""An application of a test, served on this machine as in production: by uvicorn, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of an ASGI application, until the block ends."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="websockets-sansio")
    server, ready = uvicorn.Server(config), threading.Event()

    async def serve() -> None:
        await server.serve()

    async def main() -> None:
        serving_task = asyncio.ensure_future(serve())
        while not (server.started or serving_task.done()):
            await asyncio.sleep(0.01)
        ready.set()
        await serving_task

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(30), "the application did not start"
    assert server.started, "the application did not start"
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
