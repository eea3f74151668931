"""What the printed Python finds here: the organisation `org-123`, its ledger, and the fake provider of old clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest
from seeds.legacy import legacy_python, python_for_legacy

from ledgers import Ledger, running_ledger


@pytest.fixture
def org_123(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """A new ledger, where `org-123` has nothing yet; the environment says where it is, as a reader's would."""
    with running_ledger(tmp_path, jobs__in_server=False) as server:
        ledger = Ledger(server, "org-123", server.make_key("org-123"))
        for name, value in reader(ledger).items():
            monkeypatch.setenv(name, value)
        yield ledger


def reader(ledger: Ledger) -> dict[str, str]:
    """The environment of a reader whose ledger is not at the default address."""
    return {"COST_OPS_API_URL": ledger.url, "COST_OPS_ORGANIZATION": ledger.organization_id}


@pytest.fixture(scope="session")
def old_python() -> Path:
    """Python with the old libraries."""
    base = python_for_legacy()
    if base is None:
        pytest.skip("the old libraries need Python 3.11 or 3.12")
    return legacy_python(base)


ANSWERED = {"prompt_tokens": 4, "completion_tokens": 9, "total_tokens": 13}
_NUMBERS = count(1)


class _Old(BaseHTTPRequestHandler):
    """Answers completions and chat completions as OpenAI did in 2023."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "text": "Hello!",
            "message": {"role": "assistant", "content": "Hi"},
        }
        answer = {
            "id": f"cmpl-{next(_NUMBERS):020d}",
            "object": "text_completion",
            "created": 1,
            "model": asked.get("model", "gpt-4"),
        }
        body = json.dumps({**answer, "choices": [choice], "usage": ANSWERED}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def old_openai() -> Iterator[dict[str, str]]:
    """The environment in which openai before 1.0 calls the fake."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Old)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield {"OPENAI_API_BASE": f"http://127.0.0.1:{server.server_address[1]}/v1", "OPENAI_API_KEY": "sk-test"}
    server.shutdown()
    thread.join(30)
    server.server_close()
