"""What a browser is told, whatever asks: nothing to guess, nothing to keep, no other origin let in, no way round."""

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from cost_ops.api.routes import OPERATIONS
from tests.api.running import USAGE, Server

OPEN = {
    "/health",
    "/live",
    "/health/live",
    "/ready",
    "/health/ready",
    "/metrics",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/password/confirm",
    "/reset-password",
}
"""What anybody may ask. Whoever opens another route writes it down here, and in docs/explanation/threat-model.md."""


ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "an answer": ("GET", "costs", {}),
    "a recorded record": ("POST", "usage", {"json": USAGE}),
    "a refused record": ("POST", "usage", {"json": {"provider": 1}}),
    "a stream": ("GET", "usage/stream", {}),
    "no body": ("HEAD", "costs", {}),
    "a key": ("GET", "auth/keys", {"key": "admin"}),
    "a fault": ("GET", "costs", {"params": {"group_by": "nothing"}}),
    "nobody": ("GET", "costs", {"key": None}),
    "nobody, on the quick path": ("POST", "usage", {"key": None, "json": USAGE}),
    "no permission": ("POST", "organizations", {"json": {"organization_id": "x"}}),
    "no path": ("GET", "/nowhere", {}),
    "no method": ("DELETE", "costs", {}),
    "no method, on the quick path": ("GET", "usage", {}),
    "too large": ("POST", "usage", {"content": b" " * (11 * 1024 * 1024)}),
    "health": ("GET", "/health", {"key": None}),
    "metrics": ("GET", "/metrics", {"key": None}),
    "the page": ("GET", "/reset-password", {"key": None}),
    "the document": ("GET", "/openapi.json", {"key": None}),
}


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_forbids_guessing_its_type_and_keeping_it(name: str, shared: Server) -> None:
    method, path, request = ASKED[name]
    headers = shared.ask(method, path, **request).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("name", ASKED)
def test_no_other_origin_is_let_in_and_nothing_redirects_or_sets_a_cookie(name: str, shared: Server) -> None:
    method, path, request = ASKED[name]
    answer = shared.ask(method, path, headers={"Origin": "https://evil.example"}, **request)
    assert not 300 <= answer.status < 400
    told = {name for name in answer.headers if name.startswith("access-control-")}
    assert told | ({"location", "set-cookie"} & set(answer.headers)) == set()


@pytest.mark.parametrize("path", ["costs", "usage", "auth/keys", "/nowhere", "/health"])
def test_a_preflight_is_not_granted(path: str, shared: Server) -> None:
    asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = shared.ask("OPTIONS", path, key=None, headers=asks)
    assert answer.status in (404, 405)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["costs", "usage", "/health", "/nowhere"])
def test_trace_and_methods_that_a_path_does_not_have_are_refused(path: str, shared: Server) -> None:
    for method in ("TRACE", "PROPFIND"):
        answer = shared.ask(method, path, key="admin", headers={"X-Echo": "echoed"})
        assert answer.status in (404, 405), method
        assert "echoed" not in answer.text


def test_the_page_runs_its_own_script_only_and_keeps_nothing(shared: Server) -> None:
    page = shared.get("/reset-password", key=None)
    policy = page.headers["content-security-policy"]
    rules = {rule.partition(" ")[0]: rule.partition(" ")[2] for rule in policy.split("; ")}
    assert {
        name: rules[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")
    } == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert rules["script-src"].startswith("'sha256-")
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    kept = (
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "innerHTML",
        "postMessage",
        "http://",
        "https://",
    )
    assert [word for word in kept if word in page.text] == []


def test_the_page_hides_what_is_typed_and_lets_managers_fill_it(shared: Server) -> None:
    text = shared.get("/reset-password", key=None).text
    fields = [field for field in re.findall(r"<input[^>]*>", text) if "checkbox" not in field]
    assert len(fields) == 2
    assert all('type="password"' in field and 'autocomplete="new-password"' in field for field in fields)
    assert [word for word in ("onpaste", "paste", "maxlength", 'autocomplete="off"') if word in text] == []


def test_only_what_is_listed_is_open_to_all() -> None:
    opened = {operation.path for operation in OPERATIONS if operation.public}
    assert opened == OPEN


def test_what_is_open_is_answered_without_a_key_and_all_else_is_not(shared: Server) -> None:
    for operation in OPERATIONS:
        method = operation.methods[0]
        path = re.sub(r"\{\w+\}", "1", operation.path)
        status = shared.ask(method, path, key=None).status
        if operation.path in OPEN:
            assert status in (200, 400, 503), operation.path
        elif not operation.public:
            assert status == 401, f"{method} {operation.path}"


def test_asking_changes_nothing(server: Server) -> None:
    assert server.post("usage", USAGE).status == 201
    before = _rows(server)
    for operation in OPERATIONS:
        assert operation.body is None or not {"GET", "HEAD"} & set(operation.methods), operation.path
        if "GET" in operation.methods:
            path = re.sub(r"\{\w+\}", "1", operation.path)
            for key in ("org", "admin"):
                assert server.get(path, key=key).status < 500, operation.path
    assert _rows(server) == before


def _rows(server: Server) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for what is kept of use itself: limits, refusals, when a key was last used."""
    path = server.application.settings.database.url.removeprefix("sqlite:")
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        names = {name for (name,) in found} - {"limit_windows", "audit_events", "audit_chains", "sqlite_sequence"}
        columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
        kept = {name: ", ".join(c for c in columns[name] if c != "last_used_at") for name in names}
        return {name: sorted(connection.execute(f"SELECT {kept[name]} FROM {name}"), key=repr) for name in names}


def test_no_route_takes_a_credential_in_its_path_or_query() -> None:
    secrets = {"api_key", "token", "access_token", "password", "secret", "authorization", "csrf_token"}
    for operation in OPERATIONS:
        named = {getattr(parameter, "name", str(parameter)) for parameter in operation.parameters}
        inside = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
        assert not secrets & (named | inside), operation.path
