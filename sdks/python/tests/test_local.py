"""A ledger in a file: the same surface without a server, closed cleanly, shared by processes, and clear when it cannot be."""

from __future__ import annotations

import asyncio
import importlib.metadata
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from llm_cost_ops import CostOpsClient, local
from llm_cost_ops.exceptions import SettingsError

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
COST = Decimal("0.0035")


@pytest.fixture(autouse=True)
def _spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COST_OPS_SPOOL", str(tmp_path / "spool"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[CostOpsClient]:
    with CostOpsClient.local(tmp_path / "cost-ops.db") as opened:
        yield opened


def run(script: str, *arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """A program of a user's, with every warning shown."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == expect, done.stderr
    return done


def test_a_file_is_made_at_first_use_with_the_catalogues_prices(client: CostOpsClient, tmp_path: Path) -> None:
    assert client.usage.submit(**CALL).estimated_cost == COST
    assert (tmp_path / "cost-ops.db").stat().st_size > 0
    assert client.costs.get().total_cost == COST


def test_the_whole_surface_works_also_awaited_and_in_the_background(client: CostOpsClient) -> None:
    client.track(**CALL)
    assert client.flush(30)
    asyncio.run(client.usage.submit_async(**CALL))
    asyncio.run(client.usage.submit_async(**CALL))  # on another loop
    assert len(list(client.usage.get_history(page_size=2))) == 3
    client.pricing.add(provider="own", model_id="m", input_price_per_1k="0.01", output_price_per_1k="0.02")
    assert client.usage.submit(
        provider="own", model_id="m", input_tokens=1000, output_tokens=0
    ).estimated_cost == 1 / Decimal(100)
    client.budgets.create(name="b", amount=50)
    assert [budget.name for budget in client.budgets.list()] == ["b"]
    with client.usage.stream(range="today") as batches:
        assert sum(len(batch) for batch in batches) == 4
    assert client.totals.total.calls == 4


def test_closing_leaves_no_thread_and_the_next_opening_finds_everything(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for opened in (1, 2):
        client = CostOpsClient.local(tmp_path / "cost-ops.db")
        client.usage.submit(**CALL)
        assert client.costs.get().requests == opened
        client.close()
        client.close()
        assert {thread for thread in threading.enumerate() if not thread.name.startswith("AnyIO")} <= before
    with pytest.raises(RuntimeError, match="closed"):
        client.usage.submit(**CALL)


def test_no_key_is_written_anywhere(tmp_path: Path) -> None:
    client = CostOpsClient.local(tmp_path / "cost-ops.db")
    client.track(**CALL)
    assert client.flush(30)
    key = client.settings.api_key
    assert key not in repr(client)
    client.close()
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        assert key.encode() not in file.read_bytes()
        assert key.split("_")[-1].encode() not in file.read_bytes()


def test_a_script_that_just_ends_loses_nothing_and_says_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from llm_cost_ops import CostOpsClient\n"
        f"client = CostOpsClient.local(sys.argv[1])\nfor _ in range(20): client.track(**{CALL!r})"
    )
    done = run(script, tmp_path / "cost-ops.db")
    assert (done.stdout, done.stderr) == ("", "")
    with CostOpsClient.local(tmp_path / "cost-ops.db") as client:
        assert client.costs.get().requests == 20


def test_several_processes_may_open_and_write_one_file(tmp_path: Path) -> None:
    script = (
        "import sys; from llm_cost_ops import CostOpsClient\n"
        f"with CostOpsClient.local(sys.argv[1]) as client:\n  for _ in range(10): client.usage.submit(**{CALL!r})"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script, str(tmp_path / "cost-ops.db")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in running] == [("", 0)] * 3
    with CostOpsClient.local(tmp_path / "cost-ops.db") as client:
        assert client.costs.get().total_cost == 30 * COST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_the_file_for_itself(client: CostOpsClient) -> None:
    client.usage.submit(**CALL)
    child = multiprocessing.get_context("fork").Process(target=lambda: client.usage.submit(**CALL))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    client.usage.submit(**CALL)
    assert client.costs.get().requests == 3


def test_settings_of_a_server_on_the_same_machine_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cost-ops.toml").write_text('[database]\nurl = "postgresql://nobody@127.0.0.1:1/nothing"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with CostOpsClient.local("mine.db", "org-7") as client:
        assert client.usage.submit(**CALL).organization_id == "org-7"
    assert (tmp_path / "mine.db").exists()


@pytest.mark.parametrize("path", ["", ":memory:", "no-such-folder/cost-ops.db", "a?b.db"])
def test_a_path_that_cannot_be_a_ledger_is_told(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="cannot be opened as a ledger"):
        CostOpsClient.local(path)
    assert list(tmp_path.glob("*.db")) == []


def test_a_file_that_is_something_else_is_told_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "letter.db"
    other.write_text("Dear Ana, this is a letter and no database. " * 100)
    with pytest.raises(SettingsError, match=r"letter\.db cannot be opened as a ledger"):
        CostOpsClient.local(other)
    assert other.read_text().startswith("Dear Ana")


def test_without_the_servers_distribution_one_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    with pytest.raises(SettingsError, match=re.escape("`pip install ./server` in a checkout")):
        CostOpsClient.local(tmp_path / "cost-ops.db")


def test_an_old_python_is_told_which_one_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_OLDEST", (4, 0))
    with pytest.raises(SettingsError, match=r"\. It needs Python 3\.11 or newer, and this is 3\."):
        CostOpsClient.local(tmp_path / "cost-ops.db")


def test_importing_and_tracking_need_nothing_of_the_server() -> None:
    script = "import sys, llm_cost_ops.local; assert not any(n.split('.')[0] == 'cost_ops' for n in sys.modules)"
    run(script)
