"""The same commands against a real server on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cost_ops.cli.main import cli
from tests.cli.conftest import Shell, usage
from tests.cli.test_start_up import SOURCE


@dataclass(frozen=True)
class Server:
    """A running server, and two keys of it."""

    url: str
    key: str
    admin_key: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{url}/ready", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not get ready")


def made_key(url: str, *arguments: str) -> str:
    asked = ["auth", "create-key", "--name", "n", *arguments, "--database-url", url, "-o", "json"]
    return str(json.loads(CliRunner().invoke(cli, asked).stdout)["key"])


@pytest.fixture(scope="module")
def server(ready_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(ready_ledger, folder / "cost-ops.db")
    database = f"sqlite:{folder / 'cost-ops.db'}"
    key = made_key(database, "--organization", "default")
    admin_key = made_key(database, "--kind", "admin")
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "cost_ops.cli.main", "server", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(url, process)
        yield Server(url, key, admin_key)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def remote(empty_shell: Shell, server: Server, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell that talks to the server with an organisation's key."""
    monkeypatch.setenv("COST_OPS_API_URL", server.url)
    monkeypatch.setenv("COST_OPS_API_KEY", server.key)
    return empty_shell


def test_usage_is_recorded_queried_explained_and_exported(remote: Shell) -> None:
    price = remote.json(
        *("pricing", "add", "--provider", "openai", "--model", "m1", "--input-price", "10", "--output-price", "30")
    )
    assert (price["layer"], price["organization_id"]) == ("organization", "default")
    bad = usage(model_id="m1", input_tokens=-1, project_id="remote")
    records = [usage(model_id="m1", project_id="remote", user_id=f"u{n}") for n in range(1_200)]
    path = remote.write("u.json", [*records, bad])
    first = json.loads(remote("ingest", "--file", path, "-o", "json", "--batch-size", "10000", code=1).stdout)
    assert (first["recorded"], first["rejected"]) == (1_200, 1)
    assert first["costs"] == [{"currency": "USD", "cost": 30}]
    again = json.loads(remote("ingest", "--file", path, "-o", "json", code=1).stdout)
    assert (again["recorded"], again["already_there"]) == (0, 1_200)
    found = remote.json("query", "--project", "remote", "--group-by", "model,user", "--limit", "7")
    assert (found["total_cost"], found["row_count"], len(found["breakdown"])) == (30, 1_200, 7)
    table = remote("query", "--project", "remote", "--group-by", "user", "--limit", "7").stdout
    assert "1,193 more rows" in table
    remote("export", "--output", "all.jsonl", "--format", "jsonl", "--all", "--project", "remote")
    lines = [json.loads(line, parse_float=str) for line in Path("all.jsonl").read_text().splitlines()]
    assert len(lines) == 1_200
    assert {line["cost"] for line in lines} == {"0.025"}
    assert "Total: 0.025 USD" in remote("explain", lines[0]["usage_id"]).stdout
    remote("summary")


def test_a_file_counts_once_whichever_way_it_comes(remote: Shell, server: Server) -> None:
    del server
    record = {k: v for k, v in usage(model_id="m3").items() if k != "organization_id"}
    path = remote.write("u.jsonl", json.dumps(record))
    assert remote.json("ingest", "--file", path)["recorded"] == 1
    assert remote.json("ingest", "--file", path, "--organization", "default")["already_there"] == 1


def test_prices_are_found_changed_and_ended(remote: Shell) -> None:
    model = ("--provider", "custom", "--model", "m2")
    price = remote.json("pricing", "add", *model, "--input-price", "0.1234567891", "--output-price", "1")
    assert remote.json("pricing", "get", *model)["input_price_per_million"] == "0.1234567891"
    assert remote.json("pricing", "get", price["id"])["id"] == price["id"]
    new = remote.json("pricing", "update", price["id"], "--input-price", "5", "--output-price", "6")
    assert new["ended"] == price["id"]
    assert len(remote.json("pricing", "list", "--all", "--provider", "custom")) == 2
    remote("pricing", "delete", new["id"])
    assert "No pricing found" in remote("pricing", "get", *model, code=4).stderr
    assert remote.json("ingest", "--file", remote.write("u.json", [usage(model_id="m2x")]))["unpriced"] == 1
    assert "m2x" in remote("pricing", "unpriced").stdout


def test_keys_need_an_admin_key(remote: Shell, server: Server) -> None:
    refused = remote("auth", "list-keys", code=3)
    assert "It takes the permission admin:*" in refused.stderr
    assert "request id" in refused.stderr
    admin = ("--api-key", server.admin_key)
    made = remote.json("auth", "create-key", "--name", "x", "--organization", "org-7", *admin)
    assert made["key"].startswith("sk_live_")
    remote("auth", "update-key", made["id"], "--remove-permissions", "pricing:write", *admin)
    assert "pricing:write" not in remote.json("auth", "describe-key", made["key"], *admin)["permissions"]
    remote("auth", "revoke-key", made["id"], *admin)
    assert made["id"] in [k["id"] for k in remote.json("auth", "list-keys", "--organization", "org-7", *admin)]
    assert "--organization" in remote("auth", "create-key", "--name", "x", *admin, code=2).stderr
    assert "sync" not in remote("pricing", "sync-latest", "--dry-run", *admin).stderr
    remote("pricing", "sync-latest", code=3)


def test_a_wrong_key_is_an_authentication_failure(remote: Shell) -> None:
    refused = remote("query", "--api-key", "sk_live_00000000_" + "0" * 43, code=3)
    assert "Invalid or missing API key" in refused.stderr
    assert "COST_OPS_API_KEY" in refused.stderr


def test_all_faults_that_the_server_finds_are_shown(remote: Shell) -> None:
    told = remote("pricing", "get", "--provider", "p", "--model", "m" * 300, code=4).stderr
    assert "Error:" in told
    remote("doctor")


class Busy(BaseHTTPRequestHandler):
    """Refuses twice, then answers; says how often it was asked."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).asked < 3:
            status = 503 if type(self).asked == 1 else 429
            body: Any = {"error": {"code": "BUSY", "message": "busy"}}
        else:
            recorded = {"index": 0, "usage_id": "u", "status": "unpriced", "cost": None, "currency": None}
            status, body = 200, {"data": {"results": [recorded | {"replayed": False}]}}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Silence."""


def test_a_busy_server_is_asked_again(empty_shell: Shell) -> None:
    with HTTPServer(("127.0.0.1", 0), Busy) as busy:
        threading.Thread(target=busy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{busy.server_port}/api/v1/"
        path = empty_shell.write("u.json", [usage()])
        found = empty_shell.json("ingest", "--file", path, "--api-url", url, "--organization", "default")
        busy.shutdown()
    assert (found["recorded"], found["unpriced"], Busy.asked) == (1, 1, 3)


def test_the_demo_starts_prints_its_key_and_starts_again_with_the_same(tmp_path: Path) -> None:
    port = free_port()
    keys = set()
    for _ in range(2):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)}
        command = [sys.executable, "-m", "cost_ops.cli.main", "demo", "--port", str(port)]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(30)
        text = (tmp_path / "log").read_text()
        assert text.count("curl") == 2
        assert "cost-ops query" in text
        key = (tmp_path / ".run" / "key").read_text().strip()
        assert key in text
        keys.add(key)
    assert len(keys) == 1
    assert (tmp_path / ".run" / "key").stat().st_mode & 0o777 == 0o600
