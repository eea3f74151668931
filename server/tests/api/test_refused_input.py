"""What is wrong is refused with 400, 413 or 415 that names the fault; nothing becomes a 500, nothing is stored."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard

from tests.api.running import PRICE, USAGE, Server


def usage(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in {**USAGE, "total_tokens": None, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"organization_id": None}, ("organization_id", "missing_required_field")),
        ({"provider": None}, ("provider", "missing_required_field")),
        ({"model_id": "  "}, ("model_id", "missing_required_field")),
        ({"organization_id": "no spaces"}, ("organization_id", "invalid_value")),
        ({"input_tokens": "many"}, ("input_tokens", "invalid_type")),
        ({"input_tokens": True}, ("input_tokens", "invalid_type")),
        ({"input_tokens": -100}, ("input_tokens", "negative")),
        ({"input_tokens": 1.5}, ("input_tokens", "not_integer")),
        ({"input_tokens": 100.0}, ("input_tokens", "not_integer")),
        ({"input_tokens": 2**63}, ("input_tokens", "too_large")),
        ({"input_tokens": 10**30}, ("input_tokens", "too_large")),
        ({"cached_tokens": 1001}, ("cached_tokens", "exceeds_total")),
        ({"total_tokens": 1}, ("total_tokens", "total_mismatch")),
        ({"input_tokens": 0, "output_tokens": 0}, ("input_tokens", "nothing_used")),
        ({"timestamp": "2025-01-01"}, ("timestamp", "invalid_date_format")),
        ({"timestamp": "2025-02-31T00:00:00Z"}, ("timestamp", "invalid_date")),
        ({"timestamp": "2025-01-01T00:00:00"}, ("timestamp", "invalid_date_format")),
        ({"timestamp": 1735689600}, ("timestamp", "invalid_type")),
        ({"timestamp": "2999-01-01T00:00:00Z"}, ("timestamp", "in_the_future")),
        ({"timestamp": "1999-01-01T00:00:00Z"}, ("timestamp", "too_early")),
        ({"reported_cost": "1", "currency": "dollars"}, ("currency", "unknown_currency")),
        ({"reported_cost": "NaN"}, ("reported_cost", "invalid_type")),
        ({"reported_cost": -1}, ("reported_cost", "negative")),
        ({"seconds": "-1"}, ("seconds", "negative")),
        ({"project_id": "a\u0000b"}, ("project_id", "invalid_characters")),
        ({"project_id": "x" * 257}, ("project_id", "too_long")),
        ({"idempotency_key": "x" * 257}, ("idempotency_key", "too_long")),
        ({"tags": {"a": {"b": 1}}}, ("tags.a", "invalid_type")),
        ({"tags": {"a": "\u0000"}}, ("tags.a", "invalid_characters")),
        ({"tags": 5}, ("tags", "invalid_type")),
        ({"metadata": []}, ("metadata", "invalid_type")),
        ({"metadata": {"a": "x" * 5000}}, ("metadata", "too_large")),
        ({"metadata": {"a": "\u0000"}}, ("metadata", "invalid_value")),
        ({"model": "gpt-4"}, ("model", "unknown_field")),
        ({"default_pricing": {"input_price_per_1k": -1}}, ("default_pricing.input_price_per_1k", "negative")),
        ({"counting": "both"}, ("counting", "invalid_value")),
    ],
)
def test_a_faulty_field_is_named(shared: Server, changes: dict[str, Any], problem: tuple[str, str]) -> None:
    answer = shared.post("usage", usage(**changes))
    assert answer.status == 400
    assert problem in answer.reasons
    batch = shared.post("usage/batch", {"records": [usage(**changes)]})
    assert batch.status == 400
    assert (f"records[0].{problem[0]}", problem[1]) in batch.reasons


def test_all_faults_are_named_at_once(shared: Server) -> None:
    answer = shared.post("usage", {"provider": "openai", "input_tokens": -1, "output_tokens": "x", "modle_id": "y"})
    fields = {f for f, _ in answer.reasons}
    assert {"organization_id", "model_id", "input_tokens", "output_tokens", "modle_id"} <= fields
    assert answer.error["details"]["field"] == answer.error["details"]["errors"][0]["field"]
    assert any("did you mean model_id?" in e["message"] for e in answer.error["details"]["errors"])


SURROGATE = json.dumps({**USAGE, "project_id": "?"}).replace('"?"', '"\\ud800"').encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'organization_id': 1}",
        b'{"input_tokens": NaN}',
        b'{"input_tokens": 01}',
        b'{"input_tokens": 1e999}',
        b"\xff\xfe{}",
        "{}".encode("utf-16"),
        b'{"organization_id": "\xff"}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 5_000_000,
        b'{"metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        b'{"input_tokens": ' + b"9" * 10_000 + b"}",
        SURROGATE,
        SURROGATE.replace(b"project_id", b"\\ud800"),
    ],
    ids=range(19),
)
def test_a_body_that_is_no_record_is_a_400(shared: Server, body: bytes) -> None:
    for path in ("usage", "usage/batch", "pricing", "costs/query"):
        answer = shared.post(path, body)
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
    batch = shared.post("usage/batch", b'{"records":[' + body + b"]}")
    assert (batch.status, batch.error["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "media", ["text/xml", "multipart/form-data; boundary=x", "text/plain", "application/octet-stream"]
)
def test_a_body_that_is_not_json_is_a_415(shared: Server, media: str) -> None:
    for path in ("usage", "usage/batch", "pricing"):
        answer = shared.post(path, b"<a/>", headers={"Content-Type": media})
        assert (answer.status, answer.error["code"]) == (415, "INVALID_REQUEST")


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])
def test_json_by_another_name_is_taken(shared: Server, media: str) -> None:
    body = json.dumps(usage(model_id="free")).encode()
    assert shared.post("usage", body, headers={"Content-Type": media}).status == 201


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_unknown_encoding_is_a_415(shared: Server, encoding: str) -> None:
    assert shared.post("usage", b"{}", headers={"Content-Encoding": encoding}).status == 415


def test_packed_bodies_are_taken(shared: Server) -> None:
    body = json.dumps({"records": [usage(model_id="free", project_id=f"p{i}") for i in range(2000)]}).encode()
    packed = {"gzip": gzip.compress(body), "zstd": zstandard.compress(body)}
    for encoding, content in packed.items():
        answer = shared.post("usage/batch", content, headers={"Content-Encoding": encoding})
        assert (answer.status, answer.body["data"]["accepted"]) == (201, 2000)
        broken = shared.post("usage", content[:-20], headers={"Content-Encoding": encoding})
        assert broken.reasons == {("Content-Encoding", "invalid_encoding")}


def test_bombs_are_a_413_and_cost_no_memory(shared: Server) -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b" " * 1_000_000
    gzip_bomb = b"".join(squeezed.compress(zeros) for _ in range(300)) + squeezed.flush()
    zstd_bomb = zstandard.compress(zeros * 100)
    for encoding, bomb in (("gzip", gzip_bomb), ("zstd", zstd_bomb)):
        answer = shared.post("usage/batch", bomb, headers={"Content-Encoding": encoding})
        assert (answer.status, answer.error["code"]) == (413, "INVALID_REQUEST")


def test_fifty_megabytes_are_a_413(shared: Server) -> None:
    for path in ("usage", "usage/batch", "pricing"):
        answer = shared.post(path, b" " * 50_000_000)
        assert answer.status == 413
        assert answer.error["details"]["limit_bytes"] == 10 * 1024 * 1024

    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1_000_000

    answer = shared.ask("POST", "usage", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status == 413
    assert shared.get("costs").status == 200


def test_a_batch_over_the_limit_names_it(shared: Server) -> None:
    answer = shared.post("usage/batch", {"records": [{}] * 10_001})
    assert answer.reasons == {("records", "too_many")}
    assert "10000" in answer.error["message"]
    bodies: list[Any] = [{}, {"records": []}, {"records": {}}, {"record": []}, []]
    for body in bodies:
        assert shared.post("usage/batch", body).status == 400


def test_an_unknown_parameter_names_the_nearest(shared: Server) -> None:
    answer = shared.get("costs", params={"groupby": "day", "limit": "0", "timezone": "Mars/Base", "start_date": "x"})
    assert {f for f, _ in answer.reasons} == {"groupby", "limit", "timezone", "start_date"}
    assert "did you mean group_by?" in answer.text
    assert shared.post("usage?atomic=true", USAGE).reasons == {("atomic", "unknown_parameter")}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("costs?group_by=colour", "group_by"),
        ("costs?range=last-eon", "range"),
        ("costs?range=today&start_date=2025-01-01T00:00:00Z", "range"),
        ("costs?start_date=2025-02-01T00:00:00Z&end_date=2025-01-01T00:00:00Z", "end_date"),
        ("costs?start_date=0001-01-01T00:00:00Z", "start_date"),
        ("costs?end_date=9999-12-31T23:59:59Z", "end_date"),
        ("costs?group_by=hour&start_date=1990-01-01T00:00:00Z", "group_by"),
        ("costs?status=unheard", "status"),
        ("costs?organization_id=a%20b", "organization_id"),
        ("costs?limit=1&limit=2", "limit"),
        ("costs?provider=%00", "provider"),
        ("costs?tag.a=%00", "tag.a"),
        ("costs?money=coins", "money"),
        ("usage/history?page_size=101", "page_size"),
        ("usage/history?page=0", "page"),
        ("usage/history?cursor=nonsense", "cursor"),
        ("usage/history?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        ("pricing/effective?provider=openai", "model_id"),
        ("analytics?interval=year", "interval"),
        ("analytics?metrics=cost,joy", "metrics"),
        ("analytics?dimensions=day", "dimensions"),
    ],
)
def test_a_faulty_parameter_is_named(shared: Server, path: str, field: str) -> None:
    answer = shared.get(path)
    assert answer.status == 400
    assert field in {f for f, _ in answer.reasons}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"provider": None}, "provider"),
        ({"currency": "dollars"}, "currency"),
        ({"input_price_per_1k": -1}, "input_price_per_1k"),
        ({"input_price_per_1k": "a lot"}, "input_price_per_1k"),
        ({"input_price_per_1k": None, "output_price_per_1k": None}, "input_price_per_1k"),
        ({"input_price_per_million": 10}, "input_price_per_million"),
        ({"effective_date": "2025-01-01"}, "effective_date"),
        ({"effective_date": "2025-01-01T00:00:00Z", "end_date": "2024-01-01T00:00:00Z"}, "end_date"),
        ({"rates": [{"meter": "input", "price": "1"}]}, "rates"),
        ({"inputprice_per_1k": 1}, "inputprice_per_1k"),
        ({"model_id": "a\u0000"}, "model_id"),
    ],
)
def test_a_faulty_price_is_named(shared: Server, changes: dict[str, Any], field: str) -> None:
    body = {k: v for k, v in {**PRICE, "model_id": "new", **changes}.items() if v is not None}
    answer = shared.post("pricing", body)
    assert answer.status == 400
    assert field in {f for f, _ in answer.reasons}


@pytest.mark.parametrize("depth", [45, 400, 900])
def test_deep_values_are_a_400_everywhere(shared: Server, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for path, field in (
        ("usage", b"input_tokens"),
        ("usage", b"metadata"),
        ("usage", b"tags"),
        ("usage/batch", b"records"),
        ("pricing", b"input_price_per_1k"),
        ("pricing", b"rates"),
        ("costs/query", b"filters"),
    ):
        answer = shared.post(path, b'{"%s": %s}' % (field, deep))
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")


def test_a_discount_needs_the_price_it_is_a_part_of(shared: Server) -> None:
    answer = shared.post("pricing", {"provider": "x", "model_id": "y", "cached_input_fraction": 0.1})
    assert answer.reasons == {("cached_input_fraction", "missing_rate")}


def test_unknown_paths_and_methods_have_the_envelope(shared: Server) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/api/v1/usage/", "/api/v1/usage/not-an-id"):
        answer = shared.get(path)
        assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")
    for method, path, allowed in (
        ("GET", "usage", "POST"),
        ("PUT", "costs", "GET, HEAD"),
        ("DELETE", "pricing", "GET, POST"),
    ):
        answer = shared.ask(method, path)
        assert (answer.status, answer.error["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert set(allowed.split(", ")) <= set(answer.headers["allow"].split(", "))


def test_the_request_id_is_the_caller_s_where_it_is_sane(shared: Server) -> None:
    for path in ("costs", "nothing"):
        answer = shared.get(path, key=None, headers={"X-Request-ID": "mine-1"})
        assert answer.headers["x-request-id"] == answer.error["request_id"] == "mine-1"
        odd = shared.get(path, key=None, headers={"X-Request-ID": "a b"}).headers["x-request-id"]
        assert odd.startswith("req-")
    assert shared.post("usage", {}, headers={"X-Request-ID": "mine-2"}).error["request_id"] == "mine-2"
