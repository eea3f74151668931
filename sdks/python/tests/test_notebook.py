"""A notebook as a new user has it: load the extension, call, and see under each cell what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ledgers import Ledger

CELLS = (
    "%load_ext llm_cost_ops",
    "import llm_cost_ops\nclient = llm_cost_ops.default_client()\n"
    "with llm_cost_ops.cost_context(project='search'):\n"
    "    client.track(provider='openai', model_id='gpt-4o', input_tokens=1000, output_tokens=100)",
    "1 + 1",
    "client.track(provider='openai', model_id='unheard-of', input_tokens=1000, output_tokens=100)",
    "client.totals",
    "%unload_ext llm_cost_ops",
    "client.track(provider='openai', model_id='gpt-4o', input_tokens=1000, output_tokens=100)",
)


@pytest.fixture
def shown(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands under each cell, as HTML."""
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_ORGANIZATION", ledger.organization_id)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    return ["".join(map(_html, cell.outputs)) for cell in book.cells]


def _html(output: Any) -> str:
    return str(output.get("data", {}).get("text/html", ""))


def test_each_cell_that_made_calls_shows_what_they_cost_and_no_other_one(shown: list[str]) -> None:
    loaded, first, plain, unpriced, totals, unloaded, after = shown
    assert (loaded, plain, unloaded, after) == ("", "", "", "")
    assert "this cell" in first
    assert "openai/gpt-4o" in first
    assert "0.0035 USD" in first
    assert "search" in first
    assert "so far: 0.0035 USD" in unpriced
    assert "1 call without a known price, in no sum: openai/unheard-of" in unpriced
    assert "gpt-4o" not in unpriced
    assert "0.0035 USD + ?" in totals
