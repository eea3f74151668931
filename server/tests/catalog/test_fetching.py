"""Fetching price files: from a real server on this machine, bounded, and not from inside the network unless allowed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cost_ops.catalog.fetching import Limits, fetch, is_url
from cost_ops.catalog.sources import Source, parse_source, read_sources
from cost_ops.domain.errors import InvalidInput

FIXTURES = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices"
INSIDE = Limits(private=True, timeout_seconds=20)
LITELLM = (FIXTURES / "litellm.json").read_bytes()


class _Answers(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        """Serve a price file, a redirect, or a fault."""
        if self.path.startswith("/litellm"):
            self._send(200, LITELLM)
        elif self.path == "/moved":
            self._send(302, b"", {"Location": "/litellm.json"})
        elif self.path == "/round":
            self._send(302, b"", {"Location": "/round"})
        elif self.path == "/file":
            self._send(302, b"", {"Location": "file:///etc/passwd"})
        elif self.path == "/broken":
            self._send(200, LITELLM[:100])
        else:
            self._send(404, b"no")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def reason(url: str, limits: Limits = INSIDE) -> str:
    with pytest.raises(InvalidInput) as caught:
        fetch(url, limits)
    assert "nothing was written" in caught.value.message
    return caught.value.problems[0].reason


def test_a_file_is_fetched_whole_redirects_followed(site: str) -> None:
    assert fetch(f"{site}/litellm.json?raw=1", INSIDE) == LITELLM
    assert fetch(f"{site}/moved", INSIDE) == LITELLM


def test_what_is_larger_than_allowed_is_refused(site: str) -> None:
    assert reason(f"{site}/litellm.json", INSIDE._replace(max_bytes=1000)) == "too_large"


@pytest.mark.parametrize("path", ["/absent", "/round"])
def test_what_is_not_there_says_so(site: str, path: str) -> None:
    assert reason(site + path) == "unreachable"


def test_a_redirect_out_of_http_is_refused(site: str) -> None:
    assert reason(f"{site}/file") == "invalid_url"


def test_a_server_that_does_not_listen_is_unreachable() -> None:
    assert reason("http://127.0.0.1:9/x") == "unreachable"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://10.0.0.8/x",
        "http://192.168.1.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/x",
        "http://[::ffff:10.0.0.8]/x",
        "http://[fd00::1]/x",
        "http://100.64.0.1/x",
        "http://224.0.0.1/x",
        "http://2130706433/x",
    ],
)
def test_addresses_that_are_not_public_are_refused_without_being_asked(url: str) -> None:
    assert reason(url, Limits()) == "private_address"


@pytest.mark.parametrize("url", ["ftp://example.com/x", "http://user:secret@example.com/x", "http:///x", "file:///x"])
def test_other_urls_are_refused(url: str) -> None:
    assert reason(url) == "invalid_url"


@pytest.mark.parametrize(("text", "expected"), [("https://x/y", True), ("HTTP://x", True), ("prices.json", False)])
def test_what_is_a_url_shows_in_its_scheme(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_a_source_is_recognised_by_its_content_wherever_it_is(site: str) -> None:
    files = [parse_source(str(FIXTURES / name)) for name in ("litellm.json", "models-dev.json")]
    found = read_sources([*files, parse_source("genai-prices"), parse_source(f"litellm={site}/litellm.json")])
    assert [data.publisher for data in found] == ["litellm", "models.dev", "genai-prices", "litellm"]
    assert [data.rank for data in found] == [2, 3, 1, 2]
    assert found[3].source == f"LiteLLM prices in {site}/litellm.json"
    assert all(data.aliases for data in found)


def test_a_source_of_another_kind_than_it_is_named_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"is litellm by its content, not models\.dev"):
        read_sources([parse_source(f"models.dev={FIXTURES / 'litellm.json'}")])


def test_a_source_with_another_hash_is_refused_and_with_its_own_it_is_read() -> None:
    digest = hashlib.sha256(LITELLM).hexdigest()
    path = str(FIXTURES / "litellm.json")
    assert read_sources([Source(path, sha256=digest.upper())])[0].publisher == "litellm"
    with pytest.raises(InvalidInput, match=f"has the sha256 {digest}"):
        read_sources([Source(path, sha256="0" * 64)])


def test_the_faults_of_all_sources_are_told_at_once(site: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"a": 1}))
    sources = [Source(f"{site}/broken"), Source(str(tmp_path / "x.json")), Source(str(tmp_path / "absent.json"))]
    with pytest.raises(InvalidInput) as caught:
        read_sources(sources)
    assert [p.reason for p in caught.value.problems] == ["invalid_json", "invalid_price_data", "unreadable"]


def test_files_are_refused_where_only_urls_are_allowed() -> None:
    with pytest.raises(InvalidInput, match=r"is no http\(s\) URL"):
        read_sources([Source(str(FIXTURES / "litellm.json"))], files=False)
