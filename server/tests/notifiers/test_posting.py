"""Posting to servers that behave badly, and to addresses that nothing is posted to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.interfaces.notifications import Answer
from cost_ops.notifiers import addresses
from cost_ops.notifiers.addresses import check_url, is_public
from cost_ops.notifiers.posting import KEPT_CHARACTERS, MAX_ANSWER_BYTES, post
from tests.hook_server import hook_server, raw_server
from tests.tls import self_signed, server_tls

FOREVER = threading.Event()
"""Never set: who waits for it hangs until the other side has had enough."""


def tell(url: str, *, private: bool = True, timeout: float = 10.0, trust: ssl.SSLContext | None = None) -> Answer:
    return post(url, b'{"a":1}', {"X-Test": "yes"}, private=private, timeout_seconds=timeout, trust=trust)


def test_what_is_posted_arrives_as_it_is() -> None:
    with hook_server() as hook:
        assert tell(f"{hook.url}/in?a=1#no") == Answer(True, 200, text="thanks")
        got = hook.next()
    assert (got.path, got.body, got.headers["x-test"]) == ("/in?a=1", b'{"a":1}', "yes")
    assert got.headers["host"] == hook.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("status", "gone", "said"), [(500, False, "it answers 500"), (404, False, "it answers 404"), (410, True, "410")]
)
def test_a_refusal_is_a_failure_with_what_was_said(status: int, gone: bool, said: str) -> None:
    with hook_server() as hook:
        hook.answer = lambda _: (status, "no \x1b[31m\x00way\n" * 200)
        answer = tell(hook.url)
    assert (answer.ok, answer.status, answer.gone) == (False, status, gone)
    assert said in answer.error
    assert answer.text.startswith("no \ufffd[31m\ufffdway\n")
    assert len(answer.text) == KEPT_CHARACTERS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with hook_server() as other, hook_server() as hook:
        hook.headers = {"Location": f"{other.url}/elsewhere"}
        hook.answer = lambda _: (status, "")
        answer = tell(hook.url)
        assert other.received.empty()
    assert (answer.ok, answer.status) == (False, status)
    assert f"{other.url}/elsewhere" in answer.error
    assert "not followed" in answer.error


def hang(connection: socket.socket) -> None:
    FOREVER.wait(30)


def drip(connection: socket.socket, start: bytes = b"HTTP/1.1 200 OK\r\n", more: bytes = b"X-A: b\r\n") -> None:
    connection.sendall(start)
    while not FOREVER.wait(0.02):
        connection.sendall(more)


def drip_body(connection: socket.socket) -> None:
    drip(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")


def keep_going(connection: socket.socket) -> None:
    drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("talk", [hang, drip, drip_body, keep_going])
def test_whoever_takes_too_long_is_hung_up_on(talk: Callable[[socket.socket], None]) -> None:
    with raw_server(talk) as url:
        answer = tell(url, timeout=0.3)
    assert (answer.ok, answer.status) == (False, None)
    assert "0.3 seconds" in answer.error


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"y" * 65536)


def test_of_an_endless_answer_the_beginning_is_read() -> None:
    with raw_server(endless) as url:
        answer = tell(url)
    assert answer == Answer(True, 200, text="y" * KEPT_CHARACTERS)
    assert MAX_ANSWER_BYTES == 65_536


def nonsense(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 3)


def nothing(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def broken_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


@pytest.mark.parametrize("talk", [nonsense, nothing])
def test_what_is_no_answer_is_a_failure(talk: Callable[[socket.socket], None]) -> None:
    with raw_server(talk) as url:
        answer = tell(url)
    assert (answer.ok, answer.status) == (False, None)
    assert answer.error.startswith("no answer: ")


def test_an_answer_that_breaks_off_after_its_status_has_told_what_matters() -> None:
    with raw_server(broken_off) as url:
        assert tell(url) == Answer(True, 200, text="half")


def test_where_nobody_listens_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = tell(f"http://127.0.0.1:{port}/")
    assert answer.error.startswith("no answer: ")


def test_a_certificate_that_is_not_believed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    with hook_server(server_tls(certificate)) as hook:
        assert tell(hook.url).error.startswith("no secure connection: ")
        trusted = ssl.create_default_context(cafile=certificate)
        assert tell(hook.url, trust=trusted).ok
        monkeypatch.setattr(addresses, "_lookup", lambda *_: ["127.0.0.1"])
        other = tell(hook.url.replace("127.0.0.1", "other.example"), trust=trusted)
    assert other.error.startswith("no secure connection: ")
    assert "other.example" in other.error


NOT_PUBLIC = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_addresses_that_are_public_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
    ],
)
def test_nothing_is_posted_into_the_network_however_it_is_written(host: str) -> None:
    url = f"https://{host}/latest/meta-data/"
    with pytest.raises(InvalidInput) as caught:
        check_url(url, "url", private=False)
    assert caught.value.problems[0].reason == "private_address"
    answer = tell(url, private=False)
    assert "which is not public" in answer.error
    assert "notifications.allow_private_addresses" in answer.error


def test_a_name_that_leads_elsewhere_by_now_is_refused_when_it_is_posted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["93.184.215.14"]
    monkeypatch.setattr(addresses, "_lookup", lambda *_: found)
    assert check_url("https://rebinding.example/", "url", private=False) == "https://rebinding.example/"
    found[:] = ["93.184.215.14", "127.0.0.1"]
    assert "127.0.0.1, which is not public" in tell("https://rebinding.example/", private=False).error


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (None, "invalid_url"),
        (7, "invalid_url"),
        ("", "invalid_url"),
        ("example.com/x", "invalid_url"),
        ("ftp://example.com/", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("https://", "invalid_url"),
        ("https://example.com:0/", "invalid_url"),
        ("https://example.com:99999/", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        ("https://exämple.com/", "invalid_url"),
        ("https://example.com/a b", "invalid_url"),
        ("https://example.com/\r\nX-Evil: 1", "invalid_url"),
        ("https://example.com\\@127.0.0.1/", "invalid_url"),
        ("https://user:secret@example.com/", "credentials_in_url"),
        ("https://@example.com/", "credentials_in_url"),
        ("http://example.com/", "not_https"),
        ("https://example.com/" + "x" * 2000, "too_long"),
    ],
)
def test_urls_that_are_not_taken(url: Any, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_url(url, "url", private=False)
    (problem,) = caught.value.problems
    assert (problem.field, problem.reason) == ("url", reason)
    assert problem.message.startswith("url ")
    assert "secret" not in problem.message


def test_a_host_that_is_unknown_now_is_taken_and_fails_when_it_is_posted_to() -> None:
    assert check_url("https://nobody.invalid/", "url", private=False) == "https://nobody.invalid/"
    assert tell("https://nobody.invalid/", private=False).error.startswith("no answer: ")


def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hung.wait(20) and [])
    answer = tell("https://slow.example/", timeout=0.1)
    hung.set()
    assert "0.1 seconds" in answer.error
