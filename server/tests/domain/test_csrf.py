"""Requests with a session's cookie that change something: from our own page, or from somebody else's?"""

import pytest

from cost_ops.domain.csrf import check_csrf, csrf_token_for

COOKIE = "ses_1.a-secret"
TOKEN = csrf_token_for("a-secret").encode()
HOST = (b"host", b"costs.example.com")


def test_the_token_follows_from_the_secret_and_does_not_tell_it() -> None:
    assert csrf_token_for("a-secret") == TOKEN.decode()
    assert csrf_token_for("b-secret") != TOKEN.decode()
    assert "a-secret" not in TOKEN.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"origin": b"https://costs.example.com"},
        {b"origin": b"HTTPS://Costs.Example.com"},
        {b"sec-fetch-site": b"same-origin", b"origin": b"https://costs.example.com"},
        {b"sec-fetch-site": b"none"},
    ],
    ids=str,
)
def test_our_own_page_may(headers: dict[bytes, bytes]) -> None:
    assert check_csrf(COOKIE, dict([HOST, (b"x-csrf-token", TOKEN), *headers.items()])) is None


@pytest.mark.parametrize(
    "headers",
    [
        {b"sec-fetch-site": b"cross-site"},
        {b"sec-fetch-site": b"same-site"},
        {b"sec-fetch-site": b""},
        {b"origin": b"null"},
        {b"origin": b"https://evil.example"},
        {b"origin": b"https://costs.example.com.evil.example"},
        {b"origin": b"https://costs.example.com:8443"},
        {b"origin": b"costs.example.com"},
        {b"origin": b""},
        {b"origin": b"https://[::1"},
    ],
    ids=str,
)
def test_another_site_may_not_though_it_knew_the_token(headers: dict[bytes, bytes]) -> None:
    assert check_csrf(COOKIE, dict([HOST, (b"x-csrf-token", TOKEN), *headers.items()])) is not None


@pytest.mark.parametrize(
    "sent", [None, b"", TOKEN[:-1], TOKEN + b"0", TOKEN.upper(), b"\xff\xfe", b"a-secret"], ids=str
)
def test_without_the_right_token_nobody_may(sent: bytes | None) -> None:
    headers = dict([HOST] if sent is None else [HOST, (b"x-csrf-token", sent)])
    assert check_csrf(COOKIE, headers) is not None


@pytest.mark.parametrize("cookie", ["", ".", "ses_1", "ses_1.", "ses_2.b-secret"])
def test_the_token_of_another_session_does_not_do(cookie: str) -> None:
    assert check_csrf(cookie, {b"x-csrf-token": TOKEN}) is not None
