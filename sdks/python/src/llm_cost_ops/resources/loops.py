"""The way from a client that waits to one that is awaited."""

from __future__ import annotations

from llm_cost_ops.resources.asynchronous.calling import AsyncCaller
from llm_cost_ops.resources.synchronous.calling import Caller


def on_loop(caller: Caller) -> AsyncCaller:
    """One with the same settings that asks on the event loop that runs, over connections of that loop."""
    transport = caller.transport.for_loops()
    return AsyncCaller(transport, caller.settings, caller.headers, raw=caller.raw, known=caller.known)
