"""The pages about local ledgers, limits and notebooks run as they are printed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import llm_cost_ops
from ledgers import Ledger
from llm_cost_ops import uninstrument
from llm_cost_ops.summaries import no_summary_at_exit, text_table
from llm_cost_ops.sums import Place, Spent, Sum

GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def blocks(page: str, language: str = "python") -> list[str]:
    text = (GUIDES / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def executed(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "guide"}
    for block in blocks(page):
        exec(compile(block, str(GUIDES / page), "exec"), names)
    names["client"].close()
    return names


@pytest.fixture(autouse=True)
def _here(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    yield
    uninstrument()
    no_summary_at_exit()


def promised(page: str) -> list[str]:
    """What comments behind `print(…)` say is printed, and those below."""
    return re.findall(r"(?:print\(.*\)  |^)# (.*)$", "\n".join(blocks(page)), re.MULTILINE)


def test_a_ledger_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    executed("python-local.md")
    said = capsys.readouterr().out.splitlines()
    assert [line in said for line in promised("python-local.md")] == [True, True]
    assert (tmp_path / "cost-ops.db").exists()


def test_a_limit_for_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    names = executed("python-limits.md")
    said = capsys.readouterr().out.splitlines()
    assert [line in said for line in promised("python-limits.md")] == [True, True]
    assert "0.0105 0 3" in said
    assert [name for name in _named("python-limits.md") if not hasattr(names["spent"], name)] == []


def _named(page: str) -> list[str]:
    """The names in the first column of its table."""
    rows = re.findall(r"^\| (`.*?) \|", (GUIDES / page).read_text("utf-8"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)(?:\(.*?\))?`", row) if name != "spent"]


def test_what_a_script_or_a_notebook_spent(capsys: pytest.CaptureFixture[str]) -> None:
    executed("python-notebooks.md")
    said = capsys.readouterr().out
    assert "openai/gpt-4o" in said
    assert [line in said.splitlines() for line in promised("python-notebooks.md")] == [True, True]


def test_the_table_on_the_page_is_the_one_that_is_printed() -> None:
    spent = Spent(
        {
            Place("openai", "gpt-4o"): Sum(3, 3000, 300, {"USD": Decimal("0.0105")}),
            Place("openai", "gpt-nothing"): Sum(1, 1000, 100, {}, 1),
        }
    )
    assert text_table(spent, "LLM Cost Ops: what this process spent") + "\n" in blocks("python-notebooks.md", "text")


def test_the_extension_is_where_a_notebook_looks_for_it() -> None:
    assert callable(llm_cost_ops.load_ipython_extension)
    assert callable(llm_cost_ops.unload_ipython_extension)
