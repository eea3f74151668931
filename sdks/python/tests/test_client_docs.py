"""The client's pages: the guide runs as it is printed, the reference misses nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import llm_cost_ops
from ledgers import Ledger

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "python-client.md"
REFERENCE = ROOT / "docs" / "reference" / "python.md"


def test_the_guide_runs_as_it_is_printed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    names: dict[str, object] = {"__name__": "guide"}
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), names)
    names["client"].close()
    said = capsys.readouterr().out
    assert "computed 0.006 USD" in said
    assert "unpriced None\n0.01\n" in said
    assert "2 input_tokens must not be negative, got -1" in said.replace("records[2].", "")
    assert "input_tokens input_tokens must not be negative, got -100" in said
    assert "50 USD was asked for" in said
    assert "9.99393\n" in said
    assert len(ledger.records()) == 6


def test_the_reference_names_everything_that_is_public() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "sdks/python/make_reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")
    page = REFERENCE.read_text("utf-8")
    assert [name for name in llm_cost_ops.__all__ if name not in page and name != "__version__"] == []
