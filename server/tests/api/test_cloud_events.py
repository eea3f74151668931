"""CloudEvents in all three forms become usage; what is no CloudEvent, or says something else, is named and refused."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.api.cloud_event_data import KNOWN_TYPES, USAGE_TYPE, record_of
from cost_ops.api.cloud_event_forms import Event
from tests.api.running import ORGANIZATION, OTHER, Answer, Server

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
DATA: dict[str, Any] = {"provider": "openai", "model_id": "gpt-4", "input_tokens": 1000, "output_tokens": 500}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "call-1",
    "source": "/services/shop",
    "type": USAGE_TYPE,
    "time": "2026-03-02T09:15:00Z",
    "subject": "ana",
    "data": DATA,
}


def event(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**EVENT, **changes}.items() if value is not None}


def structured(server: Server, body: Any, media: str = STRUCTURED, **more: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.post("events", content, headers={"Content-Type": media}, **more)


def binary(server: Server, body: Any, **attributes: str) -> Answer:
    given_attributes = {**{k: v for k, v in EVENT.items() if k != "data"}, **attributes}
    headers = {f"ce-{name}": value for name, value in given_attributes.items() if value}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.post("events", content, headers={"Content-Type": "application/json", **headers})


def recorded(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("usage/history", params={"organization_id": ORGANIZATION}).body["data"]
    return found


def test_an_event_is_recorded_and_answered_as_a_record_is_on_both_databases(any_server: Server) -> None:
    first, again = structured(any_server, event()), structured(any_server, event())
    assert (first.status, again.status) == (201, 200)
    assert first.body["usage_id"] == again.body["usage_id"]
    assert first.body["data"]["organization_id"] == ORGANIZATION
    (one,) = recorded(any_server)
    assert (one["timestamp"], one["user_id"]) == ("2026-03-02T09:15:00Z", "ana")


def test_all_three_forms_are_one_event(server: Server) -> None:
    assert structured(server, event()).status == 201
    assert binary(server, DATA).status == 200
    batch = structured(server, [event(), event(id="call-2")], BATCH)
    assert batch.status == 201
    assert [r["replayed"] for r in batch.body["data"]["results"]] == [True, False]
    packed = event(data=None, data_base64=base64.b64encode(json.dumps(DATA).encode()).decode())
    assert structured(server, packed).status == 200
    assert len(recorded(server)) == 2


def test_the_data_wins_over_what_the_event_says_of_it(server: Server) -> None:
    data = {**DATA, "timestamp": "2026-03-01T00:00:00Z", "user_id": "ben", "organization_id": ORGANIZATION}
    assert structured(server, event(data=data)).status == 201
    (one,) = recorded(server)
    assert (one["timestamp"], one["user_id"]) == ("2026-03-01T00:00:00Z", "ben")


def test_a_providers_own_usage_object_is_data_too(server: Server) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    data = {"provider": "openai", "model_id": "gpt-4", "usage": usage}
    assert structured(server, event(data=data)).status == 201
    assert recorded(server)[0]["input_tokens"] == 1000


def test_another_record_under_the_same_source_and_id_is_a_conflict(server: Server) -> None:
    assert structured(server, event()).status == 201
    assert structured(server, event(data={**DATA, "input_tokens": 1})).status == 409
    assert structured(server, event(source="/services/other", data={**DATA, "input_tokens": 1})).status == 201


def test_headers_are_percent_decoded(server: Server) -> None:
    assert binary(server, DATA, subject=quote("Zoë ☕"), id='"a b"').status == 201
    assert recorded(server)[0]["user_id"] == "Zoë ☕"
    assert binary(server, DATA, subject="%FF").reasons == {("subject", "invalid_encoding")}


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"specversion": "0.3"}, {("specversion", "not_supported")}),
        ({"specversion": None}, {("specversion", "missing_required_field")}),
        ({"id": "", "source": None}, {("id", "missing_required_field"), ("source", "missing_required_field")}),
        ({"id": 7, "type": None}, {("id", "invalid_type"), ("type", "missing_required_field")}),
        ({"id": "a\u0000b"}, {("id", "invalid_characters")}),
        ({"source": "x" * 2000}, {("source", "too_long")}),
        ({"time": "yesterday"}, {("time", "invalid_date_format")}),
        ({"type": "com.example.other"}, {("type", "unknown_type")}),
        ({"datacontenttype": "application/xml"}, {("datacontenttype", "not_supported")}),
        ({"data": None}, {("data", "invalid_type")}),
        ({"data": [1]}, {("data", "invalid_type")}),
        ({"data_base64": "e30="}, {("data_base64", "contradiction")}),
        ({"data": None, "data_base64": "e30"}, {("data_base64", "invalid_encoding")}),
        ({"data": None, "data_base64": "e3s="}, {("data_base64", "invalid_json")}),
        ({"data": {**DATA, "input_tokens": -1}}, {("input_tokens", "negative")}),
        ({"data": {**DATA, "inputs": 1}}, {("inputs", "unknown_field")}),
    ],
    ids=range(16),
)
def test_every_problem_of_an_event_is_named(
    shared: Server, changes: dict[str, Any], problems: set[tuple[str, str]]
) -> None:
    refused = structured(shared, event(**changes))
    assert refused.status == 400
    assert refused.reasons == problems


def test_an_unknown_type_names_those_that_are_known(shared: Server) -> None:
    message = structured(shared, event(type="com.example.other")).error["message"]
    assert all(name in message for name in KNOWN_TYPES)


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        (STRUCTURED, b"{", 400),
        (STRUCTURED, b"[]", 400),
        (STRUCTURED, b"", 400),
        (BATCH, b"[]", 400),
        (BATCH, b"{}", 400),
        (BATCH, b"[" + b"{}," * 10_000 + b"{}]", 400),
        ("application/json", json.dumps(EVENT).encode(), 400),
        ("application/cloudevents+avro", b"x", 415),
        ("application/cloudevents-avro+json", b"{}", 415),
        ("application/cloudevents-batch", b"[]", 415),
        ("text/plain", b"x", 415),
    ],
    ids=range(11),
)
def test_what_is_no_event_is_refused(shared: Server, media: str, body: bytes, status: int) -> None:
    assert structured(shared, body, media).status == status


def test_a_batch_keeps_the_good_events_and_names_the_bad_ones(server: Server) -> None:
    events = [event(), event(id="2", type="other"), event(id="3", specversion="2"), 5, event(id="4")]
    answer = structured(server, events, BATCH)
    data = answer.body["data"]
    assert (answer.status, data["accepted"], data["rejected"]) == (201, 2, 3)
    assert [r.get("error", {}).get("details", {}).get("reason") for r in data["results"]] == [
        None,
        "unknown_type",
        "not_supported",
        "invalid_type",
        None,
    ]
    refused = structured(server, [event(id="9"), 5], BATCH, params={"atomic": "true"})
    assert refused.status == 400
    assert len(recorded(server)) == 2


def test_the_organisation_is_the_keys_and_an_admin_names_one(server: Server) -> None:
    assert structured(server, event(), key="admin").reasons == {("organization_id", "missing_required_field")}
    named = event(data={**DATA, "organization_id": ORGANIZATION})
    assert structured(server, named, key="admin").status == 201
    assert structured(server, event(data={**DATA, "organization_id": OTHER})).status == 404
    assert structured(server, event(), key=None).status == 401


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"model": "gpt-4", "provider": "openai", "tokens": "123", "type": "input"}, {"input_tokens": 123}),
        ({"model": "gpt-4", "provider": "openai", "tokens": 7, "type": "output"}, {"output_tokens": 7}),
    ],
)
def test_metered_token_events_count_one_side(data: dict[str, Any], expected: dict[str, int]) -> None:
    made = record_of(Event("1", "s", "tokens", None, "customer-1", data))
    assert made == {
        "provider": "openai",
        "model_id": "gpt-4",
        "user_id": "customer-1",
        "idempotency_key": "ce:s:1",
        **expected,
    }


def test_metered_events_that_are_ambiguous_are_refused(shared: Server) -> None:
    tokens = {"model": "gpt-4", "provider": "openai", "tokens": 5, "type": "system"}
    assert structured(shared, event(type="prompt", data=tokens)).reasons == {("data.type", "ambiguous")}
    assert structured(shared, event(type="request", data={"tokens": 5})).reasons == {
        ("data.model", "missing_required_field"),
        ("data.provider", "missing_required_field"),
        ("data.type", "missing_required_field"),
    }


texts = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=200)


@given(texts, texts, texts, texts)
def test_two_events_never_have_the_same_key(source: str, event_id: str, other_source: str, other_id: str) -> None:
    def key(*names: str) -> str:
        made = record_of(Event(names[1], names[0], USAGE_TYPE, None, None, {}))["idempotency_key"]
        assert len(made) <= 256
        return str(made)

    assert (key(source, event_id) == key(other_source, other_id)) == ((source, event_id) == (other_source, other_id))
    assert key(f"{source}:{event_id}", "x") != key(source, f"{event_id}:x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*EVENT, "data_base64", "datacontenttype"]), json_values), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_event_is_answered_without_an_error_of_ours(shared: Server, changes: dict[str, Any], batch: bool) -> None:
    changed = {**EVENT, "type": "other", **changes}
    answer = structured(shared, [changed] if batch else changed, BATCH if batch else STRUCTURED)
    assert answer.status in (200, 201, 400, 404, 409)
