"""Spans over OTLP/HTTP: what real exporters send is recorded, priced and answered as the specification says."""

import gzip
import json
import math
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from cost_ops.api.otlp_limits import MAX_PARTS, MAX_SPANS
from cost_ops.domain.errors import Unavailable
from tests.api.running import ORGANIZATION, OTHER, PRICE, Server
from tests.api.test_committer import faulty_server

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE = "5b8efff798038103d269b633813fc60c"
START = 1_772_442_900_000_000_000
CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 500,
}
Span = dict[str, Any]


def value_of(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else "NaN"}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(v) for v in value]}}
    return {"stringValue": value}


def pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value_of(value)} for key, value in attributes.items()]


def span(attributes: Mapping[str, Any], number: int = 1, parent: int = 0, **more: Any) -> Span:
    about = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": "chat gpt-4",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1_500_000_000),
        "attributes": pairs(attributes),
    }
    return {**about, **more}


def request(*spans: Span, **resource: Any) -> dict[str, Any]:
    attributes = {"service.name": "shop", **resource}
    scope = {"name": "opentelemetry.instrumentation.openai_v2", "version": "2.3"}
    group = {"resource": {"attributes": pairs(attributes)}, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}
    return {"resourceSpans": [group]}


def binary(body: dict[str, Any]) -> bytes:
    """The same request in protobuf, built field by field: ids are hex in OTLP's JSON, not base64."""
    message = ExportTraceServiceRequest()
    for group in body["resourceSpans"]:
        made = message.resource_spans.add()
        _fill(made.resource.attributes, group["resource"]["attributes"])
        for scoped in group["scopeSpans"]:
            into = made.scope_spans.add()
            into.scope.name, into.scope.version = scoped["scope"]["name"], scoped["scope"]["version"]
            for one in scoped["spans"]:
                added = into.spans.add(
                    trace_id=bytes.fromhex(one["traceId"]),
                    span_id=bytes.fromhex(one["spanId"]),
                    parent_span_id=bytes.fromhex(one["parentSpanId"]),
                    name=one["name"],
                    kind=one["kind"],
                    start_time_unix_nano=int(one["startTimeUnixNano"]),
                    end_time_unix_nano=int(one["endTimeUnixNano"]),
                )
                _fill(added.attributes, one["attributes"])
    return message.SerializeToString()


def _fill(attributes: Any, given_pairs: list[dict[str, Any]]) -> None:
    for pair in given_pairs:
        _set(attributes.add(key=pair["key"]).value, pair["value"])


def _set(into: Any, value: dict[str, Any]) -> None:
    ((kind, plain),) = value.items()
    if kind == "intValue":
        into.int_value = int(plain)
    elif plain == "NaN":
        into.double_value = math.nan
    elif kind == "arrayValue":
        for one in plain["values"]:
            _set(into.array_value.values.add(), one)
    else:
        setattr(
            into, {"stringValue": "string_value", "doubleValue": "double_value", "boolValue": "bool_value"}[kind], plain
        )


@dataclass
class Told:
    """What an exporter is told."""

    status: int
    rejected: int
    message: str
    headers: Mapping[str, str]


def send(server: Server, body: dict[str, Any] | bytes, media: str = JSON, key: str = "org", **more: Any) -> Told:
    """An export, and its answer read as its encoding says."""
    content = body if isinstance(body, bytes) else binary(body) if media == PROTOBUF else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {server.keys.get(key, key)}", "Content-Type": media, **more.pop("headers", {})}
    answer = server.client.post(server.url + more.pop("path", "/v1/traces"), content=content, headers=headers)
    assert answer.headers["content-type"] == (PROTOBUF if media == PROTOBUF else JSON)
    if answer.status_code != 200:
        return Told(answer.status_code, 0, fault(answer.content, media), answer.headers)
    if media == PROTOBUF:
        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
        return Told(200, partial.rejected_spans, partial.error_message, answer.headers)
    found = json.loads(answer.text)
    assert set(found) <= {"partialSuccess"}
    found = found.get("partialSuccess", {"rejectedSpans": "0", "errorMessage": ""})
    return Told(200, int(found["rejectedSpans"]), found["errorMessage"], answer.headers)


def fault(content: bytes, media: str) -> str:
    """The message of a `google.rpc.Status`."""
    if media == PROTOBUF:
        status = Status.FromString(content)
        assert status.code
        return str(status.message)
    found = json.loads(content)
    assert set(found) == {"code", "message"}
    return str(found["message"])


def recorded(server: Server, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("usage/history", params={"organization_id": ORGANIZATION, **params}).body[
        "data"
    ]
    return found


@contextmanager
def instrumented(server: Server, **resource: str) -> Iterator[TracerProvider]:
    """A real SDK with a real exporter; everything is sent when the block ends."""
    exporter = OTLPSpanExporter(
        endpoint=f"{server.url}/v1/traces",
        headers={"Authorization": f"Bearer {server.keys['org']}"},
        compression=Compression.Gzip,
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"} | resource))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        provider.shutdown()


def test_a_real_exporter_is_recorded_and_priced_on_both_databases(any_server: Server) -> None:
    assert any_server.post("pricing", PRICE).status == 201
    with instrumented(any_server, **{"deployment.environment.name": "prod", "cost_ops.project_id": "p-1"}) as provider:
        tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2", "2.3")
        for _ in range(600):
            with tracer.start_as_current_span("GET /"), tracer.start_as_current_span("chat gpt-4") as call:
                call.set_attributes({**CHAT, "user.id": "ana", "gen_ai.prompt": "x" * 500})
    assert any_server.get("usage/history").body["pagination"]["total_items"] == 600
    one = recorded(any_server)[0]
    assert one["cost"]["total_cost"] * 1000 == 25
    assert (one["user_id"], one["project_id"]) == ("ana", "p-1")
    assert one["tags"] == {"service": "shop", "env": "prod"}


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("path", ["/v1/traces", "/api/v1/traces"])
def test_both_encodings_and_both_paths_say_the_same(server: Server, media: str, path: str) -> None:
    body = request(span({**CHAT, "session.id": "s", "tag.tags": ["beta"]}), **{"cost_ops.tag.cell": "7"})
    assert send(server, body, media, path=path).rejected == 0
    (one,) = recorded(server)
    assert one["timestamp"] == "2026-03-02T09:15:00Z"
    assert (one["input_tokens"], one["output_tokens"], one["latency_ms"]) == (1000, 500, 1500)
    assert one["tags"] == {"service": "shop", "cell": "7", "beta": "true"}
    assert one["status"] == "computed"


def test_a_full_success_has_an_empty_answer(server: Server) -> None:
    for media, body in ((PROTOBUF, ""), (JSON, "{}")):
        content = binary(request(span(CHAT))) if media == PROTOBUF else json.dumps(request(span(CHAT))).encode()
        answer = server.ask("POST", "/v1/traces", content=content, headers={"Content-Type": media})
        assert (answer.status, answer.text, answer.headers["content-type"]) == (200, body, media)


def test_an_export_sent_again_counts_once(server: Server) -> None:
    body = request(span(CHAT, 1), span(CHAT, 2))
    for media in (PROTOBUF, JSON, PROTOBUF):
        assert send(server, body, media).rejected == 0
    assert len(recorded(server)) == 2


def test_a_call_that_the_sdk_told_of_is_the_same_call(server: Server) -> None:
    usage = {"organization_id": ORGANIZATION, "provider": "openai", "model_id": "gpt-4"}
    told = {**usage, "input_tokens": 1000, "output_tokens": 500, "response_id": "chatcmpl-AbCdEfGhIjKlMnOp"}
    assert server.post("usage", told).status == 201
    assert send(server, request(span({**CHAT, "gen_ai.response.id": "chatcmpl-AbCdEfGhIjKlMnOp"}))).rejected == 0
    assert len(recorded(server)) == 1


def test_short_response_ids_do_not_make_one_call_of_two(server: Server) -> None:
    attributes = {**CHAT, "gen_ai.response.id": "chatcmpl-123"}
    assert send(server, request(span(attributes, 1), span(attributes, 2))).rejected == 0
    assert len(recorded(server)) == 2


def test_spans_that_are_no_calls_are_let_pass(server: Server) -> None:
    body = request(span({"http.request.method": "GET"}, 1), span({**CHAT, "gen_ai.operation.name": "invoke_agent"}, 2))
    for media in (PROTOBUF, JSON):
        told = send(server, body, media)
        assert (told.status, told.rejected) == (200, 0)
    assert send(server, {"resourceSpans": []}).status == 200
    assert send(server, b"", PROTOBUF).status == 200
    assert recorded(server) == []


def test_a_call_seen_by_two_instrumentations_counts_once(server: Server) -> None:
    body = request(span(CHAT, 1), span({"x": 1}, 2, parent=1), span(CHAT, 3, parent=2), span(CHAT, 4))
    for media in (PROTOBUF, JSON):
        assert send(server, body, media).rejected == 0
    assert len(recorded(server)) == 2


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_bad_spans_are_refused_by_name_and_good_ones_kept(server: Server, media: str) -> None:
    faults: list[Any] = [-1, 1.5, float("nan"), "many", True, 2**62, "9" * 30, ["1"]]
    spans = [span({**CHAT, "gen_ai.usage.input_tokens": fault}, 10 + n) for n, fault in enumerate(faults)]
    late = span(CHAT, 30, startTimeUnixNano=str(START * 4), endTimeUnixNano=str(START * 4))
    bodiless = span({"gen_ai.usage.input_tokens": 5}, 31)
    told = send(server, request(span(CHAT, 1), *spans, late, bodiless), media)
    assert (told.status, told.rejected) == (200, len(faults) + 2)
    assert "span 000000000000000a: gen_ai.usage.input_tokens must not be negative" in told.message
    assert len(recorded(server)) == 1


def test_a_lying_emitter_is_flagged(server: Server) -> None:
    assert send(server, request(span({**CHAT, "gen_ai.usage.cache_read.input_tokens": 9000}))).rejected == 0
    (one,) = recorded(server)
    assert (one["input_tokens"], one["estimated"]) == (10_000, True)
    assert "9000" in one["metadata"]["counting_note"]


def test_an_admin_key_needs_the_organisation_in_the_resource(server: Server) -> None:
    for media in (PROTOBUF, JSON):
        told = send(server, request(span(CHAT)), media, key="admin")
        assert told.status == 400
        assert "cost_ops.organization_id" in told.message
    named = request(span(CHAT), **{"cost_ops.organization_id": ORGANIZATION})
    nameless = request(span(CHAT, 2))
    both = {"resourceSpans": [*named["resourceSpans"], *nameless["resourceSpans"]]}
    assert send(server, both, key="admin").rejected == 1
    assert len(recorded(server)) == 1


def test_a_key_cannot_write_for_another_organisation(server: Server) -> None:
    told = send(server, request(span(CHAT), **{"cost_ops.organization_id": OTHER}))
    assert (told.status, told.rejected) == (200, 1)
    assert recorded(server) == []


def test_who_may_not_write_usage_is_told_in_the_encoding_that_was_sent(server: Server) -> None:
    reader = server.make_key(ORGANIZATION, permissions=["usage:read"])
    for media in (PROTOBUF, JSON):
        assert send(server, request(span(CHAT)), media, key="sk_live_nonsense").status == 401
        assert send(server, request(span(CHAT)), media, key=reader).status == 403
    answer = server.ask("POST", "/v1/traces", key=None, content=b"", headers={"Content-Type": PROTOBUF})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (PROTOBUF, b"\xff\xff\xff"),
        (PROTOBUF, binary(request(span(CHAT)))[:-3]),
        (PROTOBUF, json.dumps(request(span(CHAT))).encode()),
        (PROTOBUF, b"\x0a\x04\x12\x02\x12\x7f"),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"\xff"),
        (JSON, b'{"resourceSpans": 5}'),
        (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}]}]}]}'),
        (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}'),
        (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": 1e400}]}]}]}'),
        (JSON, b'{"a":' * 100_000),
        (JSON, binary(request(span(CHAT)))),
    ],
    ids=range(13),
)
def test_what_cannot_be_decoded_is_a_400(shared: Server, media: str, body: bytes) -> None:
    told = send(shared, body, media)
    assert told.status == 400
    assert told.message


def test_another_content_type_is_a_415(shared: Server) -> None:
    assert send(shared, b"x", "text/plain").status == 415
    assert shared.ask("GET", "/v1/traces").status == 405


def test_bodies_are_packed_as_exporters_pack_them(server: Server) -> None:
    packed = gzip.compress(binary(request(span(CHAT))))
    assert send(server, packed, PROTOBUF, headers={"Content-Encoding": "gzip"}).rejected == 0
    assert len(recorded(server)) == 1
    assert send(server, packed[:-9], PROTOBUF, headers={"Content-Encoding": "gzip"}).status == 400
    assert send(server, zlib.compress(b"x"), PROTOBUF, headers={"Content-Encoding": "deflate"}).status == 415


def test_bombs_are_too_large(shared: Server) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    assert send(shared, bomb, PROTOBUF, headers={"Content-Encoding": "gzip"}).status == 413
    empty_spans = b"\x12\x00" * (MAX_PARTS + 1)
    scope = b"\x12" + _length(empty_spans) + empty_spans
    assert send(shared, b"\x0a" + _length(scope) + scope, PROTOBUF).status == 413
    many: dict[str, Any] = {"resourceSpans": [{"scopeSpans": [{"spans": [{}] * (MAX_SPANS + 1)}]}]}
    assert send(shared, json.dumps(many).encode()).status == 413
    message = ExportTraceServiceRequest()
    scoped = message.resource_spans.add().scope_spans.add()
    for _ in range(MAX_SPANS + 1):
        scoped.spans.add()
    assert send(shared, message.SerializeToString(), PROTOBUF).status == 413


def _length(content: bytes) -> bytes:
    number, out = len(content), bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes((number,))


def test_a_span_with_a_hundred_thousand_attributes_is_read(server: Server) -> None:
    more = {f"gen_ai.prompt.{n}.content": "x" for n in range(100_000)}
    for media in (PROTOBUF, JSON):
        assert send(server, request(span({**more, **CHAT})), media).rejected == 0
    assert len(recorded(server)) == 1


def test_deep_values_do_no_harm(shared: Server) -> None:
    message = ExportTraceServiceRequest.FromString(binary(request(span(CHAT))))
    value = message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="gen_ai.usage.total_tokens").value
    for _ in range(20):
        value = value.kvlist_value.values.add(key="x").value
    told = send(shared, message.SerializeToString(), PROTOBUF)
    assert (told.status, told.rejected) == (200, 1)
    assert "gen_ai.usage.total_tokens must be a whole number" in told.message


def test_a_full_queue_is_a_503_that_says_when_to_come_back(ledger: str) -> None:
    with faulty_server(ledger, ingest__queue_size=100) as (server, storage):
        storage.gate.clear()
        told: list[Told] = []
        body = request(*(span(CHAT, n + 1) for n in range(90)))
        first = threading.Thread(target=lambda: told.append(send(server, body)))
        first.start()
        assert storage.entered.wait(10)
        for media in (PROTOBUF, JSON):
            refused = send(server, request(*(span(CHAT, n + 200) for n in range(20))), media)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        storage.gate.set()
        first.join()
        assert (told[0].status, told[0].rejected) == (200, 0)
        assert server.get("usage/history").body["pagination"]["total_items"] == 90


def test_a_database_that_is_away_is_a_503_and_the_export_counts_once_when_it_is_back(ledger: str) -> None:
    with faulty_server(ledger) as (server, storage):
        storage.fault = Unavailable("the database cannot be reached", retry_after=2)
        for media in (PROTOBUF, JSON):
            told = send(server, request(span(CHAT)), media)
            assert (told.status, told.headers["retry-after"]) == (503, "2")
        storage.fault = None
        assert send(server, request(span(CHAT))).rejected == 0
        assert len(recorded(server)) == 1


mutated = st.tuples(st.integers(0, 10_000), st.binary(max_size=8), st.integers(0, 8))
quiet = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.binary(max_size=300), st.sampled_from([PROTOBUF, JSON]))
@quiet
def test_any_bytes_are_answered_without_an_error_of_ours(shared: Server, body: bytes, media: str) -> None:
    assert send(shared, body, media).status in (200, 400)


@given(st.lists(mutated, min_size=1, max_size=5), st.sampled_from([PROTOBUF, JSON]))
@quiet
def test_damaged_requests_are_answered_without_an_error_of_ours(
    shared: Server, damage: list[tuple[int, bytes, int]], media: str
) -> None:
    body = request(span({**CHAT, "llm.usage.total_tokens": 1500.0, "metadata": '{"a": 1}'}), span(CHAT, 2, parent=1))
    content = bytearray(binary(body) if media == PROTOBUF else json.dumps(body).encode())
    for place, new, dropped in damage:
        at = place % len(content)
        content[at : at + dropped] = new
    assert send(shared, bytes(content), media).status in (200, 400)
