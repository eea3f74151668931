"""OTLP exports to send: spans of model calls as an OpenTelemetry SDK sends them, in batches, packed with gzip.

The resource, scope and attributes are those that the Python SDK and its OpenAI instrumentation write (GenAI semantic
conventions); 512 spans is the SDK's own batch size. Exports are made before the clock starts, every span with ids of
its own, so that what is measured is not how fast they can be made.
"""

from __future__ import annotations

import gzip
import random
import time
from collections import deque

from benchmarks.models import CACHED_SHARE, MODELS
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

BATCH = 512
READY = 400
_RESOURCE = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
    "service.name": "assistant",
    "service.instance.id": "5f0c0b1e-3a0b-4a53-9b8b-0f9f3f3f1c55",
    "deployment.environment.name": "production",
}
_SCOPE = ("opentelemetry.instrumentation.openai_v2", "2.3b0")
_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "google": "gcp.gemini"}


class Exports:
    """Requests that each carry a batch of spans; of `spans`, every `calls_in`th is a model call."""

    def __init__(self, *, host: str, key: str, spans: int, calls_in: int, ready: int = READY) -> None:
        self._chance = random.Random()
        self._spans, self._calls_in = spans, calls_in
        self._head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            "User-Agent: OTel-OTLP-Exporter-Python/1.45.2\r\nContent-Type: application/x-protobuf\r\n"
            "Content-Encoding: gzip\r\n"
        )
        self._ready = deque(self._made() for _ in range(ready))

    def next(self) -> bytes:
        """A request that was not sent yet."""
        return self._ready.popleft() if self._ready else self._made()

    def _made(self) -> bytes:
        body = gzip.compress(self._request().SerializeToString())
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _request(self) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(_RESOURCE))
        scoped = group.scope_spans.add()
        scoped.scope.name, scoped.scope.version = _SCOPE
        now_ns = time.time_ns()
        for number in range(self._spans):
            span = scoped.spans.add()
            span.trace_id, span.span_id = self._chance.randbytes(16), self._chance.randbytes(8)
            span.parent_span_id = self._chance.randbytes(8)
            span.flags = 256
            span.start_time_unix_nano = now_ns - self._chance.randrange(20_000_000_000)
            span.end_time_unix_nano = span.start_time_unix_nano + self._chance.randrange(10**8, 10**10)
            if number % self._calls_in == 0:
                self._call(span)
            else:
                self._step(span)
        return request

    def _call(self, span: Span) -> None:
        chance = self._chance
        provider = chance.choice(tuple(MODELS))
        model = chance.choice(MODELS[provider])
        prompt = int(chance.lognormvariate(7.5, 1.2)) % 90_000 + 1
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS[provider],
            "gen_ai.request.model": model,
            "gen_ai.request.temperature": 0.7,
            "gen_ai.request.max_tokens": 4096,
            "gen_ai.response.model": model,
            "gen_ai.response.id": f"chatcmpl-{chance.randbytes(14).hex()}",
            "gen_ai.usage.input_tokens": prompt,
            "gen_ai.usage.output_tokens": int(chance.lognormvariate(5.5, 1.0)) % 16_000 + 1,
            "server.address": "api.openai.com" if provider == "openai" else "gateway.internal",
            "server.port": 443,
            "session.id": f"session-{chance.randrange(5_000)}",
            "user.id": f"user-{chance.randrange(10_000):05d}",
        }
        if chance.random() < CACHED_SHARE:
            attributes["gen_ai.usage.cache_read.input_tokens"] = int(prompt * chance.uniform(0.1, 0.9))
        span.name, span.kind = f"chat {model}", Span.SPAN_KIND_CLIENT
        span.attributes.extend(_pairs(attributes))

    def _step(self, span: Span) -> None:
        """A span of the application around its calls, which is none."""
        span.name, span.kind = "GET /documents", Span.SPAN_KIND_INTERNAL
        attributes = {"http.request.method": "GET", "http.route": "/documents", "http.response.status_code": 200}
        span.attributes.extend(_pairs(attributes))


def _pairs(attributes: dict[str, str] | dict[str, str | int] | dict[str, str | int | float]) -> list[KeyValue]:
    found = []
    for name, value in attributes.items():
        pair = KeyValue(key=name)
        if isinstance(value, str):
            pair.value.string_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.double_value = value
        found.append(pair)
    return found
