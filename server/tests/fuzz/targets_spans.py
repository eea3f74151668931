"""OTLP exports, in both encodings: valid ones with hostile attributes, and valid ones with broken bytes."""

import random
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from cost_ops.api.metrics import Metrics
from cost_ops.api.otlp_answers import JSON as JSON_MEDIA
from cost_ops.api.otlp_answers import PROTOBUF as PROTOBUF_MEDIA
from cost_ops.api.otlp_answers import Answer, Taken, failure, success
from cost_ops.api.otlp_decoding import Export, read_json, read_protobuf
from cost_ops.api.otlp_recording import Exported, NothingToRecord
from cost_ops.domain.errors import CostOpsError
from tests.fuzz import corpus
from tests.fuzz.invariants import check_refusal
from tests.fuzz.mutating import Mutator, encoded
from tests.fuzz.targets import ORGANIZATION, Target, World

_START_NS = 1_790_000_000_000_000_000
_METRICS = Metrics()
_PAYLOADS = {"stringValue": "12", "intValue": "7", "doubleValue": 3.5, "boolValue": True}


def _request(chance: random.Random) -> ExportTraceServiceRequest:
    """An export of a few spans, most of them calls, with attributes changed."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _add(group.resource.attributes.add(), "cost_ops.organization_id", ORGANIZATION)
    scoped = group.scope_spans.add()
    scoped.scope.name = chance.choice(("", "openinference.instrumentation.openai", "ai", "pydantic-ai", "litellm"))
    mutator = Mutator(chance, corpus.span_names())
    for number in range(chance.randint(1, 3)):
        span = scoped.spans.add()
        span.trace_id, span.span_id = chance.randbytes(16), number.to_bytes(7) + b"\1"
        if number and chance.random() < 0.5:
            span.parent_span_id = scoped.spans[0].span_id
        span.start_time_unix_nano = _START_NS
        span.end_time_unix_nano = _START_NS + chance.randrange(2_000_000_000)
        attributes = mutator.varied(dict(chance.choice(corpus.span_attributes())))
        if isinstance(attributes, dict):
            for name, value in attributes.items():
                _add(span.attributes.add(), name, value)
    return request


def _add(pair: Any, name: str, value: Any) -> None:
    pair.key = name.encode("utf-8", "replace").decode()
    _set(pair.value, value)


def _set(into: AnyValue, value: Any) -> None:
    """The value in the kind of OTLP that fits it; what has none is written as a text."""
    if isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        into.int_value = value
    elif isinstance(value, float):
        into.double_value = value
    elif isinstance(value, list):
        into.array_value.SetInParent()
        for item in value[:3]:
            if not isinstance(item, list | dict):
                _set(into.array_value.values.add(), item)
    elif isinstance(value, dict):
        into.kvlist_value.SetInParent()
    elif value is not None:
        into.string_value = str(value)[:4000].encode("utf-8", "replace").decode()


def _binary(chance: random.Random) -> bytes:
    body = _request(chance).SerializeToString()
    return Mutator(chance, ("",)).varied_bytes(body) if chance.random() < 0.5 else body


def _json(chance: random.Random) -> bytes:
    """The JSON mapping of an export, with ids as they are in OTLP, changed as a value and sometimes as bytes."""
    value = MessageToDict(_request(chance))
    for group in value["resourceSpans"]:
        for scoped in group["scopeSpans"]:
            for span in scoped["spans"]:
                span |= {"traceId": chance.randbytes(16).hex(), "spanId": chance.randbytes(8).hex()}
    mutator = Mutator(chance, (*_PAYLOADS, *corpus.span_names()))
    body = encoded(mutator.varied(value) if chance.random() < 0.8 else value)
    return mutator.varied_bytes(body) if chance.random() < 0.2 else body


def _taken(world: World, export: Export, media: bytes) -> bool:
    """Price what an export holds, as the committer does, and write both kinds of answer."""
    work = Exported(export, world.ctx, world.intake, _METRICS)
    try:
        batch = work.priced()
    except NothingToRecord as nothing:
        _answered(success(nothing.taken, media))
        return False
    for priced in batch.items:
        world.check(priced.submission)
    faults: Any = getattr(work, "_faults")  # noqa: B009 (what the answer would say, without a commit)
    _answered(success(Taken(faults), media))
    return True


def _check_protobuf(world: World, body: bytes) -> bool:
    return _check(world, body, read_protobuf, PROTOBUF_MEDIA)


def _check_json(world: World, body: bytes) -> bool:
    return _check(world, body, read_json, JSON_MEDIA)


def _check(world: World, body: bytes, read: Any, media: bytes) -> bool:
    try:
        return _taken(world, read(body), media)
    except CostOpsError as error:
        check_refusal(error)
        _answered(failure(error, media))
        return False


def _answered(answer: Answer) -> None:
    status, body, headers = answer
    assert status == 200 or 400 <= status < 500, status
    assert isinstance(body, bytes), body
    assert headers


PROTOBUF = Target("otlp-protobuf", 12, _binary, _check_protobuf)
JSON = Target("otlp-json", 10, _json, _check_json)
