"""Logging in over HTTP: tokens, cookies, sessions, and whatever is not one."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from cost_ops.domain.csrf import COOKIE_NAME
from tests.api.people_server import enrol, invite, log_in, peopled_server, token_of
from tests.api.running import USAGE, Answer, Server, migrated
from tests.api.test_openapi import schema_of
from tests.people import OTHER_PASSWORD, PASSWORD

ANA = "ana@example.com"
FORGOTTEN_SECONDS = 5
"""What is revoked stops within."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with Ana, an engineer of org-123."""
    with peopled_server(migrated(tmp_path_factory.mktemp("people")), limits__anonymous_per_hour=0) as running:
        enrol(running, ANA, "engineer")
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """A server of a test's own where nothing is remembered."""
    with peopled_server(migrated(tmp_path), auth__key_cache_secs=0, cache__enable="false") as running:
        enrol(running, ANA, "engineer")
        yield running


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


def by_cookie(server: Server, method: str, path: str, cookie: str, csrf: str | None = None, **headers: str) -> Answer:
    more = {"Cookie": cookie, **({"X-CSRF-Token": csrf} if csrf else {}), **headers}
    return server.ask(method, path, key=None, headers=more)


def test_a_person_logs_in_asks_and_logs_out(fresh: Server) -> None:
    entered = log_in(fresh, ANA)
    data = entered.body["data"]
    assert entered.headers["cache-control"] == "no-store"
    assert (data["organization_id"], data["token_type"], data["user"]["role"]) == ("org-123", "Bearer", "engineer")
    token = data["access_token"]
    assert fresh.get("costs", key=token).status == 200
    assert fresh.post("usage", USAGE, key=token).status == 201
    refused = fresh.get("auth/keys", key=token)
    assert (refused.status, refused.error["details"]["required_permission"]) == (403, "admin:*")
    who = fresh.get("auth/whoami", key=token).body["data"]
    assert (who["kind"], who["user"]["email"], who["session"]["current"]) == ("user", ANA, True)
    assert fresh.post("auth/logout", {}, key=token).status == 200
    assert fresh.get("costs", key=token).status == 401
    assert fresh.post("auth/refresh", {"refresh_token": data["refresh_token"]}, key=None).status == 401


def test_who_am_i_answers_every_credential_and_nobody(server: Server) -> None:
    assert server.get("auth/whoami").body["data"]["kind"] == "key"
    owner = server.get("auth/whoami", key="admin").body["data"]
    assert (owner["kind"], owner["organization_id"], owner["permissions"]) == ("owner", None, ["admin:*"])
    assert server.get("auth/whoami", key=None).status == 401


def test_a_refused_log_in_tells_nothing(server: Server) -> None:
    answers = [log_in(server, email, "not the password of anybody") for email in (ANA, "nobody@example.com")]
    assert {answer.status for answer in answers} == {401}
    bodies = [{k: v for k, v in answer.error.items() if k != "request_id"} for answer in answers]
    assert bodies[0] == bodies[1]
    names = [sorted(answer.headers.keys()) for answer in answers]
    assert names[0] == names[1]
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_faults_of_a_log_in_are_named(server: Server) -> None:
    bad = server.post("auth/login", {"email": "", "passwrod": "x", "cookie": "yes", "session_id": "mine"}, key=None)
    assert bad.status == 400
    assert {field for field, _ in bad.reasons} == {"email", "password", "passwrod", "cookie", "session_id"}
    assert log_in(server, "аna@example.com").reasons == {("email", "not_ascii")}
    assert log_in(server, ANA, "x" * 1_000_000).reasons == {("password", "too_long")}
    for wrong in (12, [PASSWORD], {"$ne": ""}, True):
        assert server.post("auth/login", {"email": ANA, "password": wrong}, key=None).status == 400


def test_a_cookie_is_strict_and_carries_what_the_page_needs(fresh: Server) -> None:
    entered = log_in(fresh, ANA, cookie=True)
    data = entered.body["data"]
    assert "access_token" not in data
    assert "refresh_token" not in data
    parts = entered.headers["set-cookie"].split("; ")
    assert parts[0].startswith(f"{COOKIE_NAME}=ses_")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} == set(parts[1:])
    assert "Domain" not in entered.headers["set-cookie"]
    assert parts[0].partition("=")[2].partition(".")[2] not in entered.text
    cookie = cookie_of(entered)
    assert by_cookie(fresh, "GET", "costs", cookie).status == 200
    out = by_cookie(fresh, "POST", "auth/logout", cookie, data["csrf_token"])
    assert out.status == 200
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert by_cookie(fresh, "GET", "costs", cookie).status == 401


def test_what_changes_something_needs_the_token_of_the_page(fresh: Server) -> None:
    entered = log_in(fresh, ANA, cookie=True)
    cookie, csrf = cookie_of(entered), entered.body["data"]["csrf_token"]
    other = log_in(fresh, ANA, cookie=True).body["data"]["csrf_token"]
    for wrong in (None, "0" * 64, other, csrf[:-1]):
        assert by_cookie(fresh, "POST", "auth/logout", cookie, wrong).status == 403
    foreign: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ]
    for headers in foreign:
        assert by_cookie(fresh, "POST", "auth/logout", cookie, csrf, **headers).status == 403
    assert by_cookie(fresh, "GET", "costs", cookie).status == 200
    own = f"http://127.0.0.1:{fresh.url.rpartition(':')[2]}"
    assert by_cookie(fresh, "POST", "auth/logout", cookie, csrf, Origin=own).status == 200


def test_a_session_cannot_be_planted(fresh: Server) -> None:
    planted = f"{COOKIE_NAME}=ses_planted.{'a' * 43}"
    body = {"email": ANA, "password": PASSWORD, "cookie": True}
    entered = fresh.post("auth/login", body, key=None, headers={"Cookie": planted})
    assert entered.status == 200
    assert "planted" not in entered.headers["set-cookie"]
    assert by_cookie(fresh, "GET", "costs", planted).status == 401


def test_a_log_in_ends_the_session_whose_cookie_came_along(fresh: Server) -> None:
    before, others = cookie_of(log_in(fresh, ANA, cookie=True)), cookie_of(log_in(fresh, ANA, cookie=True))
    body = {"email": ANA, "password": PASSWORD, "cookie": True}
    entered = fresh.post("auth/login", body, key=None, headers={"Cookie": before})
    assert entered.status == 200
    assert by_cookie(fresh, "GET", "costs", before).status == 401
    assert by_cookie(fresh, "GET", "costs", others).status == 200
    assert by_cookie(fresh, "GET", "costs", cookie_of(entered)).status == 200


def test_tokens_are_renewed_once(fresh: Server) -> None:
    first = log_in(fresh, ANA).body["data"]
    second = fresh.post("auth/refresh", {"refresh_token": first["refresh_token"]}, key=None)
    assert second.status == 200
    assert fresh.get("costs", key=second.body["data"]["access_token"]).status == 200
    assert fresh.post("auth/refresh", {"refresh_token": first["refresh_token"]}, key=None).status == 401
    assert fresh.get("costs", key=second.body["data"]["access_token"]).status == 401


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def signed(header: Any, claims: Any, key: bytes = b"public key of somebody") -> str:
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode().rstrip('=')}"


def test_whatever_is_no_token_of_ours_is_refused(server: Server) -> None:
    data = log_in(server, ANA).body["data"]
    good, refresh = data["access_token"], data["refresh_token"]
    head, body, signature = good.split(".")
    header, claims = decoded(head), decoded(body)
    forged = [
        f"{encoded({**header, 'alg': 'none'})}.{body}.",
        f"{encoded({**header, 'alg': 'None'})}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.{signature}",
        signed(header, claims),
        signed({**header, "alg": "RS256"}, claims),
        signed({**header, "alg": "HS512"}, claims),
        signed({**header, "kid": "key_unknown"}, claims),
        signed({**header, "kid": "../../etc/passwd"}, claims, b""),
        signed({**header, "kid": ["x"]}, claims),
        signed({**header, "jwk": {"kty": "oct", "k": "AAAA"}}, claims, b"\0\0\0"),
        signed({**header, "jku": "https://evil.example/keys"}, claims),
        signed({**header, "crit": ["exp"]}, claims),
        signed({"alg": "HS256"}, claims),
        f"{head}.{encoded({**claims, 'sub': 'usr_somebody'})}.{signature}",
        f"{head}.{encoded({**claims, 'org': 'org-456'})}.{signature}",
        refresh,
        f"{good[:-2]}AA",
        good + "x" * 3_000,
        "x" * 4_000,
        "a.b.c",
        "..",
        f"{head}.{'A' * 1_900}.{signature}",
    ]
    for token in forged:
        answer = server.get("costs", key=token)
        assert (answer.status, answer.error["message"]) == (401, "Invalid or missing API key"), token
    assert server.get("costs", key=good).status == 200
    for token in [*forged[:12], good]:
        assert server.post("auth/refresh", {"refresh_token": token}, key=None).status == 401
    assert server.post("auth/refresh", {"refresh_token": refresh}, key=None).status == 200


def test_a_removed_member_is_out_within_the_promised_time(server: Server) -> None:
    made = enrol(server, "ben@example.com")
    token = token_of(server, "ben@example.com")
    assert server.get("costs", key=token).status == 200
    path = f"users/{made['user_id']}?organization_id=org-123"
    assert server.ask("DELETE", path, key="admin").status == 200
    removed_at = time.monotonic()
    while server.get("costs", key=token).status == 200:
        assert time.monotonic() - removed_at < FORGOTTEN_SECONDS
        time.sleep(0.05)
    assert log_in(server, "ben@example.com").status == 401


def test_a_new_password_ends_all_other_sessions(fresh: Server) -> None:
    here, there = token_of(fresh, ANA), token_of(fresh, ANA)
    wrong = fresh.post("auth/password", {"current_password": "guess", "password": OTHER_PASSWORD}, key=here)
    assert wrong.reasons == {("current_password", "wrong")}
    simple = fresh.post("auth/password", {"current_password": PASSWORD, "password": "ana@example.com"}, key=here)
    assert simple.reasons == {("password", "guessable")}
    body = {"current_password": PASSWORD, "password": OTHER_PASSWORD}
    assert fresh.post("auth/password", body, key=here).status == 200
    assert fresh.get("costs", key=here).status == 200
    assert fresh.get("costs", key=there).status == 401
    assert log_in(fresh, ANA).status == 401
    assert log_in(fresh, ANA, OTHER_PASSWORD).status == 200


def test_sessions_are_listed_and_ended_one_by_one(fresh: Server) -> None:
    here, there = token_of(fresh, ANA), token_of(fresh, ANA)
    listed = fresh.get("auth/sessions", key=here).body["data"]
    assert sorted(one["current"] for one in listed) == [False, True]
    other = next(one["session_id"] for one in listed if not one["current"])
    assert fresh.ask("DELETE", f"auth/sessions/{other}", key=here).status == 200
    assert fresh.get("costs", key=there).status == 401
    assert fresh.get("costs", key=here).status == 200
    assert fresh.ask("DELETE", "auth/sessions/ses_of_another", key=here).status == 404


def test_after_ten_failures_comes_429_with_when_to_come_back(fresh: Server) -> None:
    for _ in range(10):
        assert log_in(fresh, ANA, "not the password of anybody").status == 401
    refused = log_in(fresh, ANA)
    assert refused.status == 429
    assert 0 < refused.error["retry_after"] <= 900
    assert refused.headers["retry-after"] == str(refused.error["retry_after"])


def test_answers_have_the_form_that_the_document_says(fresh: Server) -> None:
    by_token, by_cookie = log_in(fresh, ANA), log_in(fresh, ANA, cookie=True)
    token = by_token.body["data"]["access_token"]
    checks = [
        ("/api/v1/auth/login", "post", by_token),
        ("/api/v1/auth/login", "post", by_cookie),
        ("/api/v1/auth/login", "post", log_in(fresh, ANA, "not the password of anybody")),
        ("/api/v1/auth/whoami", "get", fresh.get("auth/whoami", key=token)),
        ("/api/v1/auth/whoami", "get", fresh.get("auth/whoami")),
        ("/api/v1/auth/whoami", "get", fresh.get("auth/whoami", key="admin")),
        ("/api/v1/auth/sessions", "get", fresh.get("auth/sessions", key=token)),
        ("/api/v1/auth/password/reset", "post", fresh.post("auth/password/reset", {"email": ANA}, key=None)),
        ("/api/v1/auth/signing-keys", "post", fresh.post("auth/signing-keys", {}, key="admin")),
        ("/api/v1/users", "get", fresh.get("users?organization_id=org-123", key="admin")),
        ("/api/v1/users", "post", invite(fresh, "new@example.com")),
        ("/api/v1/auth/logout", "post", fresh.post("auth/logout", {}, key=token)),
    ]
    for path, method, answer in checks:
        jsonschema_rs.validate(schema_of(path, method, answer.status), json.loads(answer.text))


def test_only_the_installation_turns_signing_keys_over(fresh: Server) -> None:
    enrol(fresh, "root@example.com", "admin")
    admin, ana = token_of(fresh, "root@example.com"), token_of(fresh, ANA)
    for key in ("org", admin, ana):
        assert fresh.post("auth/signing-keys", {}, key=key).status == 403
    assert fresh.post("auth/signing-keys", {}, key="admin").status == 201
    assert fresh.get("costs", key=ana).status == 200
    assert fresh.post("auth/signing-keys", {"end_sessions": True}, key="admin").body["data"]["forgotten"] == 2
    assert fresh.get("costs", key=ana).status == 401
