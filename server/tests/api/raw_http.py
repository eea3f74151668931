"""HTTP as bytes: what no well-behaved client would send."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30
SILENCE_SECONDS = 2
"""How long to listen to a server that waits for the rest of a request."""


@dataclass(frozen=True)
class RawAnswer:
    """Everything that came back on a connection, and of its first answer the status and the headers."""

    everything: bytes

    @property
    def status(self) -> int:
        """Of the first answer; 0 where the connection was closed without one."""
        return int(self.everything.split(b" ", 2)[1]) if self.everything.startswith(b"HTTP/") else 0

    @property
    def statuses(self) -> list[int]:
        """Of every answer on the connection."""
        parts = self.everything.split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts]

    def header(self, name: str) -> str | None:
        """A header of the first answer."""
        head = self.everything.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(": ", 1) for line in head)
        return next((value for found, value in pairs if found.lower() == name.lower()), None)


def raw(url: str, *parts: bytes, unfinished: bool = False) -> RawAnswer:
    """Send bytes and read until the server closes; `unfinished`: it may as well wait for more, which never comes."""
    where = urlsplit(url)
    found = b""
    with socket.create_connection((where.hostname or "", where.port or 80), TIMEOUT_SECONDS) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            connection.settimeout(SILENCE_SECONDS if unfinished else TIMEOUT_SECONDS)
            while piece := connection.recv(65536):
                found += piece
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it had read everything
        except TimeoutError:
            if not unfinished:
                raise
    return RawAnswer(found)


def request(
    target: str = "/api/v1/costs",
    *headers: bytes,
    method: str = "GET",
    body: bytes = b"",
    host: bytes = b"Host: ledger.example",
) -> bytes:
    """A request that asks for the connection to be closed; headers are whole lines."""
    length = [b"Content-Length: %d" % len(body)] if body else []
    lines = [f"{method} {target} HTTP/1.1".encode(), host, b"Connection: close", *length, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
