"""A load generator on one thread: N keep-alive connections over epoll, as a process of its own.

`python -m benchmarks.load --port 8080 --key sk_… --organization org --connections 64 --seconds 10` sends single
records in a closed loop: every connection has one request in the air, always. With `--rate 1000` the loop is open:
requests are due at fixed times whether earlier ones are answered or not, and a latency counts from when its request was
due, so a server that stalls cannot hide it. `--batch 1000` sends batches, `--get /health` asks instead of sending.

It prints one JSON object: requests, requests a second, latency percentiles in milliseconds, statuses.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from benchmarks.payloads import Requests

_READ = 262_144


@dataclass(slots=True)
class Connection:
    """One keep-alive connection with at most one request in the air. `due` is when that was to be sent."""

    socket: socket.socket
    due: float = 0.0
    unsent: memoryview | None = None
    received: bytearray = field(default_factory=bytearray)
    expected: int = 0


@dataclass(slots=True)
class Measured:
    """What came back, from the end of the warm-up on."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    late: float = 0.0

    def summary(self, *, seconds: float, records: int) -> dict[str, object]:
        """Figures for JSON; latencies in milliseconds."""
        found = sorted(self.latencies)
        answered = len(found)
        return {
            "requests": answered,
            "seconds": seconds,
            "requests_per_second": answered / seconds,
            "records_per_second": answered * records / seconds,
            "p50_ms": _percentile(found, 0.50),
            "p99_ms": _percentile(found, 0.99),
            "max_ms": _percentile(found, 1.0),
            "not_2xx": sum(n for status, n in self.statuses.items() if status // 100 != 2),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "sent_late_ms": self.late * 1000,
        }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else float("nan")


class Load:
    """Sends what `make` makes over connections until the time is up, then waits for what is still in the air."""

    def __init__(self, *, port: int, connections: int, make: Callable[[], bytes], rate: float | None) -> None:
        self._make = make
        self._rate = rate
        self._poll = select.epoll()
        self._by_number: dict[int, Connection] = {}
        self._idle: deque[Connection] = deque()
        self._measured = Measured()
        self._counted_from = 0.0
        for _ in range(connections):
            self._idle.append(self._connected(port))

    def run(self, *, seconds: float, warm_up: float) -> Measured:
        """Load for `warm_up + seconds`; only requests due after the warm-up count."""
        start = time.perf_counter()
        self._counted_from, end = start + warm_up, start + warm_up + seconds
        due = start
        while True:
            now = time.perf_counter()
            if now >= end:
                break
            if self._rate is None:
                while self._idle:
                    self._send(self._idle.popleft(), time.perf_counter())
                wait = end - now
            else:
                while self._idle and due <= now:
                    self._send(self._idle.popleft(), due)
                    due += 1 / self._rate
                wait = end - now if not self._idle else max(due - time.perf_counter(), 0.0)
            self._answers(wait)
        self._drain(deadline=time.perf_counter() + 30)
        return self._measured

    def _connected(self, port: int) -> Connection:
        found = Connection(socket.create_connection(("127.0.0.1", port), timeout=10))
        found.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.socket.setblocking(False)
        self._by_number[found.socket.fileno()] = found
        self._poll.register(found.socket, select.EPOLLIN)
        return found

    def _send(self, connection: Connection, due: float) -> None:
        connection.due = due
        self._measured.late = max(self._measured.late, time.perf_counter() - due)
        self._push(connection, memoryview(self._make()))

    def _push(self, connection: Connection, data: memoryview) -> None:
        """Write what the socket takes; where that is not all, go on when it takes more."""
        try:
            sent = connection.socket.send(data)
        except BlockingIOError:
            sent = 0
        rest = data[sent:]
        waiting = connection.unsent is not None
        connection.unsent = rest if rest else None
        if bool(rest) != waiting:
            self._poll.modify(connection.socket, select.EPOLLIN | (select.EPOLLOUT if rest else 0))

    def _answers(self, wait: float) -> None:
        for number, event in self._poll.poll(wait):
            connection = self._by_number[number]
            if event & select.EPOLLOUT and connection.unsent is not None:
                self._push(connection, connection.unsent)
            if event & ~select.EPOLLOUT:
                self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        data = connection.socket.recv(_READ)
        if not data:
            raise ConnectionError("the server closed a connection")
        connection.received += data
        if not connection.expected:
            connection.expected = _length(connection.received)
        if connection.expected and len(connection.received) >= connection.expected:
            if connection.due >= self._counted_from:
                self._measured.latencies.append(time.perf_counter() - connection.due)
                self._measured.statuses[int(connection.received[9:12])] += 1
            connection.received.clear()
            connection.expected = 0
            self._idle.append(connection)

    def _drain(self, deadline: float) -> None:
        while len(self._idle) < len(self._by_number) and time.perf_counter() < deadline:
            self._answers(1.0)


def _length(received: bytearray) -> int:
    """How long the answer will be in all; 0 where its head is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = bytes(received[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"an answer without a length: {head[:300]!r}")
    return end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])


def main() -> None:
    """Load a server as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--organization", default="bench")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--get")
    parser.add_argument("--spans", type=int, help="OTLP exports of so many spans")
    parser.add_argument("--calls-in", type=int, default=1, help="of the spans, every so manieth is a model call")
    parser.add_argument("--wrong-keys", type=bool, default=False, help="ask with keys that nobody has")
    options = parser.parse_args()
    requests = Requests(
        host=f"127.0.0.1:{options.port}",
        key=options.key,
        organization_id=options.organization,
        run=f"load-{uuid4().hex[:12]}-",
    )
    make: Callable[[], bytes] = requests.single
    if options.batch:
        make = partial(requests.batch, options.batch)
    if options.spans:
        make = _exports(options)
    if options.get:
        make = partial(requests.get, options.get)
    if options.wrong_keys:
        make = requests.wrong_key
    load = Load(port=options.port, connections=options.connections, make=make, rate=options.rate)
    measured = load.run(seconds=options.seconds, warm_up=options.warm_up)
    records = options.spans or options.batch or 1
    summary = measured.summary(seconds=options.seconds, records=records) | {"sent_bytes": len(make())}
    json.dump(summary, sys.stdout)


def _exports(options: argparse.Namespace) -> Callable[[], bytes]:
    from benchmarks.exports import Exports

    host = f"127.0.0.1:{options.port}"
    return Exports(host=host, key=options.key, spans=options.spans, calls_in=options.calls_in).next


if __name__ == "__main__":
    main()
