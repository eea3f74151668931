"""Posting to somebody else's server: to a checked address, bounded in time and size, without following redirects."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any

from cost_ops.interfaces.notifications import Answer
from cost_ops.notifiers.addresses import Place, Refused, find

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
KEPT_CHARACTERS = 500
_GONE = 410


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool,
    timeout_seconds: float = TIMEOUT_SECONDS,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """What a POST came to. `private` allows addresses that are not public; `trust` says whose certificates are
    believed. Whatever goes wrong is an answer that says so; the whole takes `timeout_seconds` at most.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        place = find(url, private=private, timeout_seconds=timeout_seconds)
        return _answer(place, body, headers, deadline, trust)
    except Refused as refused:
        return Answer(False, error=f"the URL {refused}")
    except TimeoutError as error:
        return Answer(False, error=f"no complete answer within {timeout_seconds:g} seconds ({_words(error)})")
    except ssl.SSLError as error:
        return Answer(False, error=f"no secure connection: {_words(error)}")
    except (OSError, HTTPException, ValueError) as error:
        return Answer(False, error=f"no answer: {_words(error)}")


def _words(error: Exception) -> str:
    return printable(str(error) or type(error).__name__)[:200]


def printable(text: str) -> str:
    """A text of somebody else's without what would break a line, a terminal or a database."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _answer(
    place: Place, body: bytes, headers: Mapping[str, str], deadline: float, trust: ssl.SSLContext | None
) -> Answer:
    connection = _Pinned(place, deadline, trust)
    try:
        connection.request("POST", place.target, body=body, headers={**headers, "Accept-Encoding": "identity"})
        with connection.getresponse() as response:
            return _told(response)
    finally:
        connection.hang_up()


def _told(response: HTTPResponse) -> Answer:
    """The status decides; what is said beside it is kept as far as it is short."""
    status = response.status
    text = printable(_text(response))[:KEPT_CHARACTERS]
    if 200 <= status < 300:
        return Answer(True, status, text=text)
    if 300 <= status < 400:
        to = printable(response.headers.get("Location") or "nowhere")[:200]
        return Answer(False, status, f"it redirects ({status}) to {to}; redirects are not followed", text)
    return Answer(
        False, status, f"it answers {status} {printable(response.reason)[:60]}".rstrip(), text, status == _GONE
    )


def _text(response: HTTPResponse) -> str:
    """The beginning of an answer. One that breaks off after its status has told what matters."""
    found = bytearray()
    try:
        while len(found) < MAX_ANSWER_BYTES and (chunk := response.read1(MAX_ANSWER_BYTES - len(found))):
            found += chunk
    except (HTTPException, ConnectionError, ValueError):
        pass
    return bytes(found).decode("utf-8", "replace")


class _Pinned(HTTPConnection):
    """A connection to an address that was checked; over TLS the certificate must be that of the host."""

    def __init__(self, place: Place, deadline: float, trust: ssl.SSLContext | None) -> None:
        super().__init__(str(place.parts.hostname), place.address[1])
        self._place = place
        self._deadline = deadline
        self._tls = (trust or _public_trust()) if place.secure else None
        self._line: socket.socket | None = None
        if self._tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        """Connect to the checked address."""
        self._line = socket.create_connection(self._place.address, _left(self._deadline))
        if self._tls is not None:
            self._line.settimeout(_left(self._deadline))
            self._line = self._tls.wrap_socket(self._line, server_hostname=self.host)
        self.sock = _Timed(self._line, self._deadline)

    def hang_up(self) -> None:
        """Let go of the connection, whatever was read of the answer."""
        self.close()
        if self._line is not None:
            self._line.close()


@cache
def _public_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


class _Timed:
    """A socket all of whose waiting ends at one deadline, however little arrives at a time."""

    def __init__(self, inner: socket.socket, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send everything."""
        self._inner.settimeout(_left(self._deadline))
        self._inner.sendall(data)

    def makefile(self, mode: str) -> BufferedReader:  # noqa: ARG002 (always read from)
        """What is received, as a file."""
        return BufferedReader(_Receiving(self._inner, self._deadline))

    def close(self) -> None:
        """Nothing: the answer may still be read. `_Pinned.hang_up` comes in the end."""


class _Receiving(RawIOBase):
    def __init__(self, inner: socket.socket, deadline: float) -> None:
        super().__init__()
        self._inner = inner
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._inner.settimeout(_left(self._deadline))
        return self._inner.recv_into(buffer)
