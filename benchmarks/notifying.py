"""How late people hear: from the answer that says a record is committed to the webhook that tells of it.

A real server with its jobs inside, a receiver on loopback, single records at a steady rate. `usage.submitted` is told
of every record; `budget.threshold_exceeded` when the record of a user takes that user's budget over its threshold.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from benchmarks import databases
from benchmarks.report import Report, Row, at_most
from benchmarks.served import served

from tests.scenarios.running_ledger import prepare_ledger

ORGANIZATION = "bench"
RATE = 20
"""Records a second."""

_WAIT_SECONDS = 30
_SETTINGS = {"notifications.allow_private_addresses": "true", "jobs.in_server": "true"}


class _Receiver:
    """Notes when each record was told of: by its usage id, and by its user's budget."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], float] = {}
        self.deliveries: list[str] = []

    def take(self, body: bytes) -> None:
        at = time.perf_counter()
        told = json.loads(body)
        self.deliveries.append(told["delivery_id"])
        data = told["data"]
        name = data.get("usage_id") or data.get("budget_name") or data.get("budget_id")
        self.told.setdefault((told["event"], name), at)


def run(options: argparse.Namespace) -> list[Report]:
    """A report for each database."""
    reports = []
    for engine in [options.engine] if options.engine else databases.ENGINES:
        with ExitStack() as stack:
            folder = stack.enter_context(databases.new_folder(options.cache))
            url = stack.enter_context(databases.database(engine, folder))
            reports.append(_told(engine, url, folder, 100 if options.quick else 600))
    return reports


def _told(engine: str, url: str, folder: Path, records: int) -> Report:
    print(f"notifying: {engine}", file=sys.stderr)
    key = prepare_ledger(url, ORGANIZATION)
    with _receiving() as (receiver, address), served(url, key, ORGANIZATION, folder, _SETTINGS) as loaded:
        where = f"http://127.0.0.1:{loaded.server.port}/api/v1"
        with httpx2.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            _prepare(client, where, address, records)
            sent = _send(client, where, records)
            wanted = set(sent)
            until = time.perf_counter() + _WAIT_SECONDS
            while wanted - receiver.told.keys() and time.perf_counter() < until:
                time.sleep(0.1)
    rows = []
    for event in ("usage.submitted", "budget.threshold_exceeded"):
        late = sorted(receiver.told[one] - at for one, at in sent.items() if one[0] == event and one in receiver.told)
        missing = sum(one[0] == event and one not in receiver.told for one in sent)
        note = f"median {_at(late, 0.5):.2f}, largest {late[-1] if late else 0:.2f}, {len(late)} received"
        rows += [
            Row(f"`{event}`: from 201 to the webhook, p95", _at(late, 0.95), "s", at_most(2), note),
            Row("… never received", missing, "", at_most(0)),
        ]
    twice = len(receiver.deliveries) - len(set(receiver.deliveries))
    return Report(f"Webhooks, {engine}", [*rows, Row("deliveries received twice", twice, "", at_most(0))])


def _prepare(client: httpx2.Client, where: str, address: str, records: int) -> None:
    """A webhook for both events, and a budget for each user whose first record takes it over a half."""
    events = ["usage.submitted", "budget.threshold_exceeded"]
    _ok(client.post(f"{where}/webhooks", json={"url": address, "events": events}))
    for number in range(records):
        budget = {
            "organization_id": ORGANIZATION,
            "name": f"user-{number}",
            "amount": "0.01",
            "period": "monthly",
            "scope": {"user": f"user-{number}"},
            "alert_thresholds": [0.5],
            "forecast_alerts": False,
        }
        _ok(client.post(f"{where}/budgets", json=budget))


def _send(client: httpx2.Client, where: str, records: int) -> dict[tuple[str, str], float]:
    """What has to be heard of, and when its record was answered."""
    sent: dict[tuple[str, str], float] = {}
    begun = time.perf_counter()
    for number in range(records):
        time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        record = {
            "organization_id": ORGANIZATION,
            "provider": "openai",
            "model_id": "gpt-4o",
            "input_tokens": 1000,
            "output_tokens": 500,
            "user_id": f"user-{number}",
        }
        answer = _ok(client.post(f"{where}/usage", json=record))
        at = time.perf_counter()
        sent["usage.submitted", answer["usage_id"]] = at
        sent["budget.threshold_exceeded", f"user-{number}"] = at
    return sent


def _ok(response: httpx2.Response) -> Any:
    if response.status_code not in (200, 201):
        raise RuntimeError(f"{response.request.url} answers {response.status_code}: {response.text[:300]}")
    return response.json()


@contextmanager
def _receiving() -> Iterator[tuple[_Receiver, str]]:
    receiver = _Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()


def _at(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("inf")
