"""The server as a process: SIGTERM loses nothing, several workers share one port, logs hold no secret."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from cost_ops import logs
from cost_ops.settings_sections import LoggingSettings
from tests.api.running import ORGANIZATION, USAGE, opened
from tests.scenarios.running_ledger import prepare_ledger

SCRIPT = """
import sys
from cost_ops.api.server import run
from cost_ops.settings import load_settings
if __name__ == "__main__":
    url, port, workers = sys.argv[1:]
    flags = {"database.url": url, "server.port": port, "server.workers": workers}
    run(load_settings(environment={}, flags=flags))
"""


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def process(folder: Path, url: str, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of its own; killed at the end if it still runs."""
    script = folder / "serve.py"
    script.write_text(SCRIPT)
    port = free_port()
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([sys.executable, str(script), url, str(port), str(workers)], stderr=log, cwd=folder)
    try:
        base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx2.get(f"{base}/ready").status_code == 200:
                    break
            except httpx2.TransportError:
                assert running.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield running, base
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_in_mid_stream_loses_nothing_that_was_answered(tmp_path: Path, workers: int) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    key = prepare_ledger(url, ORGANIZATION)
    answered: list[str] = []
    with process(tmp_path, url, workers) as (running, base):

        def send() -> None:
            with httpx2.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
                while True:
                    try:
                        response = client.post(f"{base}/api/v1/usage", json=USAGE)
                    except httpx2.TransportError:
                        return
                    if response.status_code == 201:
                        answered.append(response.json()["usage_id"])

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        while len(answered) < 50:
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGTERM)
        assert running.wait(30) == 0
        for thread in threads:
            thread.join(30)
    application = opened(url)
    with application.storage.ledger(ORGANIZATION) as ledger:
        stored = {r.usage_id for r in ledger.usage.stream(start_us=None, end_us=None, filters=())}
    application.close()
    assert set(answered) <= stored
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert key not in log


@pytest.fixture
def quiet_again() -> Iterator[None]:
    import logging

    import structlog

    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize("form", ["json", "text"])
def test_logs_hold_no_secret(form: str) -> None:
    out = io.StringIO()
    logs.configure(LoggingSettings(format=form), out)
    secret = "sk_live_ab12cd34_" + "S" * 43
    log = logs.logger("test")
    log.info("a key", presented=secret, authorization=f"Bearer {secret}", url="postgresql://me:hunter2@db/x")
    log.debug("not at this level")
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed", jwt_secret="hush")
    text = out.getvalue()
    assert "S" * 43 not in text
    assert not re.search("hunter2|hush|not at this level", text)
    assert "sk_live_ab12cd34_***" in text
    if form == "json":
        assert [json.loads(line)["level"] for line in text.splitlines()] == ["info", "error"]
