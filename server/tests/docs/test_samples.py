"""The samples in the documents work as printed."""

import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.docs import samples
from tests.docs.conftest import Machine, addresses, environment
from tests.docs.samples import Document, Shell, read_document
from tests.scenarios import running_ledger
from tests.smtp_server import smtp_server

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SAMPLED = {str(path.relative_to(ROOT)): path for path in DOCUMENTS if "<!-- test:" in path.read_text(encoding="utf-8")}
BEGIN_WITH_THE_DEMO = ("docs/tutorials/getting-started.md", "docs/tutorials/a-budget-that-holds.md", "README.md")
POSTGRESQL = "docs/guides/postgresql.md"
WITH_NEIGHBOURS = {
    "docs/reference/http-access.md": False,
    "docs/reference/http-notifications.md": False,
    "docs/guides/notifications.md": True,
}
"""Documents whose server has a mail server and may post to this machine → whether the reader's commands may, too."""

RECEIVER_PORT = "9000"
POSTGRESQL_URL = "postgresql://costops:secret@localhost:5432/costops"


def _check(document: Document, shell: Shell) -> None:
    if os.environ.get("UPDATE_DOCS"):
        samples.update(document, shell)
    else:
        samples.check(document, shell)


@pytest.mark.parametrize(
    "name", [name for name in SAMPLED if name not in (*BEGIN_WITH_THE_DEMO, POSTGRESQL, *WITH_NEIGHBOURS)]
)
def test_samples_work_as_printed(name: str, machine: Machine):
    document = read_document(SAMPLED[name])
    commands = "".join(command for sample in document.samples for command in sample.commands)
    _check(document, machine(served="127.0.0.1:8080" in commands or "localhost:8080" in commands))


@pytest.mark.parametrize("name", WITH_NEIGHBOURS)
def test_samples_with_neighbours_work_as_printed(name: str, machine: Machine):
    with smtp_server() as mailbox:
        told = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none"}
        told |= {"allow_private_addresses": True, "group_wait_secs": 0}
        shell = machine(served=True, settings={f"notifications.{key}": value for key, value in told.items()})
        if WITH_NEIGHBOURS[name]:
            ours = {f"COST_OPS_NOTIFICATIONS_{key.upper()}": str(value) for key, value in told.items()}
            shell.environment = {**shell.environment, **ours}
        shell.replacements = {**shell.replacements, RECEIVER_PORT: str(running_ledger._free_port())}
        with _receiver_ended(shell.folder):
            _check(read_document(SAMPLED[name]), shell)
        mailbox.wait(1)
    assert any("ana@example.com" in letter["To"] for letter in mailbox.letters)


@contextmanager
def _receiver_ended(folder: Path) -> Iterator[None]:
    """Ends the receiver that a document has started, where it did not come to its end."""
    try:
        yield
    except BaseException:
        state = folder / ".shell"
        found = re.search(r'RECEIVER="(\d+)"', state.read_text(encoding="utf-8") if state.exists() else "")
        if found:
            with suppress(ProcessLookupError):
                os.kill(int(found[1]), signal.SIGTERM)
        raise


def test_samples_for_postgresql_work_as_printed(machine: Machine, postgres_url: str, postgres_database: str):
    shell = machine()
    shell.replacements = {POSTGRESQL_URL: postgres_database}
    _check(read_document(SAMPLED[POSTGRESQL]), shell)


def test_samples_that_begin_with_make_run_work_as_printed(programs: Path, tmp_path: Path):
    port = running_ledger._free_port()
    with ExitStack() as stack:
        output = stack.enter_context((tmp_path / "demo.log").open("wb"))
        demo = subprocess.Popen(
            ["cost-ops", "demo", "--port", str(port)],
            cwd=tmp_path,
            env=environment(programs) | {"COST_OPS_NOTIFICATIONS_ALLOW_PRIVATE_ADDRESSES": "true"},
            stdout=output,
            stderr=output,
        )
        stack.callback(demo.wait)
        stack.callback(demo.terminate)
        _wait_until_ready(demo, port, tmp_path / "demo.log")
        key = (tmp_path / ".run" / "key").read_text(encoding="utf-8").strip()
        welcome = (tmp_path / "demo.log").read_text(encoding="utf-8")
        assert key in welcome
        for name in BEGIN_WITH_THE_DEMO:
            receiver = str(running_ledger._free_port())
            here = {"sk_live_…": key, RECEIVER_PORT: receiver, **addresses(port)}
            with _receiver_ended(tmp_path):
                _check(read_document(SAMPLED[name]), Shell(tmp_path, environment(programs), here))
            (tmp_path / ".shell").unlink()


def _wait_until_ready(demo: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + running_ledger.START_TIMEOUT_SECONDS
    while not _is_ready(port):
        if demo.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the demo did not start: {log.read_text(encoding='utf-8')}")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False


def test_a_sample_that_differs_is_noticed(tmp_path: Path):
    path = tmp_path / "page.md"
    path.write_text("<!-- test: run -->\n```console\n$ echo one two\none three\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="line 2"):
        samples.check(read_document(path), Shell(tmp_path, os.environ))


def test_a_sample_that_fails_is_noticed(tmp_path: Path):
    path = tmp_path / "page.md"
    path.write_text("<!-- test: run -->\n```bash\nfalse\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="ended with 1"):
        samples.check(read_document(path), Shell(tmp_path, os.environ))


def test_variables_of_one_sample_are_there_in_the_next(tmp_path: Path):
    path = tmp_path / "page.md"
    block = "<!-- test: run -->\n```{}\n{}```\n"
    path.write_text(block.format("bash", "NAME='a b'\n") + block.format("console", '$ echo "$NAME"\na b\n'), "utf-8")
    samples.check(read_document(path), Shell(tmp_path, os.environ))


def test_ids_and_times_may_differ_and_amounts_may_not():
    shown = '{"usage_id": "01a1f84a-95c0-7000-b49d-e06a57449061", "cost": 0.039, "at": "2026-01-01T00:00:00Z"}'
    other = shown.replace("e06a", "ffff").replace("2026-01-01", "2027-12-31")
    assert samples.difference(shown, other.replace('"at"', '"more": 1, "at"')) is None
    assert samples.difference(shown, other.replace("0.039", "0.0390000001")) is not None
    assert samples.difference("Total: 0.075 USD\n", "Total:   0.075 USD\n") is None
    assert samples.difference("Total: 0.075 USD\n", "Total: 0.076 USD\n") is not None
    assert samples.difference("a\n…\nz\n", "a\nb\nc\nz\n") is None
