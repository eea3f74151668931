"""The processes of `sdk_overhead`: a provider that answers at once, and a contender that times its calls.

python -m benchmarks.sdk_calls provider            says its port
python -m benchmarks.sdk_calls ours http://…       reads `whole 40` or `stream 40`, and says, as JSON, the
                                                       nanoseconds of each call and those its thread worked
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

_MESSAGES: Any = [{"role": "user", "content": "How cold is it in Oslo?"}]
_ABOUT = {"id": "chatcmpl-00000000000000000001", "created": 1793620800, "model": "gpt-5-2025-08-07"}
_USED = {
    "prompt_tokens": 2006,
    "completion_tokens": 412,
    "total_tokens": 2418,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 320, "audio_tokens": 0},
}
_CHUNKS = 20


def _answer(path: str, body: bytes) -> tuple[str, bytes]:
    if b"/usage" in path.encode():
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        records = json.loads(text).get("records", [{}])
        results = [{"index": n, "usage_id": f"u{n}", "status": "computed"} for n in range(len(records))]
        data = {"accepted": len(records), "replayed": 0, "rejected": 0, "results": results}
        return "application/json", json.dumps({"data": data}).encode()
    if b'"stream":true' not in body.replace(b" ", b""):
        message = {"role": "assistant", "content": "Cold. " * 40}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        whole = {**_ABOUT, "object": "chat.completion", "choices": choices, "usage": _USED}
        return "application/json", json.dumps(whole).encode()
    chunk = {**_ABOUT, "object": "chat.completion.chunk", "usage": None}
    chunks = [{**chunk, "choices": [{"index": 0, "delta": {"content": "Cold. "}}]}] * _CHUNKS
    if b"include_usage" in body:
        chunks.append({**chunk, "choices": [], "usage": _USED})
    text = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks)
    return "text/event-stream", f"{text}data: [DONE]\n\n".encode()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")), 0
            )
            kind, content = _answer(head.split(" ", 2)[1], await reader.readexactly(length))
            about = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(about.encode() + content)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _provide() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _bare(url: str) -> Any:
    from openai import OpenAI

    return OpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0)


class _Nowhere:
    """A delivery, or an exporter, that takes everything and does nothing."""

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        """Take a record."""

    def flush(self, _timeout: float | None = None) -> bool:
        """Nothing waits."""
        return True

    def close(self, timeout: float | None = None) -> None:
        """Nothing waits."""


def _ours(url: str) -> Any:
    from llm_cost_ops import CostOpsClient, instrument

    instrument(CostOpsClient("key", url, "org", delivery=_Nowhere()), only=["openai"])
    return _bare(url)


def _ours_delivering(url: str) -> Any:
    import os

    from llm_cost_ops import CostOpsClient, instrument

    os.environ["COST_OPS_SPOOL"] = tempfile.mkdtemp(prefix="cost-ops-bench-")
    instrument(CostOpsClient("key", url, "org"), only=["openai"])
    return _bare(url)


def _exporter() -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, _spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    return Nowhere()


def _langfuse(url: str) -> Any:
    from langfuse import Langfuse
    from langfuse.openai import OpenAI

    Langfuse(public_key="pk", secret_key="sk", host="http://127.0.0.1:9", span_exporter=_exporter())
    return OpenAI(api_key="sk-test", base_url=f"{url}/v1", max_retries=0)


def _openllmetry(url: str) -> Any:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return _bare(url)


_CLIENTS: dict[str, Callable[[str], Any]] = {
    "bare": _bare,
    "ours": _ours,
    "ours-delivering": _ours_delivering,
    "langfuse": _langfuse,
    "openllmetry": _openllmetry,
}


def _call(name: str, url: str) -> None:
    completions = _CLIENTS[name](url).chat.completions
    print("ready", flush=True)
    for line in sys.stdin:
        kind, calls = line.split()
        times = []
        for _ in range(int(calls)):
            worked, start = time.thread_time_ns(), time.perf_counter_ns()
            if kind == "whole":
                completions.create(model="gpt-5", messages=_MESSAGES)
            else:
                for _chunk in completions.create(model="gpt-5", messages=_MESSAGES, stream=True):
                    pass
            times.append((time.perf_counter_ns() - start, time.thread_time_ns() - worked))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "provider":
        asyncio.run(_provide())
    else:
        _call(sys.argv[1], sys.argv[2])
