"""Requests that try to be somebody else: bent headers, paths and framings, over plain sockets."""

from __future__ import annotations

import json

import pytest

from tests.api.raw_http import raw, request
from tests.api.running import ORGANIZATION, OTHER, USAGE, Server

JSON = b"Content-Type: application/json"


def bearer(server: Server, key: str = "org") -> bytes:
    return b"Authorization: Bearer " + server.keys[key].encode()


def test_a_good_request_over_a_socket_is_answered(shared: Server) -> None:
    answer = raw(shared.url, request("/api/v1/costs", bearer(shared)))
    assert answer.status == 200
    assert answer.header("X-Request-ID")


@pytest.mark.parametrize("name", [b"AUTHORIZATION", b"aUtHoRiZaTiOn", b"authorization"])
@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
def test_the_names_of_header_and_scheme_are_taken_in_any_case(shared: Server, name: bytes, scheme: bytes) -> None:
    line = name + b": " + scheme + b" " + shared.keys["org"].encode()
    assert raw(shared.url, request("/api/v1/costs", line)).status == 200


def test_two_credentials_are_none_in_any_order(shared: Server) -> None:
    good, other = bearer(shared), bearer(shared, "other")
    nonsense = b"Authorization: Bearer nonsense"
    for pair in ((good, nonsense), (nonsense, good), (good, other), (good, good), (b"authorization: Basic eDp5", good)):
        answer = raw(shared.url, request("/api/v1/costs", *pair))
        assert answer.status == 401, pair[0][:24]
        assert ORGANIZATION.encode() not in answer.everything


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer\t{key}",
        b"Authorization: Bearer  {key}",
        b"Authorization: Bearer {key},{key}",
        b"Authorization: Bearer {key} {key}",
        b"Authorization: Bearer {key}x",
        b'Authorization: Bearer "{key}"',
        b"Authorization: Basic {key}",
        b"Authorization: {key}",
        b"Authorization:",
        b"Authorization: Bearer",
        b"Authorization: Bearer %73%6b",
        b"Authorization: Bearer \xff\xfe{key}",
        b"X-Authorization: Bearer {key}",
        b"Proxy-Authorization: Bearer {key}",
        b"X-Api-Key: {key}",
        b"Cookie: Authorization=Bearer%20{key}",
        b"X-Forwarded-Authorization: Bearer {key}",
    ],
)
def test_what_is_not_exactly_a_bearer_key_is_none(shared: Server, line: bytes) -> None:
    sent = line.replace(b"{key}", shared.keys["org"].encode())
    answer = raw(shared.url, request("/api/v1/costs", sent))
    assert answer.status == 401
    assert shared.keys["org"].encode() not in answer.everything


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer {key}\x00",
        b"Authorization: Bearer \x00{key}",
        b"Authorization: Bearer {key}\rX: y",
        b"Authorization : Bearer {key}",
        b"Author\x00ization: Bearer {key}",
        b"X-Padding: a\r Authorization: Bearer {key}",
    ],
)
def test_a_header_with_control_characters_is_no_request(shared: Server, line: bytes) -> None:
    sent = line.replace(b"{key}", shared.keys["org"].encode())
    assert raw(shared.url, request("/api/v1/costs", sent)).status in (400, 401)


def test_headers_without_end_are_refused_and_the_server_goes_on(shared: Server) -> None:
    huge = b"Authorization: Bearer " + b"x" * 100_000
    assert raw(shared.url, request("/api/v1/costs", huge)).status in (400, 401, 431)
    many = [b"X-%d: %s" % (number, b"y" * 100) for number in range(5_000)]
    assert raw(shared.url, request("/api/v1/costs", *many)).status in (400, 401, 431)
    assert shared.get("costs").status == 200


@pytest.mark.parametrize(
    "line",
    [
        b"X-Original-URL: /api/v1/costs",
        b"X-Rewrite-URL: /api/v1/costs",
        b"X-Forwarded-Prefix: /api/v1",
        b"X-Forwarded-Host: admin.internal",
        b"X-HTTP-Method-Override: GET",
    ],
)
def test_headers_that_some_proxies_heed_lead_nowhere(shared: Server, line: bytes) -> None:
    assert raw(shared.url, request("/api/v1/nothing", line, bearer(shared))).status == 404
    open_path = raw(shared.url, request("/health", line))
    assert (open_path.status, b'"status":"ok"' in open_path.everything) == (200, True)
    assert raw(shared.url, request("/api/v1/costs", line)).status == 401


@pytest.mark.parametrize("name", [b"X-HTTP-Method-Override", b"X-Method-Override", b"X-HTTP-Method"])
def test_a_method_is_the_one_of_the_request(server: Server, name: bytes) -> None:
    price_id = server.get("pricing").body["data"][0]["price_id"]
    target = f"/api/v1/pricing/{price_id}"
    assert raw(server.url, request(target, name + b": DELETE", bearer(server))).status == 200
    posted = request(f"{target}?_method=DELETE", name + b": DELETE", bearer(server), method="POST", body=b"{}")
    assert raw(server.url, posted).status == 405
    assert server.get(f"pricing/{price_id}").body["data"]["end_date"] is None


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "DEBUG", "PRI"])
@pytest.mark.parametrize("target", ["/api/v1/usage", "/api/v1/costs", "/api/v1/auth/keys"])
def test_other_methods_are_refused_with_and_without_a_key(shared: Server, method: str, target: str) -> None:
    for lines in ((), (bearer(shared, "admin"),)):
        answer = raw(shared.url, request(target, *lines, b"X-Secret: zq7", method=method))
        assert answer.status in (0, 400, 405)
        assert b"zq7" not in answer.everything


def test_head_tells_no_more_than_get_may(shared: Server) -> None:
    for target in ("/api/v1/costs", "/api/v1/usage/history", "/api/v1/auth/keys", "/api/v1/pricing"):
        assert raw(shared.url, request(target, method="HEAD")).status == 401
        get = raw(shared.url, request(target, bearer(shared)))
        assert raw(shared.url, request(target, bearer(shared), method="HEAD")).status == get.status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//api/v1/costs", 404),
        ("/api/v1//costs", 404),
        ("/api/v1/costs/", 404),
        ("/api/v1/costs.", 404),
        ("/api/v1/costs..", 404),
        ("/api/v1/costs%00", 404),
        ("/api/v1/costs%20", 404),
        ("/api/v1/costs;x=y", 404),
        ("/API/V1/COSTS", 404),
        ("/api/v1/health/..;/costs", 404),
        ("/health/../api/v1/costs", 404),
        ("/health/%2e%2e/api/v1/costs", 404),
        ("/api/v1/costs%2f..%2fcosts", 404),
        ("/api/v1/%63osts", 401),
        ("/api%2fv1%2fcosts", 401),
        ("/api/v1/costs#/health", 401),
        ("/api/v1/costs?x=/health", 401),
        ("/openapi.json/../api/v1/costs", 404),
    ],
)
def test_a_bent_path_is_another_path_or_asks_for_a_key_all_the_same(shared: Server, target: str, status: int) -> None:
    answer = raw(shared.url, request(target))
    assert answer.status == status
    assert b'"data"' not in answer.everything


@pytest.mark.parametrize("target", ["//api/v1/usage", "/api/v1/usage/", "/api/v1/usage/..;/", "/api/v1/%2e/usage"])
def test_nothing_is_recorded_by_a_bent_path(server: Server, target: str) -> None:
    body = json.dumps(USAGE).encode()
    answer = raw(server.url, request(target, JSON, bearer(server), method="POST", body=body))
    assert answer.status in (404, 405)
    assert server.get("usage/history").body["pagination"]["total_items"] == 0


def test_the_hot_path_asks_for_a_key_however_it_is_written(server: Server) -> None:
    body = json.dumps(USAGE).encode()
    for target in ("/api/v1/usage", "/api/v1/%75sage", "/api%2Fv1%2Fusage", "http://ledger.example/api/v1/usage"):
        for lines in ((), (b"Authorization: Bearer nonsense",)):
            assert raw(server.url, request(target, JSON, *lines, method="POST", body=body)).status == 401
        assert raw(server.url, request(target, JSON, bearer(server), method="POST", body=body)).status == 201
    assert server.get("usage/history").body["pagination"]["total_items"] == 4


def test_a_whole_address_as_the_target_changes_nothing(shared: Server) -> None:
    for target in (
        "http://127.0.0.1/api/v1/costs",
        "http://elsewhere.example/api/v1/costs",
        "https://a@b/api/v1/costs",
    ):
        assert raw(shared.url, request(target)).status == 401
        assert raw(shared.url, request(target, bearer(shared))).status == 200


@pytest.mark.parametrize(
    "host", [b"Host: elsewhere.example", b"Host: ", b"Host: a\r\nHost: b", b"Host: [::1]:99999", b"Host: a b", b"X: y"]
)
def test_the_host_header_is_in_no_answer(shared: Server, host: bytes) -> None:
    for lines, statuses in (((), (400, 401)), ((bearer(shared),), (200, 400))):
        answer = raw(shared.url, request("/api/v1/costs", *lines, host=host))
        assert answer.status in statuses
        assert b"elsewhere" not in answer.everything
    made = raw(shared.url, request("/api/v1/nothing", bearer(shared), host=host))
    assert b"elsewhere" not in made.everything


def test_an_address_that_was_made_up_is_not_believed(server: Server) -> None:
    lines = (b"X-Forwarded-For: 203.0.113.77", b"X-Real-IP: 203.0.113.77", b"Forwarded: for=203.0.113.77")
    price = json.dumps({"provider": "p", "model_id": "m", "input_price_per_1k": 1}).encode()
    made = request("/api/v1/pricing", JSON, bearer(server), *lines, method="POST", body=price)
    assert raw(server.url, made).status == 201
    event = server.get("audit?action=prices.added").body["data"][0]
    assert event["actor"] == server.keys["org"].split("_")[2]
    assert "203.0.113.77" not in json.dumps(event, default=str)


def smuggled(server: Server) -> bytes:
    """A request of the other organisation's, to be hidden in the body of ours."""
    body = json.dumps({**USAGE, "organization_id": OTHER}).encode()
    return request("/api/v1/usage", JSON, bearer(server, "other"), method="POST", body=body)


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 4"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding:\x0bchunked",),
        (b"Content-Length: 4", b"Content-Length: 400"),
        (b"Content-Length: +4",),
        (b"Content-Length: 0x4",),
        (b"Content-Length: 4, 4",),
        (b"Content-Length: -1",),
    ],
)
def test_a_body_whose_length_is_said_twice_or_oddly_carries_no_second_request(
    server: Server, framing: tuple[bytes, ...]
) -> None:
    head = [b"POST /api/v1/costs/query HTTP/1.1", b"Host: x", JSON, bearer(server), *framing]
    answer = raw(server.url, b"\r\n".join(head) + b"\r\n\r\n0\r\n\r\n" + smuggled(server), unfinished=True)
    assert 201 not in answer.statuses
    assert server.get("usage/history", key="other").body["pagination"]["total_items"] == 0
    assert server.get("costs").status == 200


@pytest.mark.parametrize("chunk", [b"fffffffffffffffff\r\n{}", b"-2\r\n{}\r\n", b"2;a=b\rc\r\n{}\r\n", b"zz\r\n{}\r\n"])
def test_a_chunk_of_an_impossible_length_is_refused(shared: Server, chunk: bytes) -> None:
    head = [b"POST /api/v1/usage HTTP/1.1", b"Host: x", JSON, bearer(shared), b"Transfer-Encoding: chunked"]
    answer = raw(shared.url, b"\r\n".join(head) + b"\r\n\r\n" + chunk, unfinished=True)
    assert answer.status in (0, 400)
    assert shared.get("costs").status == 200


def test_two_requests_on_one_connection_are_each_asked_for_their_key(shared: Server) -> None:
    first = request("/api/v1/costs", bearer(shared)).replace(b"Connection: close\r\n", b"")
    answer = raw(shared.url, first, request("/api/v1/costs"))
    assert answer.statuses == [200, 401]
