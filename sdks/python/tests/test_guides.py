"""The newcomer's pages: their Python runs as it is printed, on a real ledger, and costs what it says."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, blocks, run

from ledgers import Ledger
from llm_cost_ops import client as clients
from llm_cost_ops import default_client, totals, uninstrument

CALL = Decimal("0.0044675")
"""What each call of the fake provider costs: `openai-chat` on the page of worked amounts."""


@pytest.fixture
def reader(providers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody with an empty folder and a key of OpenAI's, in a program that has spent nothing yet."""
    monkeypatch.setattr(clients, "_DEFAULT", [])
    monkeypatch.setattr(totals, "_ALL", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{providers}/openai-chat/v1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("COST_OPS_SPOOL", str(tmp_path / "spool"))
    for name in ("COST_OPS_API_KEY", "COST_OPS_API_URL", "COST_OPS_ORGANIZATION"):
        monkeypatch.delenv(name, raising=False)
    yield
    uninstrument()
    if clients._DEFAULT:
        default_client().close()


@pytest.fixture
def server(reader: None, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The same, and the environment says where a server is."""
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    return ledger


def test_five_minutes_of_python(reader: None, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "docs/tutorials/python-in-five-minutes.md"
    names: dict[str, Any] = {}
    run(page, names)
    asked = "query --database-url sqlite:cost-ops.db --range last-24-hours --group-by project,user"
    assert f"cost-ops {asked}\n" in (ROOT / page).read_text("utf-8")
    command = [sys.executable, "-m", "cost_ops.cli.main", *asked.split()]
    table = subprocess.run(command, capture_output=True, text=True, check=False)
    assert table.stderr == ""
    assert [line.split()[:3] for line in table.stdout.splitlines() if "ana" in line] == [["weather", "ana", "2"]]
    uninstrument()
    names["client"].close()
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    run(page, names, "server")
    names["ask"]("How cold is it in Oslo?")
    assert default_client().flush(30)
    assert ledger.totals() == (1, CALL)


def test_the_table_of_integrations(server: Ledger) -> None:
    run("docs/guides/python-integrations.md", {})
    assert default_client().flush(30)
    first, second, own = server.records()
    assert server.totals() == (3, 2 * CALL)
    assert (first["project_id"], second["project_id"], second["user_id"]) == (None, "search", "ana")
    assert (own["model_id"], own["status"]) == ("our-own-model", "unpriced")


@pytest.mark.filterwarnings("ignore")
def test_from_litellm(server: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    monkeypatch.setattr(litellm, "success_callback", [])
    page = "docs/guides/from-litellm.md"
    run(page, {}, "before")
    assert [one.__name__ for one in litellm.success_callback] == ["add_up"]
    litellm.success_callback = []
    run(page, {}, "both")
    run(page, {})
    assert default_client().flush(30)
    assert server.totals() == (2, 2 * CALL)
    asyncio.set_event_loop(None)  # litellm made one, and closes none
    gc.collect()


def test_from_tokencost(reader: None) -> None:
    names: dict[str, Any] = {}
    said = run("docs/guides/from-tokencost.md", names)
    assert "input tokens are guessed from the text" in said
    assert names["client"].costs.get().total_cost == CALL
    priced = names["client"].usage.submit(
        provider="openai", model_id="gpt-4o", input_tokens=1200, cached_tokens=1000, output_tokens=300
    )
    assert priced.estimated_cost == Decimal("0.00475")
    names["client"].close()


def test_from_langfuse(server: Ledger) -> None:
    run("docs/guides/from-langfuse.md", {})
    assert default_client().flush(30)
    (record,) = server.records()
    assert (record["user_id"], record["session_id"], record["tags"]) == ("ana", "s-1", {"prod": "true"})
    assert server.totals() == (1, CALL)


def test_a_migrations_removed_lines_are_not_run() -> None:
    assert all("tokencost" not in block.code for block in blocks("docs/guides/from-tokencost.md"))
    assert all("langfuse" not in block.code for block in blocks("docs/guides/from-langfuse.md"))


def test_the_readme_from_python(server: Ledger) -> None:
    run("README.md", {})
    assert server.totals() == (1, CALL)


def test_the_packages_readme(server: Ledger) -> None:
    page = "sdks/python/README.md"
    names: dict[str, Any] = {}
    assert "0.006\n" in run(page, names)
    names["client"].close()
    assert server.totals() == (2, CALL + Decimal("0.006"))
    assert "0.006 1.994\n" in run(page, names, "local")
    names["client"].close()
