"""What is wrong is said in words: where, what, and what to do."""

from __future__ import annotations

import builtins
import socket
import ssl
import threading

import pytest

from fakes.ledger import FakeLedger, Reply
from llm_cost_ops import CostOpsClient, exceptions
from llm_cost_ops.settings import resolve

HTML = {"Content-Type": "text/html"}


def never(url: str) -> CostOpsClient:
    return CostOpsClient("sk_live_secret", url, "org-fake", max_retries=0, timeout=5)


def test_a_refused_connection_says_the_url_and_what_to_do() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with never(f"http://127.0.0.1:{port}") as client, pytest.raises(exceptions.ConnectionError) as caught:
        client.health.check()
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    assert "is the server running there?" in str(caught.value)
    assert isinstance(caught.value, builtins.ConnectionError)
    assert caught.value.unsent


def test_a_host_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*asked: object, **how: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with (
        never("http://nowhere.invalid") as client,
        pytest.raises(exceptions.ConnectionError, match="host is not known"),
    ):
        client.health.check()


def test_tls_to_a_server_without_it_is_said(fake: FakeLedger) -> None:
    with (
        never(fake.url.replace("http:", "https:")) as client,
        pytest.raises(exceptions.ConnectionError, match="TLS failed"),
    ):
        client.health.check()


def test_authorities_that_cannot_be_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")
    with (
        never("https://10.255.255.1") as client,
        pytest.raises(exceptions.SettingsError, match="SSL_CERT_FILE=/nowhere/authorities"),
    ):
        client.health.check()


@pytest.mark.parametrize("url", ["http://xn--a..b", "http://a\nb"])
def test_a_host_that_is_no_name_is_said(url: str) -> None:
    with never(url) as client, pytest.raises(exceptions.SettingsError, match="cannot be made"):
        client.health.check()


def test_a_header_that_cannot_be_sent_is_said(fake: FakeLedger) -> None:
    with never(fake.url) as client, pytest.raises(exceptions.SettingsError, match="cannot be made"):
        client.with_options(headers={"x-team": "équipe"}).health.check()


def test_a_certificate_that_nobody_vouches_for_is_said(certificate: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_shake_hands, args=(server, certificate), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        with never(url) as client, pytest.raises(exceptions.ConnectionError, match="SSL_CERT_FILE"):
            client.health.check()
        thread.join(10)


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = server.accept()
    with plain:
        try:
            context.wrap_socket(plain, server_side=True).close()
        except OSError:
            return


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<!doctype html><title>Welcome</title>", HTML),
        Reply(404, b"<h1>not found</h1>", HTML),
        Reply(404, {"detail": "Not Found"}),
        Reply(200, {"hello": "another service"}, {"X-API-Version": ""}),
        Reply(200, [1, 2], {"X-API-Version": ""}),
        Reply(200, b"", {"X-API-Version": ""}),
        Reply(401, b"please log in", {"Content-Type": "text/plain"}),
    ],
)
def test_another_service_at_the_url_is_told_apart(client: CostOpsClient, fake: FakeLedger, reply: Reply) -> None:
    fake.always = reply
    with pytest.raises(exceptions.ConnectionError, match="not an LLM Cost Ops server") as caught:
        client.costs.get()
    assert fake.url in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_redirect_names_where_to(client: CostOpsClient, fake: FakeLedger) -> None:
    fake.always = Reply(308, b"", {"Location": "https://ledger.example.com/"})
    with pytest.raises(exceptions.ConnectionError, match=r"https://ledger\.example\.com/"):
        client.costs.get()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, exceptions.ServerError), (429, exceptions.RateLimitError), (413, exceptions.InvalidRequestError)],
)
def test_a_proxy_s_refusal_is_of_the_same_kind_as_the_server_s(
    client: CostOpsClient, fake: FakeLedger, status: int, kind: type
) -> None:
    fake.always = Reply(status, b"<html>nginx</html>", HTML)
    with pytest.raises(kind, match="nginx") as caught:
        client.costs.get()
    assert caught.value.status == status


def test_half_an_answer_is_none(client: CostOpsClient, fake: FakeLedger) -> None:
    fake.always = Reply(200, {"data": "x" * 100}, breaks=50)
    with pytest.raises(exceptions.ConnectionError, match="before the answer was whole"):
        client.costs.get()


@pytest.mark.parametrize(
    "body", [b'{"data": {"total', b'{"data": 7}', b'{"data": {"start_date": "yesterday"}}', b"\xff\xfe"]
)
def test_an_answer_that_cannot_be_read_is_said(client: CostOpsClient, fake: FakeLedger, body: bytes) -> None:
    fake.always = Reply(200, body)
    with pytest.raises(exceptions.ConnectionError, match="cannot be read"):
        client.costs.get()


def test_a_stream_that_breaks_off_is_not_taken_for_its_end(client: CostOpsClient, fake: FakeLedger) -> None:
    line = b'{"usage_id": "u", "timestamp": "2026-03-01T00:00:00Z"}\n'
    fake.always = Reply(200, line * 10, breaks=len(line) * 4 + 9)
    seen = []
    records = client.usage.stream(batch_size=1).records()
    with pytest.raises(exceptions.ConnectionError, match="before the answer was whole"):
        seen.extend(record.usage_id for record in records)
    assert seen == ["u"] * 4


def test_separators_within_a_line_do_not_end_it(client: CostOpsClient, fake: FakeLedger) -> None:
    fake.always = Reply(200, '{"usage_id": "a\u2028b\u0085c"}\n{"usage_id": "d"}'.encode())
    assert [record.usage_id for record in client.usage.stream().records()] == ["a\u2028b\u0085c", "d"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, exceptions.InvalidRequestError),
        (401, exceptions.AuthenticationError),
        (403, exceptions.PermissionDeniedError),
        (404, exceptions.NotFoundError),
        (409, exceptions.ConflictError),
        (413, exceptions.InvalidRequestError),
        (415, exceptions.InvalidRequestError),
        (418, exceptions.ApiError),
        (429, exceptions.RateLimitError),
        (500, exceptions.ServerError),
    ],
)
def test_each_status_has_its_exception(client: CostOpsClient, fake: FakeLedger, status: int, kind: type) -> None:
    details = {"field": "x", "reason": "budget_exceeded" if status == 409 else "y"}
    fake.always = Reply(
        status, {"error": {"code": "CODE", "message": "why", "details": details, "request_id": "req-1"}}
    )
    with pytest.raises(exceptions.ApiError) as caught:
        client.budgets.reserve(amount=1, organization_id="org")
    error = caught.value
    assert type(error) is (exceptions.BudgetExceededError if status == 409 else kind)
    assert (error.message, error.code, error.status, error.request_id) == ("why", "CODE", status, "req-1")
    assert error.details == details
    assert str(error) == f"why ({status} CODE, request req-1)"


@pytest.mark.parametrize("key", ["sk_live_a\n", " sk_live_a", "sk_live_a\x00b", "sk_live_ä", "sk live"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(exceptions.SettingsError) as caught:
        resolve(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:8080", "ftp://x", "http://", "http://user:hidden@host", "http://host:port", "http://host?x=1"],
)
def test_a_url_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(exceptions.SettingsError, match="base_url") as caught:
        resolve("sk_live_a", url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "numbers", [{"timeout": 0}, {"timeout": -1}, {"timeout": float("inf")}, {"max_retries": -1}, {"max_retries": 1.5}]
)
def test_numbers_out_of_range_are_refused(numbers: dict, client: CostOpsClient) -> None:
    with pytest.raises(exceptions.SettingsError, match=next(iter(numbers))):
        resolve("sk_live_a", **numbers)
    with pytest.raises(exceptions.SettingsError, match=next(iter(numbers))):
        client.with_options(**numbers)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(exceptions.SettingsError, match="COST_OPS_API_KEY"):
        CostOpsClient()
    monkeypatch.setenv("COST_OPS_API_KEY", "sk_live_env")
    monkeypatch.setenv("COST_OPS_API_URL", "http://ledger:8080/api/v1/")
    settings = resolve()
    assert (settings.api_key, settings.base_url) == ("sk_live_env", "http://ledger:8080")


@pytest.mark.parametrize(
    "value",
    [object(), float("nan"), {1, object()}, "\ud800", b"bytes"],
    ids=["object", "nan", "set", "surrogate", "bytes"],
)
def test_what_cannot_be_sent_is_named(client: CostOpsClient, fake: FakeLedger, value: object) -> None:
    with pytest.raises(exceptions.SettingsError, match="metadata cannot be sent"):
        client.usage.submit(organization_id="org", provider="x", metadata={"a": value})
    assert fake.asked == []


def test_a_circle_is_named(client: CostOpsClient) -> None:
    circle: dict = {}
    circle["self"] = circle
    with pytest.raises(exceptions.SettingsError, match="metadata cannot be sent"):
        client.usage.submit(organization_id="org", metadata=circle)


def test_a_client_that_is_closed_says_so(fake: FakeLedger) -> None:
    client = CostOpsClient("sk_live_fake", fake.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health.check()


def test_a_message_names_every_problem_of_a_request() -> None:
    errors = [{"field": f"f{n}", "message": f"f{n} is wrong"} for n in range(9)]
    said = str(exceptions.ApiError("f0 is wrong", "INVALID_REQUEST", 400, "req-1", {"errors": errors}))
    assert said == (
        "f0 is wrong; f1 is wrong; f2 is wrong; f3 is wrong; f4 is wrong; f5 is wrong; and 3 more in `details`"
        " (400 INVALID_REQUEST, request req-1)"
    )
    assert str(exceptions.ApiError("no", "CONFLICT", 409, None, {"errors": None})) == "no (409 CONFLICT)"
