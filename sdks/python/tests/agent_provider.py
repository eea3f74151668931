"""An OpenAI on this machine for whole runs of agents: it hands over, calls a tool and then answers, by what it is offered.

Every answer has the counts of the recorded ones, so each call costs what was worked out by hand. Paths are those of chat
completions and of Responses, streamed or not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.fake_providers import _fresh, case

SECRET = "the-secret-of-the-answer"
"""What a model says; it must never be found in the ledger or on the way to it."""


class AgentProvider:
    """Where it is, and what it was asked."""

    def __init__(self, url: str, asked: list[dict[str, Any]]) -> None:
        self.url = url
        self.asked = asked


def _next_call(asked: dict[str, Any]) -> str | None:
    """The tool to call: the first that is offered and was not called yet, hand-overs first."""
    tools = [tool.get("function", tool).get("name") for tool in asked.get("tools") or []]
    turns = json.dumps(asked.get("messages", asked.get("input")))
    for name in sorted(tools, key=lambda name: not str(name).startswith("transfer_to")):
        if name and f'"name": "{name}"' not in turns:
            return str(name)
    return None


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = _fresh(case("openai-chat")["answer"])
    [choice], name = whole["choices"], _next_call(asked)
    if name is None:
        choice["message"] = {"role": "assistant", "content": SECRET, "refusal": None, "annotations": []}
        choice["finish_reason"] = "stop"
    else:
        choice["message"]["tool_calls"][0]["function"] = {"name": name, "arguments": _arguments(name)}
    return whole


def _arguments(name: str) -> str:
    return "{}" if name.startswith("transfer_to") else '{"city": "Oslo"}'


def _chat_events(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    whole = _chat(asked)
    [choice] = whole["choices"]
    calls = choice["message"].get("tool_calls")
    delta = {"role": "assistant", "content": choice["message"]["content"]}
    if calls:
        delta["tool_calls"] = [{"index": 0, **calls[0]}]
    chunk = {**whole, "object": "chat.completion.chunk", "usage": None}
    yield {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield {**chunk, "choices": [], "usage": whole["usage"]}


def _response(asked: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = _fresh(case("openai-responses")["answer"])
    name = _next_call(asked)
    if name is None:
        whole["output"][-1]["content"][0]["text"] = SECRET
    else:
        [reasoning, *searches, _] = whole["output"]
        own = {"id": f"fc_{whole['id']}", "call_id": f"call_{whole['id']}", "status": "completed"}
        called = {"type": "function_call", **own, "name": name, "arguments": _arguments(name)}
        whole["output"] = [reasoning, *searches, called]
    return whole


def _response_events(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    whole = _response(asked)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "service_tier": "auto"}
    yield {"type": "response.created", "response": begun, "sequence_number": 0}
    for at, item in enumerate(whole["output"]):
        for event in _item_events(item):
            yield {"sequence_number": 0, "output_index": at, "item_id": item["id"], **event}
    yield {"type": "response.completed", "response": whole, "sequence_number": 9}


def _item_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if item["type"] == "message":
        [text] = item["content"]
        yield {"type": "response.output_item.added", "item": {**item, "content": []}}
        part = {"content_index": 0, "logprobs": []}
        yield {"type": "response.content_part.added", "part": {**text, "text": ""}, **part}
        yield {"type": "response.output_text.delta", "delta": text["text"], **part}
        yield {"type": "response.output_text.done", "text": text["text"], **part}
    elif item["type"] == "function_call":
        yield {"type": "response.output_item.added", "item": {**item, "arguments": ""}}
        yield {"type": "response.function_call_arguments.delta", "delta": item["arguments"]}
    else:
        yield {"type": "response.output_item.added", "item": item}
    yield {"type": "response.output_item.done", "item": item}


@contextmanager
def running_agent_provider() -> Iterator[AgentProvider]:
    """The provider, until the block ends."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(asked)
            chat = self.path.endswith("/chat/completions")
            if asked.get("stream"):
                events = _chat_events(asked) if chat else _response_events(asked)
                text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
                self._send("text/event-stream", text + ("data: [DONE]\n\n" if chat else ""))
            else:
                self._send("application/json", json.dumps(_chat(asked) if chat else _response(asked)))

        def _send(self, content_type: str, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield AgentProvider(f"http://127.0.0.1:{server.server_address[1]}/v1", seen)
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
