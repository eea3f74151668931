"""The guide to delivery does what it says, and names every setting and every counter."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ledgers import Ledger
from llm_cost_ops import DeliverySettings
from llm_cost_ops.delivery.counters import Counters

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "python-delivery.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_its_samples_run_as_printed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    assert len(BLOCKS) == 2
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(block, names)
    assert capsys.readouterr().out.splitlines() == ["True", "Counters(tracked=1, delivered=1)"]
    names["client"].close()  # type: ignore[attr-defined]
    assert ledger.totals()[0] == 2


@pytest.mark.parametrize("of", [DeliverySettings, Counters])
def test_every_setting_and_counter_is_named(of: type) -> None:
    missing = [field.name for field in fields(of) if f"`{field.name}`" not in GUIDE]
    assert missing == []


def test_the_defaults_are_as_printed() -> None:
    default = DeliverySettings()
    printed = {
        "spool_limit_bytes": (default.spool_limit_bytes, "1 GiB", 1024**3),
        "segment_bytes": (default.segment_bytes, "1 MiB", 1024**2),
        "buffer_records": (default.buffer_records, "10,000", 10_000),
        "linger_seconds": (default.linger_seconds, "0.25", 0.25),
        "flush_seconds": (default.flush_seconds, "30", 30),
        "exit_seconds": (default.exit_seconds, "5", 5),
    }
    for name, (real, text, value) in printed.items():
        assert f"| `{name}` | {text} |" in GUIDE
        assert real == value
